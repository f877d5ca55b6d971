// Programs that some tests need and that no npm package carries. On Debian, as root, they are installed on demand; where
// that is not possible the tests that need them skip and say so.
import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface DebianProgram {
  /** The program's file name, looked up on PATH and in /usr/sbin. */
  program: string
  /** The Debian package that holds it. */
  package: string
}

/** Every program that `npm test` sets up. */
export const knownPrograms = {
  chromium: { program: 'chromium', package: 'chromium' },
  pgbouncer: { program: 'pgbouncer', package: 'pgbouncer' },
  pgDump: { program: 'pg_dump', package: 'postgresql-client' },
} as const satisfies Record<string, DebianProgram>

export type ProgramName = keyof typeof knownPrograms

export type Setup = { path: string } | { missing: string }

const installTimeoutMs = 300_000
/** Set by the test runner once it has tried, so that every test process need not try again. */
const triedVariable = 'CROSSFADE_SETUP_TRIED'

/**
 * The path of a program, installed first when it is missing and can be; else why not, as a reason to skip a test with.
 * Idempotent. Blocks while installing.
 *
 * @example
 * const chromium = findOrInstall('chromium')
 * test('…', { skip: 'missing' in chromium && chromium.missing }, () => { launch(chromium.path) })
 */
export function findOrInstall(name: ProgramName): Setup {
  const { program, package: packageName } = knownPrograms[name]
  const present = findProgram(program)
  if (present !== undefined) return { path: present }
  if (process.env[triedVariable] !== undefined) return { missing: missingReason(name, 'it could not be installed') }
  if (process.getuid?.() !== 0) return { missing: missingReason(name, 'only root can install it') }
  if (findProgram('apt-get') === undefined) return { missing: missingReason(name, 'this system has no apt-get') }
  process.stderr.write(`crossfade: installing ${packageName} (once)\n`)
  const failure = install(packageName)
  const installed = findProgram(program)
  return installed === undefined
    ? { missing: missingReason(name, failure ?? 'the package lacks it') }
    : { path: installed }
}

/** Tries every named program and makes test processes started from now on rely on the outcome. */
export function setUpPrograms(names: readonly ProgramName[]): void {
  for (const name of names) {
    const setup = findOrInstall(name)
    if ('missing' in setup) process.stderr.write(`crossfade: ${setup.missing}; tests that need it are skipped\n`)
  }
  process.env[triedVariable] = '1'
}

function findProgram(program: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin']
  for (const directory of directories) {
    const path = join(directory, program)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not here; the next directory may have it.
    }
  }
  return undefined
}

/** Installs a package; on failure returns why. Package lists may be missing or stale, so a failed try refreshes them. */
function install(packageName: string): string | undefined {
  const installArguments = ['install', '-y', '--no-install-recommends', packageName]
  return aptGet(installArguments) === undefined ? undefined : (aptGet(['update']) ?? aptGet(installArguments))
}

function aptGet(args: string[]): string | undefined {
  try {
    // RUNLEVEL keeps the package from starting a service: tests start their own.
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
    execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      env,
      timeout: installTimeoutMs,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    return undefined
  } catch (error) {
    return `apt-get ${args[0]} failed: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`
  }
}

function missingReason(name: ProgramName, why: string): string {
  const { program, package: packageName } = knownPrograms[name]
  return `${program} is missing and ${why} (apt-get install ${packageName})`
}
