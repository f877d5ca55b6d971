// Requests that nobody's client sends.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createMcpRuntime } from './create-runtime.ts'
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

const open = { type: 'object', properties: { text: { type: 'string' } }, additionalProperties: true }
const caller = answeringCaller()
let server: RuntimeServer

before(async () => {
  const runtime = createMcpRuntime({ caller, usage: keepingUsage(), limits: openLimits() })
  const instance = sampleInstance(sampleService([sampleTool('a_tool', { inputSchema: open }), sampleTool('b_tool')]))
  server = await serveRuntime(runtime, () => instance)
})
after(() => server.close())
beforeEach(() => {
  caller.calls.length = 0
})

/** A call whose body is this text. */
function raw(body: string | Buffer, headers: Record<string, string> = {}): RequestInit {
  const whole = modernRequest('tools/call', { name: 'a_tool' })
  return { ...whole, headers: { ...whole.headers, ...headers }, body: body as never }
}

function callText(given: string): string {
  return (modernRequest('tools/call', { name: 'a_tool', arguments: 'PLACE' }).body as string).replace('"PLACE"', given)
}

test('SI-02 a name in the header that is not the body’s is refused, so that nobody routes by one and calls by the other', async () => {
  const { status, body } = await ask(server.url, raw(callText('{}'), { 'mcp-name': 'b_tool' }))
  assert.equal(status, 400)
  assert.equal(body.error.code, -32020)
  const method = await ask(server.url, raw(callText('{}'), { 'mcp-method': 'tools/list' }))
  assert.equal(method.body.error.code, -32020)
  assert.equal(caller.calls.length, 0)
})

test('SI-02 a member called __proto__ is refused wherever it stands, however it is written', async () => {
  for (const given of ['{"__proto__":{"admin":true}}', '{"text":"x","deep":[{"\\u005f_proto__":1}]}']) {
    const { status, body } = await ask(server.url, raw(callText(given)))
    assert.equal(status, 400)
    assert.equal(body.error.data.code, 'CF13006')
  }
  assert.equal(({} as Record<string, unknown>)['admin'], undefined)
  assert.equal(caller.calls.length, 0)
})

test('SI-02 of two members with one name the last counts, everywhere alike', async () => {
  await ask(server.url, raw(callText('{"text":"first","text":"last"}')))
  assert.equal(caller.calls[0]!.arguments['text'], 'last')
  const twice = callText('{}').replace('"name":"a_tool"', '"name":"a_tool","name":"b_tool"')
  const { body } = await ask(server.url, raw(twice))
  assert.equal(body.error.code, -32020)
})

test('SI-02 a body nested deeper than anybody needs is refused before anything walks it', async () => {
  for (const levels of [80, 100_000]) {
    const { status, body } = await ask(server.url, raw(callText(`{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`)))
    assert.equal(status, 400)
    assert.equal(body.error.data.code, 'CF13005')
  }
})

test('SI-02 bytes that are no UTF-8 are refused rather than replaced', async () => {
  const text = Buffer.from(callText('{"text":"?"}'))
  text[text.indexOf('?')] = 0xff
  const { status, body } = await ask(server.url, raw(text))
  assert.equal(status, 400)
  assert.equal(body.error.data.code, 'CF13007')
})

test('SI-02 ids come back as they were sent, and long ones are refused', async () => {
  for (const id of ['', 'Ünï "quoted" \\ \u2028 💥', -1, 0, Number.MAX_SAFE_INTEGER]) {
    for (const request of [
      modernRequest('tools/list', {}, id),
      modernRequest('tools/call', { name: 'a_tool' }, id),
      legacyRequest('ping', undefined, id),
    ]) {
      assert.equal((await ask(server.url, request)).body.id, id)
    }
  }
  const { status, body } = await ask(server.url, modernRequest('tools/list', {}, 'x'.repeat(10_000)))
  assert.equal(status, 400)
  assert.equal(body.error.data.code, 'CF13001')
  assert.ok(JSON.stringify(body).length < 500)
})

test('SI-02 a batch that holds a request of the stateless revision is refused', async () => {
  const { status, body } = await ask(server.url, raw(`[${callText('{}')}]`))
  assert.equal(status, 400)
  assert.equal(body.error.code, -32600)
  assert.equal(caller.calls.length, 0)
})

test('SI-02 a browser’s form is no request', async () => {
  const { status } = await ask(server.url, raw(callText('{}'), { 'content-type': 'text/plain' }))
  assert.equal(status, 415)
  assert.equal(caller.calls.length, 0)
})

test('SI-02 without a session there is nothing to get or delete', async () => {
  for (const method of ['GET', 'DELETE']) {
    const { status } = await ask(server.url, { method, headers: { accept: 'text/event-stream' } })
    assert.equal(status, 405)
  }
})
