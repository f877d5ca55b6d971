import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { unreachableExitCode } from './exit-codes.ts'

/** A dead worker is started again after this, as a supervisor would. */
const restartMs = 1_500
/** A worker that was told to stop and does not is killed after this, and counts as stuck. */
const stopMsMax = 30_000
const workerFile = fileURLToPath(new URL('./worker-process.ts', import.meta.url))

/** Worker processes under a supervisor: as many as asked for, started again whenever one dies. */
export class Workers {
  readonly #controlUrl: string
  readonly #logPath: string
  readonly #running = new Set<ChildProcess>()
  readonly #killed = new Set<number>()
  /** Workers that ended though nobody had killed them, in words. */
  readonly crashes: string[] = []
  #stopping = false

  constructor(controlUrl: string, directory: string, count: number) {
    this.#controlUrl = controlUrl
    this.#logPath = join(directory, 'workers.log')
    for (let ordinal = 0; ordinal < count; ordinal += 1) this.#start()
  }

  pids(): number[] {
    return [...this.#running].map((child) => child.pid!)
  }

  /** `kill -9`. False when there is no such worker any more. */
  kill(pid: number): boolean {
    this.#killed.add(pid)
    for (const child of this.#running) if (child.pid === pid) return child.kill('SIGKILL')
    return false
  }

  /** Tells all to stop and waits for their end. Gives the number of those that had to be killed. */
  async stop(): Promise<number> {
    this.#stopping = true
    const ends = [...this.#running].map(async (child) => {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      child.stdin?.end()
      let forced = 0
      const limit = setTimeout(() => {
        forced = 1
        child.kill('SIGKILL')
      }, stopMsMax)
      if (child.exitCode === null && child.signalCode === null) await ended
      clearTimeout(limit)
      return forced
    })
    return (await Promise.all(ends)).reduce((sum, each) => sum + each, 0)
  }

  #start(): void {
    const log = openSync(this.#logPath, 'a')
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', workerFile], {
      stdio: ['pipe', log, log],
      env: { ...process.env, CROSSFADE_CONTROL_URL: this.#controlUrl },
    })
    child.stdin?.on('error', () => undefined)
    this.#running.add(child)
    child.once('exit', (code, signal) => {
      this.#running.delete(child)
      if (this.#stopping) return
      const meant = this.#killed.has(child.pid!) || code === unreachableExitCode
      if (!meant) this.crashes.push(`a worker ended with ${signal ?? code}; see ${this.#logPath}`)
      setTimeout(() => {
        if (!this.#stopping) this.#start()
      }, restartMs)
    })
  }
}
