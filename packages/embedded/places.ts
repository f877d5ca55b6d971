// Where the launcher keeps things and as whom it runs PostgreSQL. PostgreSQL refuses to run as root, so a root process
// drops to an unprivileged user, and then every path it is given must be reachable by that user.
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'

/** The user PostgreSQL runs as: `undefined` ids mean "as ourselves". */
export interface RunAs {
  uid?: number
  gid?: number
}

/** Users tried in this order when running as root. PostgreSQL's initdb wants one that has a passwd entry. */
const unprivilegedUsers = ['nobody', 'daemon']

/** Used when the temporary directory can't be reached by the unprivileged user (TMPDIR inside a private home). */
const fallbackBase = '/var/tmp'

/** As whom to run PostgreSQL: ourselves, or an unprivileged user when we are root. */
export function runAs(): RunAs {
  if (process.getuid?.() !== 0) return {}
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of unprivilegedUsers) {
    const fields = entries.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  throw fail('CF8003', { users: unprivilegedUsers.join(', ') })
}

/**
 * A directory of ours below the system's temporary directory, created when missing. Others may pass through it (the
 * user PostgreSQL runs as must) but not list or write it. Throws when somebody else owns it.
 */
export function baseDirectory(): string {
  const uid = process.getuid?.() ?? 0
  const parent = isReachable(tmpdir(), runAs()) ? tmpdir() : fallbackBase
  const base = join(parent, `crossfade-${uid}`)
  mkdirSync(base, { recursive: true, mode: 0o711 })
  const found = lstatSync(base)
  if (!found.isDirectory() || found.uid !== uid) {
    throw fail('CF8005', { directory: base })
  }
  chmodSync(base, 0o711)
  for (const name of ['clusters', 'templates', 'binaries']) {
    mkdirSync(join(base, name), { recursive: true, mode: 0o711 })
    chmodSync(join(base, name), 0o711)
  }
  return base
}

/** Whether the user PostgreSQL runs as can pass through every directory down to `path`. */
export function isReachable(path: string, user: RunAs): boolean {
  if (user.uid === undefined) return true
  let current = resolve(path)
  while (!existsSync(current)) current = dirname(current)
  for (;;) {
    const found = statSync(current)
    const bit = found.uid === user.uid ? 0o100 : found.gid === user.gid ? 0o010 : 0o001
    if (found.isDirectory() && (found.mode & bit) === 0) return false
    if (current === dirname(current)) return true
    current = dirname(current)
  }
}
