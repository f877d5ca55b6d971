import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { UsageRecord } from '@crossfade/mcp/usage/usage.ts'
import { createGatewayMetrics, metricsText } from './metrics.ts'
import { answerScrapes } from './metrics-exchange.ts'

function recordOf(fields: Partial<UsageRecord>): UsageRecord {
  return {
    serviceType: 'github',
    method: 'tools/call',
    endpoint: 'get',
    statusCode: 200,
    responseTimeMs: 4,
    errorCode: null,
    atMs: 0,
    ...fields,
  } as UsageRecord
}

/** The value of a line of the text: `name{label="value"}`. */
function seriesOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

const silent = { record: () => undefined, dropped: 3, flush: async () => undefined, close: async () => undefined }

test('requests are counted by service, method and outcome, and their times fall into the right buckets', async () => {
  const metrics = createGatewayMetrics(
    {
      usage: { counts: { recorded: 9, written: 5, dropped: 3, refused: 1, waiting: 0, failures: 0 } },
      limits: { keys: 2, refused: { rate: 4, quota: 0, concurrency: 1 } },
      breakers: () => [
        { serviceType: 'slack', origin: 'https://a', state: 'half-open' },
        { serviceType: 'slack', origin: 'https://b', state: 'open' },
        { serviceType: 'github', origin: 'https://c', state: 'closed' },
      ],
    },
    'w1',
  )
  const usage = metrics.metered(silent)
  assert.equal(usage.dropped, 3)
  for (const responseTimeMs of [1, 1.1, 60_000, 60_001]) usage.record(recordOf({ responseTimeMs }))
  usage.record(recordOf({ statusCode: 502, errorCode: 'CF13336' }))
  usage.record(recordOf({ statusCode: 0, errorCode: 'CF13312' }))
  usage.record(recordOf({ statusCode: 429, errorCode: 'CF13008' }))
  usage.record(recordOf({ statusCode: 404, errorCode: 'CF13333' }))
  usage.record(recordOf({ method: 'tools/list', responseTimeMs: 0 }))
  const text = await metricsText([await metrics.snapshot()])
  const requests = (outcome: string) =>
    seriesOf(text, `crossfade_mcp_requests_total{service="github",method="tools/call",outcome="${outcome}"}`)
  assert.deepEqual(['ok', 'upstream', 'refused', 'error'].map(requests), [4, 2, 1, 1])
  const upTo = (le: string) =>
    seriesOf(text, `crossfade_mcp_request_duration_seconds_bucket{le="${le}",service="github",method="tools/call"}`) ??
    seriesOf(text, `crossfade_mcp_request_duration_seconds_bucket{service="github",method="tools/call",le="${le}"}`)
  assert.deepEqual(['0.001', '0.0025', '60', '+Inf'].map(upTo), [1, 2, 7, 8])
  assert.equal(seriesOf(text, 'crossfade_mcp_request_duration_seconds_count{service="github",method="tools/call"}'), 8)
  assert.equal(seriesOf(text, 'crossfade_mcp_errors_total{code="CF13312"}'), 1)
  assert.equal(seriesOf(text, 'crossfade_mcp_usage_records_total{outcome="dropped"}'), 3)
  assert.equal(seriesOf(text, 'crossfade_mcp_calls_refused_total{reason="rate"}'), 4)
  assert.equal(seriesOf(text, 'crossfade_mcp_breaker_state{service="slack",worker="w1"}'), 2)
  assert.ok(seriesOf(text, 'crossfade_mcp_worker_memory_bytes{worker="w1"}')! > 1e6)
  assert.ok(seriesOf(text, 'crossfade_mcp_worker_event_loop_delay_p99_seconds{worker="w1"}')! >= 0)
  for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#')))
    assert.match(line, /^[a-z_0-9]+(\{([a-z_]+="[^"]*",?)+\})? ([0-9.e+-]+|Nan)$/)
})

test('a client that invents methods does not make metrics grow without end', async () => {
  const metrics = createGatewayMetrics({})
  const usage = metrics.metered(silent)
  for (let call = 0; call < 500; call += 1) usage.record(recordOf({ method: `invented/${call}` }))
  const text = await metricsText([await metrics.snapshot()])
  const lines = text.split('\n').filter((line) => line.startsWith('crossfade_mcp_requests_total{'))
  assert.ok(lines.length <= 41, `${lines.length} lines`)
  assert.equal(
    lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0),
    500,
  )
})

test('a scrape of one worker answers for all of them, and for those alone that live', async () => {
  const script = fileURLToPath(new URL('./fixtures/metrics-worker.ts', import.meta.url))
  const workers = new Set<ChildProcess>()
  for (let worker = 0; worker < 3; worker += 1) {
    const child = fork(script, [], { execArgv: ['--disable-warning=ExperimentalWarning'], serialization: 'advanced' })
    workers.add(child)
    answerScrapes(child, () => workers)
  }
  const ask = (child: ChildProcess, message: object, kind: string) =>
    new Promise<{ text: string }>((resolve) => {
      const onMessage = (answer: { kind: string; text: string }) => {
        if (answer.kind !== kind) return
        child.off('message', onMessage)
        resolve(answer)
      }
      child.on('message', onMessage)
      child.send(message)
    })
  try {
    const [first, second, third] = [...workers] as [ChildProcess, ChildProcess, ChildProcess]
    await ask(first, { kind: 'records', records: [recordOf({}), recordOf({})] }, 'counted')
    await ask(second, { kind: 'records', records: [recordOf({}), recordOf({ responseTimeMs: 9_000 })] }, 'counted')
    const series = 'crossfade_mcp_requests_total{service="github",method="tools/call",outcome="ok"}'
    const { text } = await ask(third, { kind: 'scrape now' }, 'text')
    assert.equal(seriesOf(text, series), 4)
    const total = seriesOf(text, 'crossfade_mcp_request_duration_seconds_sum{service="github",method="tools/call"}')
    assert.equal(total?.toFixed(3), '9.012')
    for (const child of workers) assert.equal(seriesOf(text, `crossfade_mcp_sessions_cached{worker="${child.pid}"}`), 7)
    const ended = new Promise((resolve) => second.once('exit', resolve))
    second.kill('SIGKILL')
    await ended
    const { text: later } = await ask(first, { kind: 'scrape now' }, 'text')
    assert.equal(seriesOf(later, series), 2)
  } finally {
    for (const child of workers) child.kill('SIGKILL')
  }
})
