import { type ExecFileOptions, execFile } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { baseDirectory, runAs } from '@crossfade/embedded/places.ts'

/** Where Debian and its kin put every installed version. */
const installedIn = '/usr/lib/postgresql'
const run = promisify(execFile)

/** An installed PostgreSQL, for peers whose plugins the embedded one lacks. */
export interface InstalledServer {
  createDatabase(name: string): Promise<string>
  /** Stops it and removes its files. */
  destroy(): Promise<void>
}

/** The directory of an installed PostgreSQL of one of these major versions that has this plugin; null where there is none. */
export function installationWith(plugin: string, versions: readonly number[]): string | null {
  if (!existsSync(installedIn)) return null
  const found = readdirSync(installedIn)
    .filter((name) => versions.includes(Number(name)))
    .map((name) => join(installedIn, name))
    .filter((place) => existsSync(join(place, 'lib', `${plugin}.so`)) && existsSync(join(place, 'bin', 'initdb')))
  return found.toSorted().at(-1) ?? null
}

/** Starts an empty server on 127.0.0.1, as fast rather than safe as the embedded ones are. */
export async function startInstalled(place: string, settings: Record<string, string>): Promise<InstalledServer> {
  const user = runAs()
  const home = mkdtempSync(join(baseDirectory(), 'bench-'))
  if (user.uid !== undefined) chownSync(home, user.uid, user.gid!)
  const as: ExecFileOptions = { ...user, cwd: home }
  const data = join(home, 'data')
  const port = await freePort()
  const bin = (program: string) => join(place, 'bin', program)
  await run(bin('initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '-N'], as)
  const all = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    wal_level: 'logical',
    fsync: 'off',
    ...settings,
  }
  writeFileSync(
    join(data, 'postgresql.auto.conf'),
    Object.entries(all)
      .map(([name, value]) => `${name} = '${value}'\n`)
      .join(''),
  )
  await run(bin('pg_ctl'), ['-D', data, '-l', join(home, 'log'), '-w', 'start'], as)
  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`
  return {
    async createDatabase(name) {
      await run(bin('createdb'), ['--maintenance-db', url('postgres'), name], as)
      return url(name)
    },
    async destroy() {
      await run(bin('pg_ctl'), ['-D', data, '-m', 'immediate', '-w', 'stop'], as)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
