// Builds the web console when its build is missing or older than its sources. Run by `npm test` and before the server
// serves it; a second process that needs it at the same time may build it too, and the last to finish wins.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

const consoleFolder = resolve(import.meta.dirname, '..', '..', 'apps', 'console')
const buildTimeoutMs = 180_000

/** Whether there is a console to build. */
export function consoleExists(): boolean {
  return existsSync(join(consoleFolder, 'vite.config.ts'))
}

/** Builds the console if it must be. Idempotent. Throws with the bundler's output when the build fails. */
export function ensureConsoleBuilt(): void {
  if (!consoleExists() || !isStale()) return
  process.stderr.write('crossfade: building the console\n')
  const partial = join(consoleFolder, `dist.${process.pid}.partial`)
  const vite = resolve(consoleFolder, '..', '..', 'node_modules', 'vite', 'bin', 'vite.js')
  try {
    execFileSync(process.execPath, [vite, 'build', '--logLevel', 'error', '--outDir', partial, '--emptyOutDir'], {
      cwd: consoleFolder,
      timeout: buildTimeoutMs,
      stdio: ['ignore', 2, 2],
    })
    rmSync(join(consoleFolder, 'dist'), { recursive: true, force: true })
    renameSync(partial, join(consoleFolder, 'dist'))
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

function isStale(): boolean {
  const built = join(consoleFolder, 'dist', 'index.html')
  return !existsSync(built) || newestChange(consoleFolder) > statSync(built).mtimeMs
}

function newestChange(directory: string): number {
  let newest = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name.startsWith('dist') || entry.name === 'node_modules') continue
    const path = join(directory, entry.name)
    newest = Math.max(newest, entry.isDirectory() ? newestChange(path) : statSync(path).mtimeMs)
  }
  return newest
}

if (process.argv[1] === import.meta.filename) ensureConsoleBuilt()
