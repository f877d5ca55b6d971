// For tests: upstreams on this machine that can be made to fail, and a catalog of them.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Catalog, Service } from '@crossfade/catalog/catalog.ts'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'

export interface TestUpstream {
  readonly url: string
  readonly host: string
  /** What it answers next: a status, or nothing at all. */
  answer: number | 'nothing' | 'reset'
  /** Requests so far, with their headers. */
  readonly requests: { readonly url: string; readonly headers: Readonly<Record<string, unknown>> }[]
  close(): Promise<void>
}

export async function startUpstream(): Promise<TestUpstream> {
  const server = createServer((request, response) => {
    upstream.requests.push({ url: request.url ?? '', headers: request.headers })
    if (upstream.answer === 'nothing') return
    if (upstream.answer === 'reset') return request.socket.resetAndDestroy()
    response.writeHead(upstream.answer, { 'content-type': 'text/plain' }).end('token=abc secret answer of the upstream')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const upstream: TestUpstream = {
    url: `http://${host}`,
    host,
    answer: 200,
    requests: [],
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
  return upstream
}

/** A catalog of services by their base URLs. */
export function catalogOf(baseUrls: Readonly<Record<string, string>>, more: Partial<ServiceConfig> = {}): Catalog {
  const services = new Map<ServiceType, Service>()
  for (const [name, baseUrl] of Object.entries(baseUrls)) {
    const serviceType = name as ServiceType
    services.set(serviceType, {
      config: {
        serviceType,
        displayName: name,
        category: 'testing',
        description: 'An upstream of a test.',
        docsUrl: 'https://example.com',
        port: 49_160,
        baseUrl,
        auth: { type: 'none' },
        verification: null,
        source: { kind: 'operations' },
        tools: [],
        ...more,
      } as ServiceConfig,
      listed: [],
      operationCount: 0,
      tool: () => undefined,
      searchTools: () => [],
    })
  }
  return { digest: '0'.repeat(64), services, searchServices: () => [...services.values()] }
}
