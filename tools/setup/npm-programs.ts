// Programs from npm that some tests need and that are no dependency of ours: their licence is not one that we pass on (PM2 is AGPL-3.0). They are installed on demand into
// a folder of their own below the user's cache; where the registry can't be reached the tests that need them skip and say so.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Setup } from './debian-packages.ts'

const installTimeoutMs = 180_000
/** Set once a program could not be installed, so that every test process need not try again. */
const triedVariable = 'CROSSFADE_NPM_PROGRAMS_TRIED'

/**
 * The executable of a package's program, installed first when this version is not there yet; else why not, as a reason to skip a test with.
 * `program` is its name where that is not the package's. No install script is run. Idempotent, and safe when several do it at once. Blocks while installing.
 *
 * @example
 * const pm2 = findOrInstallNpmProgram('pm2', '7.0.4')
 * test('…', { skip: 'missing' in pm2 && pm2.missing }, () => { launch(pm2.path) })
 */
export function findOrInstallNpmProgram(name: string, version: string, program = name): Setup {
  const folder = findOrInstallNpmPackages({ [name]: version })
  if ('missing' in folder) return folder
  const path = join(folder.path, 'node_modules', '.bin', program)
  return existsSync(path) ? { path } : { missing: `${name} ${version} has no program ${program}` }
}

/** The folder in whose `node_modules` these packages are together, installed first when they are not there yet; else why not. As `findOrInstallNpmProgram` otherwise. */
export function findOrInstallNpmPackages(packages: Readonly<Record<string, string>>): Setup {
  const wanted = Object.entries(packages).map(([name, version]) => `${name}@${version}`)
  const folder = join(cacheDirectory(), 'npm-programs', wanted.join('+').replaceAll('/', '_'))
  if (existsSync(folder)) return { path: folder }
  const missing = `${wanted.join(', ')} could not be installed from the registry`
  if (process.env[triedVariable]?.split(' ').includes(wanted.join('+'))) return { missing }
  process.stderr.write(`crossfade: installing ${wanted.join(', ')} (once)\n`)
  try {
    install(wanted, folder)
  } catch {
    process.env[triedVariable] = `${process.env[triedVariable] ?? ''} ${wanted.join('+')}`.trim()
  }
  return existsSync(folder) ? { path: folder } : { missing }
}

/** Beside its place first, so that a folder of that name is always whole. */
function install(wanted: readonly string[], folder: string): void {
  mkdirSync(dirname(folder), { recursive: true })
  const partial = mkdtempSync(`${folder}.partial-`)
  try {
    const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=dev', '--loglevel=error']
    execFileSync('npm', ['install', '--prefix', partial, ...options, ...wanted], {
      cwd: partial,
      timeout: installTimeoutMs,
      stdio: ['ignore', 'ignore', 'inherit'],
      // A workspace above must not take the packages for itself.
      env: { ...process.env, npm_config_workspaces: 'false' },
    })
    if (!existsSync(folder)) renameSync(partial, folder)
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

/** The user's cache directory as the XDG base directory specification names it. */
function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'crossfade')
}
