// Real HTTP servers on the loopback interface that keep what they received, for the tests of the upstream side.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import type { Service, Tool } from '@crossfade/catalog/catalog.ts'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import { type Credential, defaultSettings, type InstanceSession } from '../../instances/session.ts'
import { createHttpCaller, type HttpCallerOptions } from '../http-caller.ts'
import type { ToolCall, ToolCaller, ToolOutcome } from '../upstream.ts'
import { createUpstreamClient, type UpstreamClient, type UpstreamClientOptions } from '../upstream-client.ts'

export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

export interface LoopbackUpstream {
  readonly port: number
  /** `127.0.0.1:port`: what the guard must be told to allow. */
  readonly host: string
  readonly url: string
  readonly received: Received[]
  /** Open connections now. */
  readonly connections: number
  close(): Promise<void>
}

type Answer = (request: Received, response: ServerResponse, raw: IncomingMessage) => void

/** An HTTP server that answers as `answer` says; by default with `{"ok":true}`. */
export async function startUpstream(answer: Answer = answerOk): Promise<LoopbackUpstream> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request
      const whole = { method, url, headers, rawHeaders, body: Buffer.concat(chunks) }
      received.push(whole)
      answer(whole, response, request)
    })
  })
  return listening(server, received)
}

/** A TCP server for upstreams that don't keep to HTTP. `connected` is called with every connection once it has sent something. */
export async function startRawUpstream(connected: (socket: Socket) => void): Promise<LoopbackUpstream> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => connected(socket))
  })
  return listening(server, [])
}

async function listening(server: Server, received: Received[]): Promise<LoopbackUpstream> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    received,
    get connections() {
      return sockets.size
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function answerOk(_request: Received, response: ServerResponse): void {
  response.setHeader('content-type', 'application/json')
  response.end('{"ok":true}')
}

/** A service with a key in `authorization: Bearer`, unless `changes` say otherwise. */
export function testConfig(baseUrl: string, changes: Partial<ServiceConfig> = {}): ServiceConfig {
  return {
    serviceType: 'acme' as ServiceType,
    displayName: 'Acme',
    category: 'testing' as ServiceConfig['category'],
    description: 'A service for tests.',
    docsUrl: 'https://example.com/docs',
    port: 49_999,
    baseUrl,
    auth: {
      type: 'api_key',
      label: 'Key',
      help: 'Anywhere.',
      send: { in: 'header', name: 'authorization', prefix: 'Bearer ' },
    },
    verification: null,
    source: { kind: 'operations' },
    tools: [],
    ...changes,
  }
}

/** `GET /things`, unless `call` says otherwise; a GET is read-only. */
export function testTool(call: Partial<Tool['call']> = {}, changes: Partial<Tool> = {}): Tool {
  const method = call.method ?? 'GET'
  const isRead = method === 'GET' || method === 'HEAD'
  return {
    name: 'things',
    description: 'Things.',
    inputSchema: { type: 'object' },
    annotations: { readOnlyHint: isRead, destructiveHint: !isRead, idempotentHint: isRead, openWorldHint: true },
    call: { method, path: '/things', parameters: [], body: null, ...call },
    digest: '0'.repeat(64),
    ...changes,
  }
}

export function testService(config: ServiceConfig, tools: readonly Tool[]): Service {
  return {
    config,
    listed: tools,
    operationCount: tools.length,
    tool: (name) => tools.find((tool) => tool.name === name),
    searchTools: () => [],
  }
}

export function apiKey(key: string, additional: Record<string, string> = {}): Credential {
  return { kind: 'api_key', apiKey: key, additional }
}

export interface TestSession extends InstanceSession {
  refused: number
}

export function testSession(credential: Credential, changes: Partial<InstanceSession> = {}): TestSession {
  return {
    instanceId: 'acm_user_1a2b3c4d_9f8e7d' as InstanceId,
    userId: '00000000-0000-4000-8000-000000000001' as UserId,
    serviceType: 'acme' as ServiceType,
    tokenId: null,
    scopes: new Set(['read', 'call']),
    settings: defaultSettings,
    credentialVersion: 1,
    credential: () => credential,
    refused: 0,
    credentialRefused() {
      this.refused++
    },
    ...changes,
  }
}

export function testCall(config: ServiceConfig, tool: Tool, changes: Partial<ToolCall> = {}): ToolCall {
  return {
    session: testSession(apiKey('key-of-one')),
    service: testService(config, [tool]),
    tool,
    arguments: {},
    signal: new AbortController().signal,
    ...changes,
  }
}

export type CallerOptions = UpstreamClientOptions & Omit<HttpCallerOptions, 'client'>

/** Runs `body` with a caller that may reach `upstream`; both are closed when it ends. */
export async function withCaller(
  upstream: LoopbackUpstream,
  body: (caller: ToolCaller, client: UpstreamClient) => Promise<void>,
  options: CallerOptions = {},
): Promise<void> {
  const client = createUpstreamClient({ allowedPrivateHosts: [upstream.host], ...options })
  try {
    await body(createHttpCaller({ retryMs: 1, ...options, client }), client)
  } finally {
    await client.close()
    await upstream.close()
  }
}

/** The texts of a result, other blocks by their type. */
export function textOf({ result }: ToolOutcome): string {
  return result.content.map((block) => (block.type === 'text' ? block.text : `<${block.type}>`)).join('\n')
}
