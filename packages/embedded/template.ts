// A new cluster in milliseconds: initdb runs once per version into a template, and new clusters are copies of it.
// Every copy gets a system identifier of its own, as initdb would have given it.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Binaries } from './binaries.ts'
import { baseDirectory, type RunAs, runAs } from './places.ts'
import { setSystemIdentifier } from './system-identifier.ts'

/** Kept over restarts of the machine and reachable by everybody, unlike home directories. */
const elsewhere = '/var/lib/crossfade'

export interface NewCluster {
  binaries: Binaries
  superuser: string
  /** When given, connections authenticate by scram-sha-256; else every local connection is trusted. */
  password?: string | undefined
}

/**
 * Fills `dataDirectory`, which must not exist, with a fresh cluster. When another process fills it first, that one is
 * kept. The directory appears complete or not at all.
 */
export function createDataDirectory(dataDirectory: string, cluster: NewCluster): void {
  const partial = `${dataDirectory}.${process.pid}.partial`
  rmSync(partial, { recursive: true, force: true })
  try {
    if (cluster.password === undefined) {
      copyTemplate(templateOf(cluster), partial)
      setSystemIdentifier(partial)
    } else {
      initialize(partial, cluster, cluster.password)
    }
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    throw error
  }
  renameUnlessPresent(partial, dataDirectory)
}

/**
 * As `createDataDirectory`, for a place that the user PostgreSQL runs as can't reach (a root user's home): the data
 * stands below /var/lib/crossfade and `dataDirectory` becomes a link to it.
 */
export function createDataDirectoryElsewhere(dataDirectory: string, cluster: NewCluster): void {
  mkdirSync(elsewhere, { recursive: true, mode: 0o711 })
  const parent = mkdtempSync(join(elsewhere, 'cluster-'))
  chmodSync(parent, 0o711)
  createDataDirectory(join(parent, 'data'), cluster)
  try {
    symlinkSync(join(parent, 'data'), dataDirectory)
  } catch (error) {
    rmSync(parent, { recursive: true, force: true })
    if (!existsSync(dataDirectory)) throw error
  }
}

/** The template for this version and superuser, made when missing. Several processes may make it at once; one wins. */
function templateOf(cluster: NewCluster): string {
  const key = createHash('sha256')
    .update(JSON.stringify([cluster.binaries.release, cluster.superuser]))
    .digest('hex')
  const template = join(baseDirectory(), 'templates', `${cluster.binaries.release}-${key.slice(0, 12)}`)
  if (existsSync(template)) return template
  const partial = `${template}.${process.pid}.partial`
  rmSync(partial, { recursive: true, force: true })
  initialize(partial, cluster)
  renameUnlessPresent(partial, template)
  return template
}

function initialize(directory: string, cluster: NewCluster, password?: string): void {
  const user = runAs()
  mkdirOwnedBy(directory, user)
  const passwordFile = `${directory}.password`
  if (password !== undefined) writeFileOwnedBy(passwordFile, `${password}\n`, user)
  const authentication =
    password === undefined ? ['--auth=trust'] : ['--auth=scram-sha-256', `--pwfile=${passwordFile}`]
  const programArguments = ['--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions', ...authentication]
  try {
    execFileSync(
      cluster.binaries.initdb,
      ['--pgdata', directory, '--username', cluster.superuser, ...programArguments],
      { ...user, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], env: { LC_ALL: 'C', PATH: process.env['PATH'] } },
    )
  } finally {
    rmSync(passwordFile, { force: true })
  }
}

function copyTemplate(template: string, directory: string): void {
  const user = runAs()
  mkdirOwnedBy(directory, user)
  execFileSync('cp', ['-a', '--reflink=auto', `${template}/.`, directory], {
    ...user,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

/** Creates a directory only its owner may enter (PostgreSQL insists) and gives it to the user PostgreSQL runs as. */
export function mkdirOwnedBy(directory: string, user: RunAs): void {
  mkdirSync(directory, { mode: 0o700 })
  if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid)
}

/** Writes a file and gives it to the user PostgreSQL runs as. */
export function writeFileOwnedBy(path: string, text: string, user: RunAs): void {
  writeFileSync(path, text, { mode: 0o600 })
  if (user.uid !== undefined && user.gid !== undefined) chownSync(path, user.uid, user.gid)
}

function renameUnlessPresent(partial: string, final: string): void {
  try {
    renameSync(partial, final)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(final)) throw error
  }
}
