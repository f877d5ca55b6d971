// A worker process. Started by `crossfade mcp serve` it takes its settings from the channel to it; started by a process manager, with --port, it makes them itself. Either way it
// ends when the channel to whoever started it closes, however that ended: nobody would replace or stop it any more.
import { parseArgs } from 'node:util'
import { limitSettings } from '@crossfade/mcp/limits/settings.ts'
import { Failure, reasonOf } from '@crossfade/model/failure.ts'
import { createLogger } from '@crossfade/telemetry/logger.ts'
import { startTracing } from '@crossfade/telemetry/tracing.ts'
import { keepHeapSmall } from './heap.ts'
import { openHome } from './home.ts'
import { openPlatform, type Platform } from './platform.ts'
import { prepareInstallation } from './prepare.ts'
import { serveCatalog } from './served-catalog.ts'
import { startWorker, type Worker } from './worker.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker-settings.ts'

const { values } = parseArgs({
  options: { service: { type: 'string' }, port: { type: 'string' }, shared: { type: 'boolean', default: false } },
})
keepHeapSmall()
let worker: Worker | null = null
let platform: Platform | null = null
let stopTracing: (() => Promise<void>) | null = null
let ending = false

if (values.port !== undefined) void begin(settingsOfOneself, sayToManager)
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
  tell: (message: FromWorker) => void,
): Promise<void> {
  try {
    const settings = await settingsOf()
    const collector = process.env['OTEL_EXPORTER_OTLP_ENDPOINT']
    if (collector) stopTracing = await startTracing(collector, settings.version)
    worker = await startWorker(settings, createLogger(settings.logLevel))
    tell({ kind: 'ready', port: worker.port, services: worker.services })
  } catch (error) {
    tell({ kind: 'failed', reason: error instanceof Failure ? `${error.message} ${error.remedy}` : reasonOf(error) })
    await platform?.release()
    process.exit(1)
  }
}

/** What `crossfade mcp serve` would hand over, from this directory's home and the environment. */
async function settingsOfOneself(): Promise<WorkerSettings> {
  const directory = process.cwd()
  const home = openHome(directory)
  const port = Number(values.port)
  const baseUrl = (process.env['CROSSFADE_MCP_BASE_URL'] ?? `http://127.0.0.1:${port}`).replace(/\/+$/, '')
  platform = await openPlatform(home)
  const secrets = await prepareInstallation(platform, home, await serveCatalog(home), baseUrl)
  return {
    directory,
    roles: platform.roles,
    secrets,
    host: process.env['CROSSFADE_MCP_HOST'] ?? '127.0.0.1',
    port,
    shared: values.shared,
    staticPorts: false,
    onlyService: values.service ?? null,
    baseUrl,
    allowedHosts: listOf('CROSSFADE_MCP_ALLOW_HOSTS'),
    allowedOrigins: listOf('CROSSFADE_MCP_ALLOW_ORIGINS'),
    allowedUpstreams: listOf('CROSSFADE_MCP_ALLOW_UPSTREAMS'),
    limits: limitSettings({}),
    signUp: process.env['CROSSFADE_MCP_SIGN_UP'] !== 'off',
    healthChecks: process.env['CROSSFADE_MCP_HEALTH_CHECKS'] !== 'off',
    alertsUrl: process.env['CROSSFADE_MCP_ALERTS_URL'] ?? null,
    consoleDirectory: process.env['CROSSFADE_MCP_CONSOLE'] ?? null,
    logLevel: 'warn',
    version: process.env['npm_package_version'] ?? '0.1.0',
  }
}

function listOf(variable: string): string[] {
  return (process.env[variable] ?? '').split(',').filter((entry) => entry !== '')
}

async function end(): Promise<void> {
  if (ending) return
  ending = true
  await worker?.close()
  await stopTracing?.().catch(() => undefined)
  await platform?.release()
  process.exit()
}

function say(message: FromWorker): void {
  process.send?.(message)
}

/** PM2 waits for the word `ready`; why a process could not start is in its log. */
function sayToManager(message: FromWorker): void {
  if (message.kind === 'ready') process.send?.('ready')
  else process.stderr.write(`crossfade: ${message.reason}\n`)
}
