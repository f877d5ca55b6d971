// One process that serves.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { closeServer, edgeServer, listenOn } from '@crossfade/gateway/http-server.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { Logger } from 'pino'
import type { GatewayApi } from './api-parts.ts'
import { openWorkerParts } from './worker-parts.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** Requests under way when a worker is told to stop get this long. */
const closeMsMax = 5_000
/** The API is loaded when it is first asked for, or this long after the start: instances are served from the first moment. */
const apiMsMax = 1_000

export interface Worker {
  readonly port: number
  readonly services: number
  /** Ends in order: no new requests, those under way, then the parts. Idempotent. */
  close(): Promise<void>
}

/** Starts serving instances, API and console. Rejects with the coded failure of what could not start; what had started is closed then. */
export async function startWorker(settings: WorkerSettings, logger: Logger): Promise<Worker> {
  const parts = await openWorkerParts(settings, logger)
  const { served, edge } = parts
  let loaded: GatewayApi | null = null
  let loading: Promise<void> | null = null
  const loadApi = () => {
    loading ??= parts.loadApi().then(
      (api) => {
        loaded = api
      },
      (error: unknown) => logger.error({ err: error }, 'the API could not be loaded'),
    )
    return loading
  }
  const soon = setTimeout(loadApi, apiMsMax)
  const servers: Server[] = []
  const close = async () => {
    clearTimeout(soon)
    await loading
    await Promise.all(servers.splice(0).map((server) => closeServer(server, closeMsMax)))
    await parts.close()
  }
  /** On the static port of a service there is that service alone. */
  const listen = async (port: number, fixedService: ServiceType | null) => {
    const server = edgeServer((request: IncomingMessage, response: ServerResponse) => {
      if (edge.handle(request, response, fixedService)) return
      if (loaded) return loaded.routing(request, response)
      void loadApi().then(() => {
        if (loaded) loaded.routing(request, response)
        else response.writeHead(503, { 'retry-after': '5' }).end()
      })
    })
    const taken = await listenOn(server, { host: settings.host, port, shared: settings.shared })
    servers.push(server)
    return taken
  }
  try {
    const services = [...served.catalog.services.values()].map(({ config }) => config)
    const port = await listen(settings.port, settings.onlyService === null ? null : services[0]!.serviceType)
    if (settings.staticPorts) for (const config of services) await listen(config.port, config.serviceType)
    return { port, services: services.length, close }
  } catch (error) {
    await close()
    throw error
  }
}
