// The static port of a service: that service alone, for clients and proxies that tell services apart by their ports.
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { refuse } from '@crossfade/gateway/answers.ts'
import type { Edge } from '@crossfade/gateway/edge.ts'
import { edgeServer, listenOn } from '@crossfade/gateway/http-server.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { Logger } from 'pino'

/** What a port is asked by those who watch it. */
const watchedPaths: ReadonlySet<string> = new Set(['/healthz', '/readyz'])

export interface StaticPortsOptions {
  readonly services: readonly Pick<ServiceConfig, 'port' | 'serviceType'>[]
  readonly host: string
  readonly shared: boolean
  readonly edge: Edge
  /** The API, for the paths that a port is watched by. */
  readonly api: RequestListener
  /** Where console and API are. */
  readonly baseUrl: string
  readonly logger: Logger
}

/**
 * Listens on the static port of every service, in order, for the instances of that service and nothing else. A port that can't be had, because another
 * program or a connection to somewhere holds it, is told of and left out: the main port serves its service as well. Never rejects.
 */
export async function serveStaticPorts(options: StaticPortsOptions): Promise<Server[]> {
  const { services, host, shared, edge, api, baseUrl, logger } = options
  const servers: Server[] = []
  for (const { port, serviceType } of services) {
    const server = edgeServer((request: IncomingMessage, response: ServerResponse) => {
      if (edge.handle(request, response, serviceType)) return
      if (watchedPaths.has(request.url!.split('?', 1)[0]!)) api(request, response)
      else refuse(response, fail('CF14040', { port, service: serviceType, url: baseUrl }))
    })
    try {
      await listenOn(server, { host, port, shared })
      servers.push(server)
    } catch (error) {
      logger.warn(
        { err: error, service: serviceType, port },
        'a static port could not be had; its service is served without it',
      )
    }
  }
  return servers
}
