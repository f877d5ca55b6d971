import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type FaultProxy, startFaultProxy } from '@crossfade/embedded/fault-proxy.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { Pool } from 'pg'
import { createUsageRecorder } from './recorder.ts'
import { type TestPlatform, testPlatform, usageOf } from './testing.ts'

let platform: TestPlatform
let proxy: FaultProxy
let runtime: Pool

before(async () => {
  platform = await testPlatform(2, ['github', 'slack'])
  const url = new URL(platform.urls.runtime)
  proxy = await startFaultProxy({ target: { host: url.hostname, port: Number(url.port) } })
  url.host = `${proxy.host}:${proxy.port}`
  runtime = openPool(url.href, { applicationName: 'test runtime', connectionsMax: 2 })
})

after(async () => {
  await runtime.end()
  await proxy.close()
  await platform.close()
})

async function rowsOf(endpoint: string): Promise<number> {
  const { rows } = await platform.admin.query(
    'select count(*)::integer as count from service_usage_analytics where endpoint = $1',
    [endpoint],
  )
  return rows[0].count
}

test('SI-03 what is recorded is in the table with all its columns, and counted on its instance', async () => {
  const recorder = createUsageRecorder({ pool: runtime, flushMsMax: 10 })
  const [user] = platform.users
  const atMs = Date.now() - 5_000
  recorder.record(
    usageOf(user!, 'github', {
      endpoint: 'x'.repeat(300),
      statusCode: 404,
      responseTimeMs: 41.6,
      errorCode: 'CF13001',
      atMs,
    }),
  )
  for (let call = 0; call < 2_500; call += 1) recorder.record(usageOf(user!, 'slack', { endpoint: 'columns' }))
  await recorder.close()
  assert.deepEqual(recorder.counts, { recorded: 2501, written: 2501, dropped: 0, refused: 0, waiting: 0, failures: 0 })
  const { rows } = await platform.admin.query(
    `select user_id, instance_id, length(endpoint) as endpoint, method, status_code, response_time_ms, error_message,
       (extract(epoch from "timestamp") * 1000)::float8 as at_ms from service_usage_analytics where service_type = 'github'`,
  )
  assert.deepEqual(rows, [
    {
      user_id: user,
      instance_id: 'git_user_00000001_00000a',
      endpoint: 255,
      method: 'tools/call',
      status_code: 404,
      response_time_ms: 42,
      error_message: 'CF13001',
      at_ms: atMs,
    },
  ])
  assert.equal(await rowsOf('columns'), 2500)
  const counted = await platform.admin.query(
    `select usage_count from user_service_instances where service_type = 'slack' and user_id = $1`,
    [user],
  )
  assert.equal(counted.rows[0].usage_count, 2500)
})

test('while the database is gone records wait up to the bound; those beyond are counted, and all others arrive once', async () => {
  const recorder = createUsageRecorder({
    pool: runtime,
    recordsMax: 3_000,
    batchRecordsMax: 200,
    flushMsMax: 5,
    restMsMin: 10,
    restMsMax: 50,
    closeMsMax: 20_000,
  })
  const [user] = platform.users
  const record = (count: number) => {
    for (let call = 0; call < count; call += 1) recorder.record(usageOf(user!, 'slack', { endpoint: 'outage' }))
  }
  record(500)
  await recorder.flush()
  assert.equal(recorder.counts.written, 500)
  proxy.cut()
  record(4_000)
  await recorder.flush()
  assert.deepEqual(
    { ...recorder.counts, failures: 0 },
    {
      recorded: 4500,
      written: 500,
      dropped: 1000,
      refused: 0,
      waiting: 3000,
      failures: 0,
    },
  )
  assert.ok(recorder.counts.failures > 0)
  proxy.restore()
  await recorder.close()
  assert.deepEqual(
    { ...recorder.counts, failures: 0 },
    {
      recorded: 4500,
      written: 3500,
      dropped: 1000,
      refused: 0,
      waiting: 0,
      failures: 0,
    },
  )
  assert.equal(await rowsOf('outage'), 3500)
})

test('a batch whose answer was lost is sent again and counts once', async () => {
  const recorder = createUsageRecorder({ pool: runtime, flushMsMax: 60_000, restMsMin: 60_000, restMsMax: 60_000 })
  const [user] = platform.users
  await runtime.query('select 1')
  for (let call = 0; call < 300; call += 1) recorder.record(usageOf(user!, 'slack', { endpoint: 'lost answer' }))
  // The batch arrives, its answer does not: after 1 byte of it the connection is reset.
  proxy.cutAfterBytes(1)
  await recorder.flush()
  assert.equal(recorder.counts.failures, 1)
  assert.equal(recorder.counts.waiting, 300)
  while ((await rowsOf('lost answer')) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  proxy.restore()
  await recorder.flush()
  assert.equal(recorder.counts.written, 300)
  assert.equal(await rowsOf('lost answer'), 300)
  await recorder.close()
})

test('a record that the database would not have costs no other, and usage of somebody who is gone is left out', async () => {
  const recorder = createUsageRecorder({ pool: runtime, batchRecordsMax: 64, flushMsMax: 1 })
  const [user] = platform.users
  for (let call = 0; call < 100; call += 1)
    recorder.record(usageOf(user!, 'slack', { endpoint: 'bad', ...(call === 37 ? { statusCode: 1e12 } : {}) }))
  recorder.record(usageOf('ffffffff-0000-4000-8000-000000000000' as typeof user & string, 'slack', { endpoint: 'bad' }))
  await recorder.close()
  assert.equal(recorder.counts.refused, 1)
  assert.equal(recorder.counts.written, 100)
  assert.equal(await rowsOf('bad'), 99)
})

test('close gives up at its limit, and counts what it could not write; nothing is taken afterwards', async () => {
  const recorder = createUsageRecorder({ pool: runtime, closeMsMax: 100, restMsMin: 10 })
  const [user] = platform.users
  proxy.blackhole()
  for (let call = 0; call < 10; call += 1) recorder.record(usageOf(user!, 'slack'))
  await recorder.close()
  await recorder.close()
  recorder.record(usageOf(user!, 'slack'))
  assert.equal(recorder.dropped, 11)
  assert.equal(recorder.counts.waiting, 0)
  proxy.restore()
  proxy.cutOnce()
})
