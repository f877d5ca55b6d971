// The one ToolCaller that the runtime is given.
import { createHttpCaller, type HttpCallerOptions } from './http-caller.ts'
import type { BreakerReport } from './origin-breakers.ts'
import type { ToolCaller } from './upstream.ts'
import { createUpstreamClient, type UpstreamClient, type UpstreamClientOptions } from './upstream-client.ts'

export interface ToolCallerOptions extends UpstreamClientOptions, Omit<HttpCallerOptions, 'client'> {}

export interface PlatformToolCaller extends ToolCaller {
  /** The guarded client below, for whatever else speaks to upstreams: the verification of keys, health checks. Closed with the caller. */
  readonly client: UpstreamClient
  /** Every breaker that exists in this worker. */
  breakers(): readonly BreakerReport[]
}

/** Carries out the tools of every kind of service. */
export function createToolCaller(options: ToolCallerOptions = {}): PlatformToolCaller {
  const client = createUpstreamClient(options)
  const http = createHttpCaller({ ...options, client })
  return {
    client,
    breakers: () => client.breakers(),
    call: (call) => http.call(call),
    close: () => client.close(),
  }
}
