// Streams and sessions: whose they are, how many there may be, what is told on them.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { everything } from '../everything/everything.ts'
import type { ServedInstance } from '../instances/session.ts'
import { createMcpRuntime } from './create-runtime.ts'
import { instanceSessionsMax } from './legacy-sessions.ts'
import type { McpRuntime } from './runtime.ts'
import { instanceStreamsMax } from './sdk-path.ts'
import {
  answeringCaller,
  ask,
  keepingUsage,
  legacyRequest,
  modernRequest,
  openLimits,
  type RuntimeServer,
  sampleInstance,
  sampleService,
  sampleTool,
  serveRuntime,
} from './testing.ts'

const plain = sampleService([sampleTool('a_tool')])
const sample = sampleService([], [], 'everything')
const talking = { ...sample, config: { ...sample.config, source: { kind: 'built-in', server: 'everything' } as const } }
let runtime: McpRuntime
let server: RuntimeServer
let instance: ServedInstance

before(async () => {
  runtime = createMcpRuntime({
    caller: answeringCaller(),
    usage: keepingUsage(),
    limits: openLimits(),
    builtIn: (service) => everything(service),
  })
  server = await serveRuntime(runtime, () => instance)
})
after(() => server.close())
beforeEach(() => {
  instance = sampleInstance(talking)
})

async function initialize(): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
  const { headers } = await ask(server.url, legacyRequest('initialize', params))
  return headers.get('mcp-session-id')!
}

function list(sessionId: string) {
  return ask(server.url, legacyRequest('tools/list', {}, 2, { 'mcp-session-id': sessionId }))
}

test('M03 a session belongs to its instance and user: to everybody else it does not exist', async () => {
  const sessionId = await initialize()
  assert.equal((await list(sessionId)).status, 200)
  for (const other of [
    { userId: '00000000-0000-4000-8000-000000000002' },
    { instanceId: 'eve_user_11111111_222222', userId: '00000000-0000-4000-8000-000000000001' },
    // Of the same user: another token, or an access token that may only read.
    { tokenId: '00000000-0000-4000-8000-00000000000a' },
    { scopes: ['read' as const] },
  ]) {
    instance = sampleInstance(talking, other)
    assert.equal((await list(sessionId)).status, 404)
    const headers = { 'mcp-session-id': sessionId, accept: 'text/event-stream' }
    assert.equal((await ask(server.url, { method: 'GET', headers })).status, 404)
    assert.equal((await ask(server.url, { method: 'DELETE', headers })).status, 404)
  }
  instance = sampleInstance(talking)
  assert.equal((await list(sessionId)).status, 200)
})

test('SI-02 a deleted session is gone, and a guessed one never was', async () => {
  const sessionId = await initialize()
  await ask(server.url, { method: 'DELETE', headers: { 'mcp-session-id': sessionId } })
  assert.equal((await list(sessionId)).status, 404)
  assert.equal((await list('00000000-0000-4000-8000-000000000000')).status, 404)
})

test('M01 an instance that opens sessions without end keeps its newest, and touches nobody else’s', async () => {
  const stranger = { instanceId: 'oth_user_11111111_222222', userId: '00000000-0000-4000-8000-000000000009' }
  instance = sampleInstance(talking, stranger)
  const strangers = await initialize()
  instance = sampleInstance(talking)
  const ids: string[] = []
  for (let count = 0; count < instanceSessionsMax + 3; count++) ids.push(await initialize())
  assert.equal((await list(ids[0]!)).status, 404)
  assert.equal((await list(ids.at(-1)!)).status, 200)
  instance = sampleInstance(talking, stranger)
  assert.equal((await list(strangers)).status, 200)
})

test('SI-02 clients that listen are told when the tools of their service change, and only then', async () => {
  instance = sampleInstance(plain)
  const stream = await listen()
  runtime.toolsChanged('another')
  runtime.toolsChanged('sample')
  const frames = await stream.until((text) => text.includes('list_changed'))
  assert.match(frames, /notifications\/subscriptions\/acknowledged/)
  assert.equal(frames.match(/tools\/list_changed/g)?.length, 1)
  stream.end()
})

test('M01 an instance cannot hold open more streams than its limit', async () => {
  instance = sampleInstance(plain, { instanceId: 'lim_user_11111111_222222' })
  const streams = []
  for (let count = 0; count < instanceStreamsMax; count++) streams.push(await listen())
  const refused = await ask(server.url, listenRequest())
  assert.equal(refused.status, 429)
  assert.equal(refused.body.error.data.code, 'CF13011')
  instance = sampleInstance(plain, { instanceId: 'oth_user_11111111_222222' })
  const other = await listen()
  for (const stream of [...streams, other]) stream.end()
})

test('SI-02 a service tells of itself as a resource', async () => {
  instance = sampleInstance(plain)
  const { body } = await ask(server.url, {
    ...modernRequest('resources/read', { uri: 'crossfade://service' }),
    headers: { ...modernRequest('resources/read').headers, 'mcp-name': 'crossfade://service' },
  })
  const told = JSON.parse(body.result.contents[0].text)
  assert.equal(told.name, 'Sample')
  assert.deepEqual(
    told.tools.map((tool: { name: string }) => tool.name),
    ['a_tool'],
  )
})

function listenRequest(): RequestInit {
  return modernRequest('subscriptions/listen', { notifications: { toolsListChanged: true } })
}

async function listen() {
  const controller = new AbortController()
  const response = await fetch(server.url, { ...listenRequest(), signal: controller.signal })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const until = async (isEnough: (text: string) => boolean): Promise<string> => {
    while (!isEnough(text)) text += (await reader.read()).value ?? assert.fail(`ended with ${text}`)
    return text
  }
  await until((seen) => seen.includes('acknowledged'))
  return {
    until,
    end() {
      reader.cancel().catch(() => {})
      controller.abort()
    },
  }
}
