// One process that serves.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { closeServer, edgeServer, listenOn } from '@crossfade/gateway/http-server.ts'
import { loadCallLibraries } from '@crossfade/mcp/upstream/call-libraries.ts'
import type { Logger } from 'pino'
import { apiWhenLoaded } from './api-when-loaded.ts'
import type { ServedCatalog } from './served-catalog.ts'
import { serveStaticPorts } from './static-ports.ts'
import { openWorkerParts } from './worker-parts.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** Requests under way when a worker is told to stop get this long. */
const closeMsMax = 5_000
/** What the first call needs is loaded this long after the start, when who waited for it has been told. */
const callLibrariesMs = 50

export interface Worker {
  readonly port: number
  readonly services: number
  /** Ends in order: no new requests, those under way, then the parts. Idempotent. */
  close(): Promise<void>
}

/** Starts serving instances, API and console; from the catalog that this process has open already, if it is given. Rejects with the coded failure of what could not start; what had started is closed then. */
export async function startWorker(
  settings: WorkerSettings,
  logger: Logger,
  catalog: ServedCatalog | null = null,
): Promise<Worker> {
  const parts = await openWorkerParts(settings, logger, catalog)
  const { served, edge } = parts
  const api = apiWhenLoaded({
    load: parts.loadApi,
    onFailure: ({ error, attempt, retryMs }) =>
      logger.error({ err: error, attempt, retryMs }, 'the API could not be loaded; it is tried again'),
  })
  const servers: Server[] = []
  const close = async () => {
    await Promise.all([api.close(), ...servers.splice(0).map((server) => closeServer(server, closeMsMax))])
    await parts.close()
  }
  try {
    const { host, shared, baseUrl } = settings
    const services = [...served.catalog.services.values()].map(({ config }) => config)
    const fixedService = settings.onlyService === null ? null : services[0]!.serviceType
    const server = edgeServer((request: IncomingMessage, response: ServerResponse) => {
      if (!edge.handle(request, response, fixedService)) api.route(request, response)
    })
    const port = await listenOn(server, { host, port: settings.port, shared })
    servers.push(server)
    if (settings.staticPorts) {
      servers.push(...(await serveStaticPorts({ services, host, shared, edge, api: api.route, baseUrl, logger })))
    }
    setTimeout(loadCallLibraries, callLibrariesMs).unref()
    return { port, services: services.length, close }
  } catch (error) {
    await close()
    throw error
  }
}
