// The directory in which an installation keeps what it makes for itself: master key, imported services, the owner's token.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** Below the working directory, beside what the migrations keep. */
const homeName = join('.crossfade', 'mcp')

/** Absolute paths of everything in the home directory. Nobody but its user may look into it. */
export interface Home {
  readonly directory: string
  /** The key-encryption key, made at the first start where nothing else is given. */
  readonly masterKeyFile: string
  /** Services that were imported here: one folder for each, as in the catalog. */
  readonly servicesDirectory: string
  /** The compiled imports. */
  readonly importsSnapshot: string
  /** Parent of `directory`: where the processes of a working directory keep their embedded database. */
  readonly databaseDirectory: string
  /** Personal token of this installation's owner: how the command line talks to the server. */
  readonly ownerTokenFile: string
  /** Address of the server that runs here, while it runs. */
  readonly serverFile: string
}

/** The home below `directory`; made, for this user alone, when it is missing. */
export function openHome(directory = process.cwd()): Home {
  const home = homePaths(directory)
  // The user that an embedded database runs as passes through here, and sees nothing.
  mkdirSync(home.databaseDirectory, { recursive: true, mode: 0o711 })
  mkdirSync(home.servicesDirectory, { recursive: true, mode: 0o700 })
  chmodSync(home.directory, 0o700)
  return home
}

/** Where everything of the home below `directory` is, or would be. */
export function homePaths(directory = process.cwd()): Home {
  const home = resolve(directory, homeName)
  return {
    directory: home,
    masterKeyFile: join(home, 'master.key'),
    servicesDirectory: join(home, 'services'),
    importsSnapshot: join(home, 'imports.snapshot'),
    databaseDirectory: dirname(home),
    ownerTokenFile: join(home, 'owner.token'),
    serverFile: join(home, 'server.json'),
  }
}

/** Writes a file that only this user may read, whole or not at all. */
export function writePrivateFile(path: string, text: string): void {
  const partial = `${path}.${process.pid}`
  writeFileSync(partial, text, { mode: 0o600 })
  renameSync(partial, path)
}

/** The text of such a file, null when there is none or others may read it. */
export function readPrivateFile(path: string): string | null {
  if (!existsSync(path)) return null
  if ((statSync(path).mode & 0o077) !== 0) return null
  return readFileSync(path, 'utf8').trim()
}

export interface ServerMark {
  readonly url: string
  readonly pid: number
}

/** Says where the server runs. Returns what takes the mark away again, unless another server has put its own there. */
export function markServer(home: Home, mark: ServerMark): () => void {
  writePrivateFile(home.serverFile, JSON.stringify(mark))
  return () => {
    if (readServerMark(home)?.pid === mark.pid) rmSync(home.serverFile, { force: true })
  }
}

/** The server that says it runs here, if one does. */
export function readServerMark(home: Home): ServerMark | null {
  const text = readPrivateFile(home.serverFile)
  return text === null ? null : (JSON.parse(text) as ServerMark)
}
