// One installation: database, master key, registry, workers, and the owner's token for the command line.
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLocalOwner } from '@crossfade/accounts/local-owner.ts'
import { withPool } from '@crossfade/mcp-database/pool.ts'
import { fail } from '@crossfade/model/failure.ts'
import { startTracing } from '@crossfade/telemetry/tracing.ts'
import type { Logger } from 'pino'
import { keepHeapSmall } from './heap.ts'
import { type Home, markServer, openHome, readServerMark, writePrivateFile } from './home.ts'
import { openPlatform, type Platform } from './platform.ts'
import { prepareInstallation, tellOfCatalog } from './prepare.ts'
import { type ServedCatalog, serveCatalog } from './served-catalog.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** What finding a port and starting the database's process takes. */
const databaseAheadMs = 10

export interface ServeOptions extends Omit<WorkerSettings, 'roles' | 'secrets' | 'shared' | 'onlyService' | 'baseUrl'> {
  /** Administrator's URL of a database of one's own; else CROSSFADE_MCP_DATABASE_URL, else an embedded one. */
  readonly database?: string | undefined
  /** Carry over the tables of a legacy platform that the database holds. */
  readonly migrateLegacy?: boolean
  /** Public address. Default: the address it listens on, where that is a loopback one. */
  readonly baseUrl?: string | undefined
  /** Processes that serve; 1: this one. */
  readonly workers: number
  readonly logger: Logger
}

export interface Serving {
  readonly url: string
  readonly services: number
  /** Process ids; this process's own where it serves itself. */
  readonly workers: readonly number[]
  readonly ownerTokenFile: string
  /** From the call of `serve` until every service could be called. */
  readonly readyMs: number
  /** Tells all workers, by the database, to serve from the catalog as it is now. No request fails meanwhile. */
  reload(): Promise<void>
  /** Ends in order. Idempotent. */
  close(): Promise<void>
}

/** What serves: the workers of other processes, or the one of this. */
interface Serve {
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/**
 * Serves instances, API and console until `close`. Rejects with CF14007 (port taken), CF14008 (a worker can't), CF14011 (no public address), CF14015 (a server runs here
 * already), CF14016 (embedded database), CF11xxx (master key), CF12xxx (database).
 */
export async function serve(options: ServeOptions): Promise<Serving> {
  const begun = performance.now()
  const baseUrl = publicAddress(options)
  const home = openHome(options.directory)
  refuseSecondServer(home)
  const opening = openPlatform(home, options.database, options)
  const serving = loadServing(options.workers)
  serving.catch(() => undefined)
  const platform = await opening
  try {
    const served = await serveCatalog(home)
    for (const finding of served.opened.findings) options.logger.warn({ finding }, finding.message)
    const secrets = await prepareInstallation(platform, home, served, baseUrl)
    const settings = settingsOf(options, platform, secrets, baseUrl)
    const minting = mintOwnerToken(platform, home)
    minting.catch(() => undefined)
    const running = await startServing(options, settings, served, await serving)
    await minting
    // Not before: what a start makes and leaves is not worth collecting again and again.
    keepHeapSmall()
    const unmark = markServer(home, { url: baseUrl, pid: process.pid })
    let closed: Promise<void> | null = null
    return {
      url: baseUrl,
      services: served.catalog.services.size,
      get workers() {
        return running.pids
      },
      ownerTokenFile: home.ownerTokenFile,
      readyMs: performance.now() - begun,
      async reload() {
        await served.reload()
        await tellOfCatalog(platform, served)
      },
      close() {
        closed ??= (async () => {
          unmark()
          await running.stop()
          await platform.release()
        })()
        return closed
      },
    }
  } catch (error) {
    await platform.release()
    throw error
  }
}

const loopbackHosts = new Set(['127.0.0.1', 'localhost', '::1'])

function publicAddress({ baseUrl, host, port }: ServeOptions): string {
  if (baseUrl !== undefined) return baseUrl.replace(/\/+$/, '')
  if (!loopbackHosts.has(host)) throw fail('CF14011', { host })
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function refuseSecondServer(home: Home): void {
  const mark = readServerMark(home)
  if (mark === null) return
  try {
    process.kill(mark.pid, 0)
  } catch {
    return
  }
  if (mark.pid !== process.pid) throw fail('CF14015', { url: mark.url })
}

function settingsOf(
  options: ServeOptions,
  platform: Platform,
  secrets: WorkerSettings['secrets'],
  baseUrl: string,
): WorkerSettings {
  const { database: _database, migrateLegacy: _migrateLegacy, workers, logger: _logger, ...rest } = options
  return { ...rest, roles: platform.roles, secrets, shared: workers > 1, onlyService: null, baseUrl }
}

/** Loaded while the database starts, and not before it has been told to: loading takes the processor for as long. */
async function loadServing(workers: number) {
  await sleep(databaseAheadMs)
  return workers === 1 ? import('./worker.ts') : import('./workers.ts')
}

async function startServing(
  options: ServeOptions,
  settings: WorkerSettings,
  served: ServedCatalog,
  serving: Awaited<ReturnType<typeof loadServing>>,
): Promise<Serve> {
  if ('startWorkers' in serving) {
    return serving.startWorkers({
      count: options.workers,
      settings,
      onDeath: (death) => options.logger.error(death, 'a worker has ended; another takes its place'),
    })
  }
  const collector = process.env['OTEL_EXPORTER_OTLP_ENDPOINT']
  const stopTracing = collector ? await startTracing(collector, settings.version) : null
  const worker = await serving.startWorker(settings, options.logger, served)
  return {
    pids: [process.pid],
    async stop() {
      await worker.close()
      await stopTracing?.().catch(() => undefined)
    },
  }
}

/** The command line of this directory acts as the owner. Each start makes a token anew and ends the one before. */
async function mintOwnerToken(platform: Platform, home: Home): Promise<void> {
  await withPool(
    platform.roles.accounts,
    { applicationName: 'crossfade mcp owner', connectionsMax: 1 },
    async (accounts) => {
      const { secret } = await createLocalOwner(accounts, `command line of ${hostname()}`)
      writePrivateFile(home.ownerTokenFile, secret)
    },
  )
}
