import { constants, type Stats } from 'node:fs'
import { access, chown, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'

/** Where an entry of the [databases] section leads. */
export interface DatabaseAddress {
  readonly host: string
  readonly port: number
  readonly database: string
}

/** Asked only where no former line is remembered. */
export type AddressOf = () => DatabaseAddress

/**
 * Makes the named entries of PgBouncer's configuration file lead to `to`. The line that was there is kept beside it as a comment, and comes back word for word
 * when it is switched the other way. Atomic (a new file takes the old one's place, with its owner and mode) and idempotent. Rejects with CF5111.
 */
export async function switchEntries(
  path: string,
  migration: MigrationId,
  to: Side,
  entries: ReadonlyMap<string, AddressOf>,
): Promise<void> {
  try {
    const file = await realpath(path)
    await access(file, constants.W_OK)
    const before = await readFile(file, 'utf8')
    const after = switchText(before, migration, to, entries)
    if (after !== before) await replaceFile(file, after, await stat(file))
  } catch (error) {
    throw fail('CF5111', { path, reason: reasonOf(error) }, error)
  }
}

/** The file's text after the switch. Throws an Error that says which entry is missing. */
export function switchText(
  text: string,
  migration: MigrationId,
  to: Side,
  entries: ReadonlyMap<string, AddressOf>,
): string {
  const lines = text.split('\n')
  for (const [name, addressOf] of entries) switchEntry(lines, name, migration, to, addressOf)
  return lines.join('\n')
}

function switchEntry(lines: string[], name: string, migration: MigrationId, to: Side, addressOf: AddressOf): void {
  const remembered = (side: Side) =>
    lines.findIndex(
      (line) =>
        line.startsWith(memory(migration, side)) && entryName(line.slice(memory(migration, side).length)) === name,
    )
  const from = otherSide(to)
  const back = remembered(to)
  if (back < 0 && remembered(from) >= 0) return
  const original = back < 0 ? null : lines[back]!.slice(memory(migration, to).length)
  if (back >= 0) lines.splice(back, 1)
  const current = findEntry(lines, name)
  if (current < 0) throw new Error(`the [databases] section has no entry ${name}`)
  const line = lines[current]!
  lines.splice(current, 1, `${memory(migration, from)}${line}`, original ?? redirect(line, addressOf()))
}

function memory(migration: MigrationId, side: Side): string {
  return `;crossfade ${migration} ${side}: `
}

function findEntry(lines: readonly string[], name: string): number {
  let section = ''
  return lines.findIndex((line) => {
    const header = /^\s*\[([^\]]+)\]/.exec(line)
    if (header) section = header[1]!.trim().toLowerCase()
    return section === 'databases' && entryName(line) === name
  })
}

/** `"my db" = …` or `app = …`; null for comments, blanks and headers. */
function entryName(line: string): string | null {
  const match = /^\s*(?:"((?:[^"]|"")+)"|([^\s;#[="]+))\s*=/.exec(line)
  return match ? (match[1]?.replaceAll('""', '"') ?? match[2]!) : null
}

/** Replaces host, port and dbname, and keeps everything else of the connect string as it is. */
function redirect(line: string, address: DatabaseAddress): string {
  const equals = line.indexOf('=', line.lastIndexOf('"', line.indexOf('=')) + 1)
  const head = line.slice(0, equals + 1)
  const kept = [...line.slice(equals + 1).matchAll(/(\w+)\s*=\s*('(?:[^']|'')*'|[^\s']+)/g)]
    .filter(([, key]) => !['host', 'port', 'dbname'].includes(key!.toLowerCase()))
    .map(([pair]) => pair)
  const moved = [`host=${value(address.host)}`, `port=${address.port}`, `dbname=${value(address.database)}`]
  return `${head} ${[...moved, ...kept].join(' ')}`
}

function value(text: string): string {
  return /^[\w.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "''")}'`
}

async function replaceFile(file: string, text: string, like: Stats): Promise<void> {
  const fresh = join(dirname(file), `.${basename(file)}.crossfade-${process.pid}`)
  try {
    const handle = await open(fresh, 'w', like.mode & 0o777)
    try {
      await handle.writeFile(text)
      await handle.chmod(like.mode & 0o777)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (process.getuid?.() === 0) await chown(fresh, like.uid, like.gid)
    await rename(fresh, file)
  } finally {
    await rm(fresh, { force: true })
  }
}
