import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { sessionOf } from '@crossfade/mcp/limits/testing.ts'
import type { ToolCall, ToolCaller } from '@crossfade/mcp/upstream/upstream.ts'
import { SpanStatusCode } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { withSpans } from './call-spans.ts'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const clientSpan = '00f067aa0ba902b7'

function callOf(fields: Partial<ToolCall> = {}): ToolCall {
  return {
    session: sessionOf(1, 'github'),
    tool: { name: 'get_issue' },
    arguments: { title: 'canary-argument' },
    signal: new AbortController().signal,
    ...fields,
  } as ToolCall
}

function callerThat(answer: (call: ToolCall) => ReturnType<ToolCaller['call']>) {
  return { call: answer, close: () => Promise.resolve(), breakers: () => 'kept' }
}

// Nothing is registered for the whole process, where other tests have spans of their own.
suite('spans of calls', () => {
  after(() => provider.shutdown())

  test('a call is a span below the one that the client named, and the upstream is told of the call’s own', async () => {
    exporter.reset()
    let told: string | undefined
    const caller = withSpans(
      callerThat(async (call) => {
        told = call.traceparent
        return { result: { content: [] }, statusCode: 503, errorCode: 'CF13336' }
      }),
      provider.getTracer('test'),
    )
    assert.equal(caller.breakers(), 'kept')
    await caller.call(callOf({ traceparent: `00-${traceId}-${clientSpan}-01` }))
    const [span] = exporter.getFinishedSpans()
    assert.equal(span!.name, 'tools/call get_issue')
    assert.equal(span!.parentSpanContext?.spanId, clientSpan)
    assert.equal(span!.spanContext().traceId, traceId)
    assert.equal(told, `00-${traceId}-${span!.spanContext().spanId}-01`)
    assert.equal(span!.status.code, SpanStatusCode.ERROR)
    assert.equal(span!.attributes['error.type'], 'CF13336')
    assert.equal(span!.attributes['crossfade.service'], 'github')
    assert.ok(!JSON.stringify([span!.attributes, span!.events]).includes('canary'))
  })

  test('without a parent a trace begins here; a call that is given up ends its span; when tracing is off the caller is left alone', async () => {
    exporter.reset()
    const aborted = callerThat(() => Promise.reject(new Error('aborted')))
    await assert.rejects(withSpans(aborted, provider.getTracer('test')).call(callOf()), { message: 'aborted' })
    const [span] = exporter.getFinishedSpans()
    assert.equal(span!.parentSpanContext, undefined)
    assert.equal(span!.status.code, SpanStatusCode.ERROR)
    assert.equal(withSpans(aborted, null), aborted)
  })
})
