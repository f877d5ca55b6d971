// The server process of a cluster's home directory: found by its pid file, started, waited for, and its debris removed.
//
// A home holds `data` (PostgreSQL's own), `server.log`, and `owner.json`.
import { execFileSync, spawn } from 'node:child_process'
import {
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  rmSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runAs } from './places.ts'
import { isAlive, workingDirectoryOf } from './processes.ts'

const readyPollMs = 10
/** Recovery after a kill replays WAL since the last checkpoint, which is bounded by max_wal_size. */
const startTimeoutMs = 120_000
const logTailLines = 12

export interface Postmaster {
  pid: number
  port: number
  ready: boolean
}

/** Where PostgreSQL's own files stand in a home. */
export function dataDirectoryOf(home: string): string {
  return join(home, 'data')
}

/** The running server of a home, undefined when none runs. A stale pid file counts as none. */
export function runningPostmaster(home: string): Postmaster | undefined {
  let lines: string[]
  let data: string
  try {
    lines = readFileSync(join(dataDirectoryOf(home), 'postmaster.pid'), 'utf8').split('\n')
    data = realpathSync(dataDirectoryOf(home))
  } catch {
    return undefined
  }
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid) || workingDirectoryOf(pid) !== data) return undefined
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
}

export type StartOutcome = { started: true; pid: number } | { started: false; log: string }

/**
 * Starts the server and resolves when it accepts connections, or with the end of its log when it gave up.
 * The server is in a session of its own: a Ctrl-C in the terminal does not reach it.
 */
export async function startPostmaster(program: string, home: string, port: number): Promise<StartOutcome> {
  const user = runAs()
  const logPath = join(home, 'server.log')
  const log = openSync(logPath, 'a', 0o600)
  if (user.uid !== undefined && user.gid !== undefined) chownSync(logPath, user.uid, user.gid)
  const child = spawn(program, ['-D', realpathSync(dataDirectoryOf(home)), '-p', String(port)], {
    ...user,
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: { LC_ALL: 'C', PATH: process.env['PATH'] },
  })
  closeSync(log)
  let ended: string | undefined
  child.once('error', (error) => (ended = error.message))
  child.once('exit', (code, signal) => (ended = `the server ended with ${signal ?? code}`))
  child.unref()

  const deadline = Date.now() + startTimeoutMs
  while (Date.now() < deadline) {
    const found = runningPostmaster(home)
    if (found?.ready && found.pid === child.pid) return { started: true, pid: found.pid }
    if (ended !== undefined) return { started: false, log: `${ended}\n${logTail(home)}` }
    await sleep(readyPollMs)
  }
  child.kill('SIGQUIT')
  return { started: false, log: `the server was not ready after ${startTimeoutMs} ms\n${logTail(home)}` }
}

/** The last lines of the server's log. */
function logTail(home: string): string {
  try {
    return readFileSync(join(home, 'server.log'), 'utf8').trimEnd().split('\n').slice(-logTailLines).join('\n')
  } catch {
    return ''
  }
}

/**
 * Removes what a cluster put into its home, and the home itself when nothing else is in it. The server must have
 * ended. Idempotent.
 */
export function removeHome(home: string): void {
  removeSharedMemory(home)
  removeDataElsewhere(home)
  for (const name of ['data', 'server.log', 'owner.json']) {
    rmSync(join(home, name), { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    rmdirSync(home)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'ENOTDIR') throw error
  }
}

/** `data` is a link when the home could not be reached by the user PostgreSQL runs as. */
function removeDataElsewhere(home: string): void {
  const data = dataDirectoryOf(home)
  if (!lstatSync(data, { throwIfNoEntry: false })?.isSymbolicLink()) return
  rmSync(dirname(readlinkSync(data)), { recursive: true, force: true })
}

/** A killed server leaves its System V segment behind; the kernel allows a few thousand on a machine. */
function removeSharedMemory(home: string): void {
  const pidFile = join(dataDirectoryOf(home), 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const segment = readFileSync(pidFile, 'utf8').split('\n')[6]?.trim().split(/\s+/)[1]
  if (segment === undefined || !/^\d+$/.test(segment)) return
  try {
    execFileSync('ipcrm', ['-m', segment], { stdio: 'ignore' })
  } catch {
    // Already gone, or ipcrm is not installed: 56 bytes stay until the machine restarts.
  }
}
