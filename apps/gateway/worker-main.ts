// A worker process. Started by `crossfade mcp serve` it takes its settings from the channel to it; started by a process manager, with --port, it makes them itself. Either way it
// ends when the channel to whoever started it closes, however that ended: nobody would replace or stop it any more.
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import { createLogger } from '@crossfade/telemetry/logger.ts'
import { startTracing } from '@crossfade/telemetry/tracing.ts'
import { keepHeapSmall } from './heap.ts'
import { openHome } from './home.ts'
import { openPlatform, type Platform } from './platform.ts'
import { prepareInstallation } from './prepare.ts'
import { checkService, serveCatalog } from './served-catalog.ts'
import { startWorker, type Worker } from './worker.ts'
import { settingsWithoutParent, workerArguments } from './worker-arguments.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker-settings.ts'

let worker: Worker | null = null
let platform: Promise<Platform> | null = null
let stopTracing: (() => Promise<void>) | null = null
let ending = false

if (process.argv.length > 2) void begin(settingsOfOneself, sayToManager)
process.on('message', (message: ToWorker | 'shutdown') => {
  if (message === 'shutdown') void end()
  else if (message.kind === 'settings') void begin(() => message.settings, say)
})
process.on('disconnect', () => void end())
process.on('SIGTERM', () => void end())
// Ctrl-C goes to every process of the terminal: whoever started this one decides.
process.on('SIGINT', () => {
  if (!process.connected) void end()
})

async function begin(
  settingsOf: () => WorkerSettings | Promise<WorkerSettings>,
  tell: (message: FromWorker) => Promise<void>,
): Promise<void> {
  try {
    const settings = await settingsOf()
    const collector = process.env['OTEL_EXPORTER_OTLP_ENDPOINT']
    if (collector) stopTracing = await startTracing(collector, settings.version)
    const started = await startWorker(settings, createLogger(settings.logLevel))
    worker = started
    keepHeapSmall()
    await tell({ kind: 'ready', port: started.port, services: started.services })
  } catch (error) {
    const failure = error instanceof Failure ? { code: error.code, details: error.details } : null
    await tell({ kind: 'failed', reason: reasonOf(error), failure })
    await release()
    process.exit(1)
  }
}

/** What `crossfade mcp serve` would hand over, from the arguments, this directory's home and the environment. */
async function settingsOfOneself(): Promise<WorkerSettings> {
  const given = workerArguments(process.argv.slice(2))
  const home = openHome(process.cwd())
  const served = await serveCatalog(home)
  if (given.onlyService !== null) checkService(served.catalog, given.onlyService)
  platform = openPlatform(home)
  const settings = settingsWithoutParent(given, process.cwd(), process.env)
  const opened = await platform
  const secrets = await prepareInstallation(opened, home, served, settings.baseUrl)
  return { ...settings, roles: opened.roles, secrets }
}

async function end(): Promise<void> {
  if (ending) return
  ending = true
  await worker?.close()
  await stopTracing?.().catch(() => undefined)
  await release()
  process.exit()
}

/** An embedded database that is being started is waited for: left alone it would run on without anybody to stop it. */
async function release(): Promise<void> {
  const opened = await platform?.catch(() => null)
  await opened?.release()
}

function say(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!(message, undefined, undefined, () => resolve())
    else resolve()
  })
}

/** PM2 waits for the word `ready`; why a process could not start is in its log. */
async function sayToManager(message: FromWorker): Promise<void> {
  if (message.kind === 'ready') return void process.send?.('ready')
  const { reason, failure } = message
  const { code, remedy } = failure ? fail(failure.code, failure.details) : { code: 'CF9001', remedy: '' }
  process.stderr.write(`${code} ${reason}\n${remedy && `  → ${remedy}\n`}`)
}
