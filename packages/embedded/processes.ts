// What the launcher asks of the operating system about processes. Linux only, by way of /proc: a pid alone is not an
// identity (pids are reused), so everything that outlives a process is compared by pid and start time.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 10

interface ProcessStatus {
  parentPid: number
  /** One letter of proc(5): `Z` is a zombie, which has ended though its pid still answers. */
  state: string
  /** Clock ticks since boot; with the pid it identifies a process for as long as the machine is up. */
  startTicks: string
}

/** Reads /proc/<pid>/stat; undefined when the process does not exist. */
function processStatus(pid: number): ProcessStatus | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The command name stands in parentheses and may itself contain spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', parentPid: Number(fields[1]), startTicks: fields[19] ?? '' }
}

/** The start time of a running process, in clock ticks since boot, or undefined when it has ended. */
export function processStartTicks(pid: number): string | undefined {
  const status = processStatus(pid)
  return status === undefined || isEnded(status) ? undefined : status.startTicks
}

/** Whether `pid` is running and, when given, whether its start time is the one recorded. Zombies have ended. */
export function isAlive(pid: number, startTicks?: string): boolean {
  const found = processStartTicks(pid)
  return found !== undefined && (startTicks === undefined || found === startTicks)
}

/** The working directory of a process, undefined when it has ended or is not ours to look at. */
export function workingDirectoryOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/** The pids of the direct children of `pid`. */
export function childrenOf(pid: number): number[] {
  const children: number[] = []
  for (const entry of readdirSync('/proc')) {
    const candidate = Number(entry)
    if (Number.isInteger(candidate) && processStatus(candidate)?.parentPid === pid) children.push(candidate)
  }
  return children
}

/** Sends a signal; false when the process has already ended. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Resolves true once `pid` has ended, false when it is still alive after `timeoutMs`. */
export async function waitForEnd(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (isAlive(pid)) {
    if (Date.now() > deadline) return false
    await sleep(pollMs)
  }
  return true
}

/** As `waitForEnd`, blocking the thread: for exit handlers, where nothing asynchronous runs any more. */
export function waitForEndSync(pid: number, timeoutMs: number): boolean {
  const deadline = Date.now() + timeoutMs
  const cell = new Int32Array(new SharedArrayBuffer(4))
  while (isAlive(pid)) {
    if (Date.now() > deadline) return false
    Atomics.wait(cell, 0, 0, pollMs)
  }
  return true
}

function isEnded(status: ProcessStatus): boolean {
  return status.state === 'Z' || status.state === 'X'
}
