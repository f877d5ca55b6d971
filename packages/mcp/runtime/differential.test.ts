// The runtime against the SDK's own handler with the same tools: hundreds of requests, whole and broken, must be answered alike.
import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { after, before, test } from 'node:test'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  createMcpHandler,
  fromJsonSchema,
  LOG_LEVEL_META_KEY,
  type McpHttpHandler,
  McpServer,
  PROTOCOL_VERSION_META_KEY,
} from '@modelcontextprotocol/server'
import { createMcpRuntime } from './create-runtime.ts'
import { recognise } from './recognise.ts'
import { compileIdentity, listCacheHint } from './service-identity.ts'
import {
  answeringCaller,
  keepingUsage,
  openLimits,
  type RuntimeServer,
  sampleInstance,
  sampleService,
  sampleTool,
  serveRuntime,
} from './testing.ts'

const seed = testSeed()
const requestsMax = Number(process.env['CROSSFADE_REQUESTS'] ?? 600)

const mirrored = {
  type: 'object',
  properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
  required: ['region'],
}
const tools = [
  sampleTool('first_tool'),
  sampleTool('second.tool-2', { description: 'Zwölf Boxkämpfer 🥊 “quoted”' }),
  sampleTool('mirrored_tool', { inputSchema: mirrored }),
]
const service = sampleService(tools)
let server: RuntimeServer
let reference: McpHttpHandler

before(async () => {
  const runtime = createMcpRuntime({ caller: answeringCaller(), usage: keepingUsage(), limits: openLimits() })
  const instance = sampleInstance(service)
  server = await serveRuntime(runtime, () => instance)

  const identity = compileIdentity(service, '0.1.0')
  reference = createMcpHandler(({ era }) => {
    const one = new McpServer(identity.serverInfo, {
      capabilities: identity.capabilities[era],
      instructions: identity.instructions,
      cacheHints: { 'tools/list': listCacheHint, 'server/discover': listCacheHint, 'resources/list': listCacheHint },
    })
    for (const { name, title, description, inputSchema, annotations } of tools) {
      const config = { description, inputSchema: fromJsonSchema(inputSchema as never), annotations }
      one.registerTool(name, { ...config, ...(title === undefined ? {} : { title }) }, (given) => ({
        content: [{ type: 'text', text: JSON.stringify(given) }],
      }))
    }
    one.registerResource('service', 'crossfade://service', {}, () => ({ contents: [] }))
    return one
  })
})
after(async () => {
  await server.close()
  await reference.close()
})

test('SI-02 the compiled path answers as the SDK does, whole and broken requests alike', async () => {
  const random = seededRandom(seed)
  let compiled = 0
  let refused = 0
  for (let count = 0; count < requestsMax; count++) {
    const sample = sampleRequest(random)
    const [ours, theirs] = await Promise.all([askOurs(sample), askReference(sample)])
    assert.deepEqual(told(ours), told(theirs), `CROSSFADE_SEED=${seed}, request ${count}: ${JSON.stringify(sample)}`)
    if (isRecognised(sample)) compiled++
    if (theirs.status >= 400) refused++
  }
  // A test that only ever took one of the ways would prove nothing of the other.
  assert.ok(compiled > requestsMax / 5, `${compiled} compiled`)
  assert.ok(refused > requestsMax / 5, `${refused} refused`)
})

interface Sample {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

type Random = () => number
type Loose = Record<string, unknown>

function sampleRequest(random: Random): Sample {
  const isModern = random() < 0.6
  const body: Loose = { jsonrpc: '2.0', id: Math.floor(random() * 1_000) }
  const method = pick(random, [
    'tools/list',
    'tools/call',
    'tools/call',
    isModern ? 'server/discover' : 'initialize',
    isModern ? 'tools/list' : 'ping',
  ])
  const params: Loose = {}
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  if (method === 'tools/call') {
    params['name'] = pick(random, tools).name
    params['arguments'] = pick<unknown>(random, [
      { text: 'hallo' },
      { text: 'Grüße 🎉', count: 3, mode: 'fast' },
      { region: 'eu' },
      {},
      { text: 5 },
      { text: 'a', more: true },
    ])
    headers['mcp-name'] = params['name'] as string
    if (random() < 0.7) headers['mcp-param-region'] = 'eu'
  }
  if (method === 'initialize') {
    params['protocolVersion'] = pick(random, ['2025-11-25', '2025-06-18', '2024-11-05', '1999-01-01', '2026-07-28'])
    params['capabilities'] = pick<unknown>(random, [{}, { elicitation: {}, sampling: {} }])
    params['clientInfo'] = { name: 'differential', version: '1' }
  }
  if (isModern) {
    headers['mcp-protocol-version'] = '2026-07-28'
    headers['mcp-method'] = method
    params['_meta'] = {
      [PROTOCOL_VERSION_META_KEY]: '2026-07-28',
      [CLIENT_INFO_META_KEY]: { name: 'differential', version: '1' },
      [CLIENT_CAPABILITIES_META_KEY]: pick<unknown>(random, [{}, { elicitation: { form: {} } }, { roots: {} }]),
    }
  } else if (method !== 'initialize' && random() < 0.6) headers['mcp-protocol-version'] = '2025-11-25'
  body['method'] = method
  if (isModern || method === 'tools/call' || method === 'initialize' || random() < 0.5) body['params'] = params

  const breaks = pick(random, [0, 0, 0, 1, 1, 2])
  let sent: unknown = body
  for (let index = 0; index < breaks; index++) {
    if (random() < 0.4) breakHeaders(random, headers)
    else sent = breakBody(random, body)
  }
  return { headers, body: typeof sent === 'string' ? sent : JSON.stringify(sent) }
}

function breakHeaders(random: Random, headers: Record<string, string>): void {
  const name = pick(random, ['content-type', 'accept', 'mcp-protocol-version', 'mcp-method', 'mcp-name'])
  const values: Readonly<Record<string, readonly (string | null)[]>> = {
    'content-type': ['application/json; charset=utf-8', 'APPLICATION/JSON', 'text/plain', 'application/json,', null],
    accept: ['application/json', '*/*', 'text/event-stream, application/json;q=0.5', null],
    'mcp-protocol-version': ['2025-06-18', '2025-11-25', '2026-07-28', '2099-01-01', 'x', null],
    'mcp-method': ['tools/list', 'Tools/List', 'tools/call', 'ping', ' tools/list ', null],
    'mcp-name': [
      'first_tool',
      'FIRST_TOOL',
      `=?base64?${Buffer.from('first_tool').toString('base64')}?=`,
      '=?base64?%%?=',
      'first_tool, second.tool-2',
      null,
    ],
  }
  const value = pick(random, values[name]!)
  if (value === null) delete headers[name]
  else headers[name] = value
}

function breakBody(random: Random, body: Loose): unknown {
  // What a break before left of them; if nothing, the break is made where nobody sees it.
  const params = looseOf(body['params'])
  const meta = looseOf(params['_meta'])
  const odd = (): unknown => pick<unknown>(random, [null, 0, -1.5, true, '', 'x', [], {}, [1], { a: 1 }])
  switch (Math.floor(random() * 16)) {
    case 0:
      return pick(random, ['', ' ', '{', '[]', 'null', '3', '"x"', '{"jsonrpc":"2.0"}', '{"a":1}{'])
    case 1:
      return [body]
    case 2:
      return [body, { jsonrpc: '2.0', method: 'notifications/initialized' }]
    case 3:
      body['id'] = pick<unknown>(random, [odd(), 'a string', 'Ümlaut "quoted"', 1.5, 2 ** 53, -7, '0', ''])
      break
    case 4:
      delete body[pick(random, ['id', 'jsonrpc', 'method', 'params'])]
      break
    case 5:
      body[pick(random, ['jsonrpc', 'method', 'params'])] = odd()
      break
    case 6:
      body['extra'] = odd()
      break
    case 7:
      body['method'] = pick(random, [
        'prompts/list',
        'nonsense',
        'Tools/list',
        'initialize',
        'ping',
        'logging/setLevel',
      ])
      break
    case 8:
      body['method'] = pick(random, ['notifications/initialized', 'notifications/cancelled', 'notifications/progress'])
      if (random() < 0.7) delete body['id']
      break
    case 9:
      params[pick(random, ['name', 'arguments', '_meta'])] = odd()
      break
    case 10:
      delete params[pick(random, ['name', 'arguments', '_meta', 'protocolVersion', 'clientInfo'])]
      break
    case 11:
      params[pick(random, ['task', 'inputResponses', 'requestState', 'another', 'cursor'])] = pick<unknown>(random, [
        7,
        {},
        'x',
      ])
      if (params['cursor'] === 'x') delete params['cursor']
      break
    case 12:
      meta[pick(random, [PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY])] = odd()
      params['_meta'] = meta
      break
    case 13:
      delete meta[pick(random, [PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY])]
      break
    case 14:
      meta[pick(random, ['progressToken', LOG_LEVEL_META_KEY, 'io.modelcontextprotocol/related-task', 'mine'])] =
        pick<unknown>(random, [odd(), 'info', 5, { taskId: 'x' }])
      params['_meta'] = meta
      break
    default:
      params['name'] = pick(random, ['unknown_tool', 'first_tool', '__proto__', 'constructor', ''])
  }
  return body
}

function looseOf(value: unknown): Loose {
  return value !== null && typeof value === 'object' ? (value as Loose) : {}
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  return values[Math.floor(random() * values.length)]!
}

function isRecognised({ headers, body }: Sample): boolean {
  try {
    return recognise(JSON.parse(body), headers) !== null
  } catch {
    return false
  }
}

function askOurs({ headers, body }: Sample): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(server.url, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    })
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          type: response.headers['content-type'] ?? '',
          body: Buffer.concat(chunks).toString(),
        }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function askReference({ headers, body }: Sample): Promise<Answer> {
  const web = new Request('http://127.0.0.1/', { method: 'POST', headers, body: Buffer.from(body) })
  const response = await reference.fetch(web)
  return { status: response.status, type: response.headers.get('content-type') ?? '', body: await response.text() }
}

/** What a client makes of an answer. The wording of two kinds of errors is ours: it names near tools, and the argument that is wrong. */
function told({ status, type, body }: Answer): unknown {
  const text = type.startsWith('text/event-stream') ? (/^data: (.*)$/m.exec(body)?.[1] ?? '') : body
  const message = text === '' ? null : (JSON.parse(text) as Loose)
  if (message === null) return { status, message }
  const result = message['result'] as { isError?: boolean; content?: unknown; _meta?: Loose } | undefined
  if (result?.isError === true) {
    result.content = 'worded by each'
    delete result._meta?.['dev.crossfade/code']
    if (result._meta !== undefined && Object.keys(result._meta).length === 0) delete result._meta
  }
  const error = message['error'] as { code: number; message: string; data?: unknown } | undefined
  if (error?.code === -32602 && /^(Tool .* (not found|disabled)|There is no tool)/.test(error.message)) {
    error.message = 'worded by each'
    delete error.data
  }
  return { status, message }
}
