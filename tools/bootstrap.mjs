// Sets a fresh checkout up, then runs one TypeScript entry on Node 24.
//
// Runs under whatever Node (>= 20) npm happens to use, so it is plain JavaScript and imports nothing installed.
// Idempotent: dependencies are installed only when the lock file is newer than the last install.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** Installs the locked packages when `node_modules` is missing or older than the lock file. */
export function installPackages() {
  const lock = join(root, 'package-lock.json')
  const installed = join(root, 'node_modules', '.package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return
  process.stderr.write('crossfade: installing the locked packages (once)\n')
  // Not `npm ci`: it refuses a lock file that lacks a package for another platform, and registries differ in which of
  // those they carry. This installs the same locked versions, checks the same digests, and leaves the lock file alone.
  const npm = spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (npm.status !== 0) {
    process.stderr.write('crossfade: npm install failed; run it by hand in the project root to see why\n')
    process.exit(1)
  }
}

/** The Node 24 to run on: the locked package where one exists for this platform, else this Node if it is new enough. */
function node24() {
  const locked = join(root, 'node_modules', '.bin', 'node')
  if (existsSync(locked)) return locked
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  process.stderr.write(
    `crossfade: needs Node 24, and no packaged one exists for ${process.platform}-${process.arch}; install Node 24 and run again\n`,
  )
  process.exit(1)
}

/**
 * Runs `entry` with `args` on Node 24, passes signals on, and exits as it exits.
 * @param {string} entry path of a TypeScript file
 * @param {string[]} args
 */
export function runOnNode24(entry, args) {
  const child = spawn(node24(), ['--disable-warning=ExperimentalWarning', ...memoryOptions(args), entry, ...args], {
    stdio: 'inherit',
    env: entry.startsWith(join(root, 'apps')) ? { ...process.env, ...compileCache() } : process.env,
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(signal ? 128 + 15 : (code ?? 1)))
}

/**
 * What a process that serves needs of memory for young objects (apps/gateway/heap.ts says why); it can't be told later.
 * @param {string[]} args
 */
function memoryOptions(args) {
  return args[0] === 'mcp' ? ['--max-semi-space-size=16'] : []
}

/**
 * What the command line is told by its environment: where compiled code is kept, so that Node finds even its first file there and does not load its compiler of
 * TypeScript for that alone. The cache is the user's own, so that nobody else can put code into it.
 */
export function compileCache() {
  return { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(homedir(), '.cache', 'crossfade', 'compiled') }
}

/**
 * Makes what `args` of the command line need and git does not hold: the console, and for the MCP platform the compiled catalog. Each says why and lets the command
 * go on when that fails: it says by itself what it misses.
 * @param {string[]} args
 */
export function buildFor(args) {
  build('console.ts')
  if (args[0] === 'mcp') build('catalog.ts')
}

/** @param {string} script of tools/build; quick when there is nothing to do */
function build(script) {
  spawnSync(node24(), ['--disable-warning=ExperimentalWarning', join(root, 'tools', 'build', script)], {
    stdio: ['ignore', 2, 2],
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [entry, ...args] = process.argv.slice(2)
  if (!entry) throw new Error('usage: node tools/bootstrap.mjs ENTRY.ts [ARG …]')
  installPackages()
  if (entry.startsWith('apps/')) buildFor(args)
  runOnNode24(join(root, entry), args)
}
