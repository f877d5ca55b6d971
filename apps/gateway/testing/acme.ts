// A real upstream for tests: checks keys, answers orders, and remembers what it was sent. And the service that describes it.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'

export interface AcmeUpstream {
  readonly host: string
  readonly origin: string
  /** Files of the service, by path below a services directory. */
  readonly services: Readonly<Record<string, unknown>>
  /** Every request since the start: which key it came with, where it went, and its headers. */
  readonly requests: readonly {
    readonly key: string | undefined
    readonly url: string
    readonly headers: IncomingHttpHeaders
  }[]
  /** Whose key is right: key → account. */
  readonly keys: Map<string, string>
  stop(): Promise<void>
}

/** Starts it. `serviceType` is what the service is called. */
export async function startAcme(serviceType = 'acme', port = 65_101): Promise<AcmeUpstream> {
  const keys = new Map<string, string>()
  const requests: AcmeUpstream['requests'][number][] = []
  const server: Server = createServer((request, response) => {
    const key = request.headers['x-acme-key'] as string | undefined
    requests.push({ key, url: request.url!, headers: request.headers })
    const account = key === undefined ? undefined : keys.get(key)
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (account === undefined) return answer(401, { message: 'unknown key' })
    if (request.url === '/v1/me') return answer(200, { login: account })
    if (request.url!.endsWith('/label')) {
      response.writeHead(200, { 'content-type': 'image/png' }).end(labelPng)
      return
    }
    answer(200, { account, url: request.url, amount: 12.5 })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const host = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const origin = `http://${host}`
  return {
    host,
    origin,
    requests,
    keys,
    services: {
      [`${serviceType}/config.json`]: configOf(serviceType, origin, port),
      [`${serviceType}/operations.json`]: { operations },
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function configOf(serviceType: string, origin: string, port: number): Record<string, unknown> {
  return {
    serviceType,
    displayName: 'Acme Orders',
    category: 'commerce',
    description: 'Looks up orders of the test upstream, and whose key one has.',
    docsUrl: 'https://acme.example/docs',
    port,
    baseUrl: `${origin}/v1`,
    auth: {
      type: 'api_key',
      label: 'Acme key',
      send: { in: 'header', name: 'X-Acme-Key' },
      help: 'Made on the settings page of the test upstream.',
    },
    verification: { method: 'GET', path: '/me', validStatuses: [200], invalidStatuses: [401], account: '/login' },
    source: { kind: 'operations' },
    tools: ['get_order', 'cancel_order'],
  }
}

const operations = [
  {
    name: 'get_order',
    description: 'Reads one order.',
    method: 'GET',
    path: '/orders/{id}',
    parameters: [
      { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'Number of the order' },
    ],
    readOnly: true,
  },
  {
    name: 'cancel_order',
    description: 'Cancels one order.',
    method: 'DELETE',
    path: '/orders/{id}',
    parameters: [
      { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'Number of the order' },
    ],
    destructive: true,
  },
  {
    name: 'get_label',
    description: 'Draws the label of one order.',
    method: 'GET',
    path: '/orders/{id}/label',
    parameters: [
      { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'Number of the order' },
    ],
    readOnly: true,
  },
]

/** Two by two pixels. */
const labelPng = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAAAABJRU5ErkJggg==',
  'base64',
)
