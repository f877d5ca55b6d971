// A worker process. Started by the server it takes its settings from the channel to it, and ends when that closes, however the server ended.
import { Failure, reasonOf } from '@crossfade/model/failure.ts'
import { createLogger } from '@crossfade/telemetry/logger.ts'
import { startWorker, type Worker } from './worker.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker-settings.ts'

let worker: Worker | null = null
let ending = false

process.once('message', ({ settings }: ToWorker) => void begin(settings))
// Nobody is there to replace or stop this worker any more: an orphan would go on with an old catalog and old settings.
process.on('disconnect', () => void end())
process.on('SIGTERM', () => void end())
// Ctrl-C goes to every process of the terminal: the server decides.
process.on('SIGINT', () => undefined)

async function begin(settings: WorkerSettings): Promise<void> {
  try {
    worker = await startWorker(settings, createLogger(settings.logLevel))
    say({ kind: 'ready', port: worker.port, services: worker.services })
  } catch (error) {
    say({ kind: 'failed', reason: error instanceof Failure ? `${error.message} ${error.remedy}` : reasonOf(error) })
    process.exitCode = 1
    process.disconnect?.()
  }
}

async function end(): Promise<void> {
  if (ending) return
  ending = true
  await worker?.close()
  process.exit()
}

function say(message: FromWorker): void {
  process.send?.(message)
}
