import { type ChildProcess, fork } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { dirname, join } from 'node:path'
import { type Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import { servingNodeOptions } from './heap.ts'
import { answerScrapes } from './metrics-exchange.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker-settings.ts'

const readyMsMax = 30_000
/** What a worker gets to finish its requests; then it is killed. */
const stopMsMax = 8_000
/** A worker that dies is started again after this, doubled each time up to the most, until one has lived for `steadyMs`. */
const restartMsFirst = 200
const restartMsMax = 10_000
const steadyMs = 30_000

export interface WorkerPool {
  readonly pids: readonly number[]
  stop(): Promise<void>
}

export interface WorkerPoolOptions {
  readonly count: number
  readonly settings: WorkerSettings
  readonly onDeath: (death: { readonly pid: number; readonly how: string; readonly restartMs: number }) => void
}

/**
 * Starts workers that share a port and keeps them running: one that dies is replaced. They end with this process, however it ends: their channel to it closes then.
 * Resolves when all of them serve; rejects with what keeps one from it, CF14008 where that has no code.
 */
export async function startWorkers(options: WorkerPoolOptions): Promise<WorkerPool> {
  const children = new Set<ChildProcess>()
  let stopping = false

  const start = async (restartMs: number): Promise<void> => {
    const child = fork(join(import.meta.dirname, 'worker-main.ts'), [], {
      execArgv: [...servingNodeOptions],
      env: { ...process.env, ...compileCache() },
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    children.add(child)
    const startedAt = performance.now()
    answerScrapes(child, () => children)
    const ready = becomesReady(child, options.settings)
    child.once('exit', (code, signal) => {
      children.delete(child)
      if (stopping) return
      const lived = performance.now() - startedAt
      const pause = lived > steadyMs ? restartMsFirst : restartMs
      options.onDeath({ pid: child.pid!, how: signal ?? `exit code ${code}`, restartMs: pause })
      setTimeout(() => {
        // One that does not come up is tried again by its own exit.
        if (!stopping) start(Math.min(pause * 2, restartMsMax)).catch(() => undefined)
      }, pause).unref()
    })
    await ready
  }

  const stop = async () => {
    stopping = true
    await Promise.all([...children].map(end))
  }

  try {
    await Promise.all(Array.from({ length: options.count }, () => start(restartMsFirst)))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    get pids() {
      return [...children].map(({ pid }) => pid!)
    },
    stop,
  }
}

/** What this process has compiled its workers need not compile again. */
function compileCache(): Record<string, string> {
  const directory = getCompileCacheDir()
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) }
}

/** Hands the settings over the channel, never by arguments or environment: others may read those. */
function becomesReady(child: ChildProcess, settings: WorkerSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(fail('CF14008', { reason: `nothing heard within ${readyMsMax / 1_000} s` }))
    }, readyMsMax)
    const ended = (how: string, failure: Failure = fail('CF14008', { reason: how })) => {
      clearTimeout(timer)
      reject(failure)
    }
    child.once('error', (error) => ended(reasonOf(error)))
    child.once('exit', (code, signal) => ended(`it ended with ${signal ?? `exit code ${code}`}`))
    child.on('message', (message: FromWorker) => {
      if (message.kind === 'failed') {
        const { reason, failure } = message
        ended(reason, failure ? fail(failure.code, failure.details) : undefined)
      }
      if (message.kind !== 'ready') return
      clearTimeout(timer)
      resolve()
    })
    tell(child, { kind: 'settings', settings })
  })
}

function tell(child: ChildProcess, message: ToWorker): void {
  if (child.connected) child.send(message, () => undefined)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
  await ended
  clearTimeout(timer)
}
