// A new cluster in milliseconds: initdb runs once per version into a template, and new clusters are copies of it.
// Every copy gets a system identifier of its own, as initdb would have given it.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Binaries } from './binaries.ts'
import { baseDirectory, type RunAs, runAs } from './places.ts'
import { setSystemIdentifier } from './system-identifier.ts'

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
  if (cluster.password === undefined) {
    copyTemplate(templateOf(cluster), partial)
    setSystemIdentifier(partial)
  } else {
    initialize(partial, cluster, cluster.password)
  }
  renameUnlessPresent(partial, dataDirectory)
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
  const authentication = password === undefined ? ['--auth=trust'] : ['--auth=scram-sha-256', '--pwfile=/dev/stdin']
  execFileSync(
    cluster.binaries.initdb,
    [
      '--pgdata',
      directory,
      '--username',
      cluster.superuser,
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
      ...authentication,
    ],
    {
      ...user,
      cwd: '/',
      input: `${password ?? ''}\n`,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { LC_ALL: 'C', PATH: process.env['PATH'] },
    },
  )
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
