// What happens around a call: who cancels it, what is counted, what the caller is told.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, test } from 'node:test'
import type { CallLimits } from '../limits/limits.ts'
import type { ToolCall, ToolOutcome } from '../upstream/upstream.ts'
import { createMcpRuntime } from './create-runtime.ts'
import {
  answeringCaller,
  ask,
  keepingUsage,
  legacyNotification,
  legacyRequest,
  modernRequest,
  openLimits,
  type RuntimeServer,
  sampleInstance,
  sampleService,
  sampleTool,
  serveRuntime,
  textOutcome,
} from './testing.ts'

const service = sampleService([sampleTool('a_tool')])
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
let limits: ReturnType<typeof openLimits>
let usage: ReturnType<typeof keepingUsage>
let server: RuntimeServer | undefined
let troubles: unknown[]

beforeEach(() => {
  limits = openLimits()
  usage = keepingUsage()
  troubles = []
})
afterEach(() => server?.close())

async function start(
  answer?: (call: ToolCall) => ToolOutcome | Promise<ToolOutcome>,
  otherLimits: CallLimits = limits,
): Promise<ReturnType<typeof answeringCaller>> {
  const caller = answeringCaller(answer)
  const runtime = createMcpRuntime({ caller, usage, limits: otherLimits, onTrouble: (error) => troubles.push(error) })
  const instance = sampleInstance(service)
  server = await serveRuntime(runtime, () => instance)
  return caller
}

/** A call that waits until it is aborted, as a slow upstream would. */
function stuck(): { readonly began: Promise<ToolCall>; readonly answer: (call: ToolCall) => Promise<ToolOutcome> } {
  const { promise: began, resolve } = Promise.withResolvers<ToolCall>()
  return {
    began,
    async answer(call) {
      resolve(call)
      await once(call.signal, 'abort')
      throw call.signal.reason
    },
  }
}

const modernCall = (meta = {}) =>
  modernRequest('tools/call', { name: 'a_tool', arguments: { text: 'x' }, _meta: meta }, 7)
const legacyCall = (id: unknown = 7) => legacyRequest('tools/call', { name: 'a_tool', arguments: { text: 'x' } }, id)

for (const [era, request] of [
  ['2026-07-28', modernCall],
  ['2025-11-25', legacyCall],
] as const) {
  test(`SI-02 a client of ${era} that goes away ends its call at the upstream`, async () => {
    const slow = stuck()
    await start(slow.answer)
    const controller = new AbortController()
    const answered = fetch(server!.url, { ...request(), signal: controller.signal })
    const call = await slow.began
    assert.equal(call.signal.aborted, false)
    controller.abort()
    await assert.rejects(answered)
    if (!call.signal.aborted) await once(call.signal, 'abort')
    await settled(() => usage.records.length === 1)
    assert.equal(usage.records[0]!.errorCode, 'CF13013')
    assert.equal(limits.open, 0)
    assert.deepEqual(troubles, [])
  })
}

test('SI-02 notifications/cancelled ends the call that it names, and no other', async () => {
  const slow = stuck()
  await start(slow.answer)
  const answered = ask(server!.url, legacyCall('one'))
  const call = await slow.began
  await ask(server!.url, legacyNotification('notifications/cancelled', { requestId: 'two' }))
  assert.equal(call.signal.aborted, false)
  const taken = await ask(server!.url, legacyNotification('notifications/cancelled', { requestId: 'one' }))
  assert.equal(taken.status, 202)
  assert.equal(call.signal.aborted, true)
  assert.equal((await answered).body.error.data.code, 'CF13013')
})

test('SI-02 of two calls with the same id neither is cancelled, for it could be a stranger’s', async () => {
  const calls: ToolCall[] = []
  const both = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  await start(async (call) => {
    calls.push(call)
    if (calls.length === 2) both.resolve()
    await released
    return textOutcome('done')
  })
  const answers = [ask(server!.url, legacyCall(1)), ask(server!.url, legacyCall(1))]
  await both.promise
  await ask(server!.url, legacyNotification('notifications/cancelled', { requestId: 1 }))
  assert.deepEqual(
    calls.map((call) => call.signal.aborted),
    [false, false],
  )
  release()
  for (const answer of await Promise.all(answers)) assert.equal(answer.body.result.content[0].text, 'done')
})

test('SI-02 the trace of the client reaches the caller, from _meta or the header, and nothing that is none', async () => {
  const caller = await start()
  await ask(server!.url, modernCall({ traceparent }))
  const byHeader = modernCall()
  await ask(server!.url, { ...byHeader, headers: { ...byHeader.headers, traceparent } })
  await ask(server!.url, modernCall({ traceparent: 'x\r\nevil: 1' }))
  assert.deepEqual(
    caller.calls.map((call) => call.traceparent),
    [traceparent, traceparent, undefined],
  )
})

test('SI-12 a call over a limit is told to the model with how long to wait, and not made', async () => {
  const caller = await start(undefined, {
    admit: () => ({ admitted: false, retryAfterMs: 2_400, reason: 'rate' }),
    ended: () => assert.fail('was not admitted'),
    async close() {},
  })
  const { status, headers, body } = await ask(server!.url, modernCall())
  assert.equal(status, 200)
  assert.equal(headers.get('retry-after'), '3')
  assert.equal(body.result.isError, true)
  assert.match(body.result.content[0].text, /Too many calls: the rate limit.*Wait 3 s.*CF13008/)
  assert.equal(body.result._meta['dev.crossfade/retryAfterMs'], 2_400)
  assert.equal(caller.calls.length, 0)
  assert.equal(usage.records[0]!.statusCode, 429)
})

test('SI-02 a caller that breaks is told as a failed tool, without what it said', async () => {
  await start(() => {
    throw new Error('secret of the house')
  })
  const { body } = await ask(server!.url, modernCall())
  assert.equal(body.result.isError, true)
  assert.match(body.result.content[0].text, /CF13010/)
  assert.doesNotMatch(JSON.stringify(body), /secret/)
  assert.equal(troubles.length, 1)
  assert.equal(limits.open, 0)
})

test('SI-02 every call and list is recorded once, without its arguments', async () => {
  await start(() => ({ ...textOutcome('not found'), statusCode: 404, errorCode: 'CF13301' }))
  await ask(server!.url, modernCall())
  await ask(server!.url, modernRequest('tools/list'))
  await ask(server!.url, modernRequest('tools/call', { name: 'unknown_tool' }))
  assert.deepEqual(
    usage.records.map(({ endpoint, method, statusCode, errorCode }) => [endpoint, method, statusCode, errorCode]),
    [
      ['a_tool', 'GET', 404, 'CF13301'],
      ['tools/list', 'POST', 200, null],
      ['tools/call', 'POST', 0, 'CF13002'],
    ],
  )
  assert.doesNotMatch(JSON.stringify(usage.records), /"text"/)
})

test('SI-02 structured content that is no object is wrapped for the revisions that know only objects', async () => {
  await start(() => ({ result: { content: [], structuredContent: [1, 2] as never }, statusCode: 200, errorCode: null }))
  const modern = await ask(server!.url, modernCall())
  assert.deepEqual(modern.body.result.structuredContent, [1, 2])
  assert.equal(modern.body.result.content[0].text, '[1,2]')
  const legacy = await ask(server!.url, legacyCall())
  assert.deepEqual(legacy.body.result.structuredContent, { result: [1, 2] })
})

async function settled(isSettled: () => boolean): Promise<void> {
  while (!isSettled()) await new Promise((resolve) => setImmediate(resolve))
}
