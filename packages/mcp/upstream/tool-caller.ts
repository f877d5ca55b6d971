// The one ToolCaller that the runtime is given.
import type { Service } from '@crossfade/catalog/catalog.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { InstanceSession } from '../instances/session.ts'
import type { RemoteServices, RemoteServicesOptions } from '../remote/remote-services.ts'
import { failureOutcome } from './failure-result.ts'
import { createHttpCaller, type HttpCallerOptions } from './http-caller.ts'
import type { BreakerReport } from './origin-breakers.ts'
import type { ToolCaller } from './upstream.ts'
import { createUpstreamClient, type UpstreamClient, type UpstreamClientOptions } from './upstream-client.ts'

export interface ToolCallerOptions extends UpstreamClientOptions, Omit<HttpCallerOptions, 'client'> {
  /** What remote MCP servers need: where their pins are. Without it they can't be called. */
  readonly remote?: Pick<RemoteServicesOptions, 'pins' | 'acceptNewTools' | 'onQuarantined'>
}

export interface PlatformToolCaller extends ToolCaller {
  /** The guarded client below, for whatever else speaks to upstreams: the verification of keys, health checks. Closed with the caller. */
  readonly client: UpstreamClient
  /** Every breaker that exists in this worker. */
  breakers(): readonly BreakerReport[]
  /**
   * The service as the instance may use it: itself, or with the tools that its remote MCP server tells this user of. Returns at once except for remote
   * servers. Rejects with CF13331, CF13340 and others when such a server can't be asked and was not before.
   */
  serviceFor(session: InstanceSession, service: Service): Service | Promise<Service>
  /** Forgets what remote servers told: of one service (it was changed, or a tool of it approved), or of all. */
  forgetRemote(serviceType?: string): void
}

/** Carries out the tools of every kind of service that has an upstream: HTTP operations and remote MCP servers. */
export function createToolCaller(options: ToolCallerOptions = {}): PlatformToolCaller {
  const client = createUpstreamClient(options)
  const http = createHttpCaller({ ...options, client })
  const remoteOptions = options.remote === undefined ? null : { ...options, ...options.remote }
  // The protocol's client is loaded for the first remote server: without one a worker never carries it.
  let loading: Promise<RemoteServices> | null = null
  let remote: RemoteServices | null = null
  const openRemote = async (given: RemoteServicesOptions): Promise<RemoteServices> => {
    const { remoteServices } = await import('../remote/remote-services.ts')
    remote = remoteServices(given)
    return remote
  }
  const remoteWith = (given: RemoteServicesOptions): Promise<RemoteServices> => {
    loading ??= openRemote(given)
    return loading
  }
  return {
    client,
    breakers: () => [...client.breakers(), ...(remote?.breakers() ?? [])],
    serviceFor(session, service) {
      if (service.config.source.kind !== 'remote-mcp' || remoteOptions === null) return service
      return remoteWith(remoteOptions).then((services) => services.open(session, service.config))
    },
    forgetRemote: (serviceType) => remote?.forget(serviceType),
    async call(call) {
      const { config } = call.service
      switch (config.source.kind) {
        case 'remote-mcp':
          if (remoteOptions !== null) return (await remoteWith(remoteOptions)).call(call)
          return failureOutcome(
            fail('CF13340', { service: config.serviceType, reason: 'remote servers are not set up' }),
          )
        case 'built-in':
          return failureOutcome(fail('CF13303', { service: config.serviceType, reason: 'it is part of Crossfade' }))
        default:
          return http.call(call)
      }
    },
    async close() {
      await Promise.all([client.close(), loading?.then((services) => services.close())])
    },
  }
}
