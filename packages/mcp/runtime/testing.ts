// A service, a session and a server of the smallest kind, for tests of the runtime.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Service, Tool } from '@crossfade/catalog/catalog.ts'
import type { InstanceId, ServiceType, TokenId, UserId } from '@crossfade/model/platform-ids.ts'
import {
  defaultSettings,
  type InstanceSession,
  type InstanceSettings,
  type ServedInstance,
  type TokenScope,
} from '../instances/session.ts'
import type { CallLimits } from '../limits/limits.ts'
import type { ToolCall, ToolCaller, ToolOutcome } from '../upstream/upstream.ts'
import type { UsageRecord, UsageRecorder } from '../usage/usage.ts'
import type { McpRuntime } from './runtime.ts'

/** A tool that takes `text` (required), `count` and `mode`. */
export function sampleTool(name: string, more: Partial<Tool> = {}): Tool {
  return {
    name,
    title: `The tool ${name}`,
    description: `Does what ${name} says — for tests.`,
    inputSchema: {
      type: 'object',
      properties: {
        text: { type: 'string', description: 'Any text' },
        count: { type: 'integer', minimum: 0 },
        mode: { type: 'string', enum: ['fast', 'slow'] },
      },
      required: ['text'],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    call: { method: 'GET', path: `/${name}`, parameters: [], body: null },
    digest: '0'.repeat(64),
    ...more,
  }
}

/** A service of the catalog with these tools; those of `unlisted` are reached by search. */
export function sampleService(listed: readonly Tool[], unlisted: readonly Tool[] = [], type = 'sample'): Service {
  const all = new Map([...listed, ...unlisted].map((tool) => [tool.name, tool]))
  return {
    config: {
      serviceType: type as ServiceType,
      displayName: 'Sample',
      category: 'testing' as never,
      description: 'A service for tests.',
      docsUrl: 'https://docs.example.com',
      port: 50_000,
      baseUrl: 'https://api.example.com',
      auth: { type: 'none' },
      verification: null,
      source: { kind: 'operations' },
      tools: listed.map((tool) => tool.name),
    },
    listed,
    operationCount: all.size,
    tool: (name) => all.get(name),
    searchTools: (query, limit) =>
      [...all.values()]
        .filter((tool) => query.split(' ').every((word) => `${tool.name} ${tool.description}`.includes(word)))
        .slice(0, limit)
        .map(({ name, description }) => ({ name, description })),
  }
}

export interface SampleSession {
  readonly settings?: Partial<InstanceSettings>
  readonly scopes?: readonly TokenScope[]
  readonly userId?: string
  readonly instanceId?: string
  readonly tokenId?: string
}

export function sampleSession(service: Service, sample: SampleSession = {}): InstanceSession {
  return {
    instanceId: (sample.instanceId ?? 'sam_user_1a2b3c4d_9f8e7d') as InstanceId,
    userId: (sample.userId ?? '00000000-0000-4000-8000-000000000001') as UserId,
    serviceType: service.config.serviceType,
    tokenId: (sample.tokenId ?? '00000000-0000-4000-8000-0000000000aa') as TokenId,
    scopes: new Set(sample.scopes ?? ['read', 'call']),
    settings: { ...defaultSettings, ...sample.settings },
    credentialVersion: 1,
    credential: () => ({ kind: 'none' }),
    credentialRefused() {},
  }
}

export function sampleInstance(service: Service, sample: SampleSession = {}): ServedInstance {
  return { service, session: sampleSession(service, sample) }
}

/** A caller whose answers are `answer`'s; by default the arguments, as text. */
export function answeringCaller(
  answer: (call: ToolCall) => ToolOutcome | Promise<ToolOutcome> = (call) =>
    textOutcome(JSON.stringify(call.arguments)),
): ToolCaller & { readonly calls: ToolCall[] } {
  const calls: ToolCall[] = []
  return {
    calls,
    async call(call) {
      calls.push(call)
      return answer(call)
    },
    async close() {},
  }
}

export function textOutcome(text: string): ToolOutcome {
  return { result: { content: [{ type: 'text', text }] }, statusCode: 200, errorCode: null }
}

export function keepingUsage(): UsageRecorder & { readonly records: UsageRecord[] } {
  const records: UsageRecord[] = []
  return { records, dropped: 0, record: (record) => void records.push(record), async flush() {}, async close() {} }
}

/** Limits that admit everything, and count what was not ended. */
export function openLimits(): CallLimits & { open: number } {
  return {
    open: 0,
    admit() {
      this.open++
      return { admitted: true }
    },
    ended() {
      this.open--
    },
    async close() {},
  }
}

export interface RuntimeServer {
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

/** Serves a runtime on loopback. `instanceOf` says which instance a request is for, or null when it answered itself. */
export async function serveRuntime(
  runtime: McpRuntime,
  instanceOf: (request: IncomingMessage, response: ServerResponse) => ServedInstance | null,
): Promise<RuntimeServer> {
  const server: Server = createServer((request, response) => {
    const instance = instanceOf(request, response)
    if (instance === null) return
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => void runtime.handle(request, response, Buffer.concat(chunks), instance))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    async close() {
      await runtime.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A request of the stateless revision, as its clients send it. */
export function modernRequest(
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  id: unknown = 1,
): RequestInit {
  const named = params['name']
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof named === 'string' ? { 'mcp-name': named } : {}),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id,
      method,
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': {},
          ...(params['_meta'] as object | undefined),
        },
      },
    }),
  }
}

/** A request of the revisions before. */
export function legacyRequest(
  method: string,
  params?: Readonly<Record<string, unknown>>,
  id: unknown = 1,
  headers: Readonly<Record<string, string>> = {},
): RequestInit {
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
  }
}

/** A notification of the revisions before: a request without an id. */
export function legacyNotification(method: string, params: Readonly<Record<string, unknown>>): RequestInit {
  return { ...legacyRequest(method), body: JSON.stringify({ jsonrpc: '2.0', method, params }) }
}

/** What a test looks at in an answer. */
export interface RpcAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: RpcBody
}

/** A list whose first element a test looks at. */
type Some<Element> = readonly [Element, ...Element[]]

/** Members that tests look at; which of them are there depends on what was asked. */
export interface RpcBody {
  readonly id: unknown
  readonly result: {
    readonly tools: Some<{ name: string; title: string; description: string; inputSchema: unknown }>
    readonly nextCursor?: string
    readonly content: Some<{ type: string; text: string }>
    readonly contents: Some<{ text: string }>
    readonly isError?: boolean
    readonly structuredContent: {
      readonly operations: Some<{ name: string; inputSchema: { type: string } }>
    }
    readonly _meta: Readonly<Record<string, unknown>>
  }
  readonly error: { readonly code: number; readonly message: string; readonly data: { readonly code: string } }
}

export async function ask(url: string, request: RequestInit): Promise<RpcAnswer> {
  const response = await fetch(url, request)
  const text = await response.text()
  const json = response.headers.get('content-type')?.startsWith('text/event-stream')
    ? text.match(/^data: (.+)$/m)?.[1]
    : text
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(json) : null }
}
