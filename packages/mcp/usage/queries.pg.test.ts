import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import type { Pool } from 'pg'
import {
  recentErrors,
  type UsageDatabase,
  type UsageSummary,
  usageByEndpoint,
  usageByService,
  usageOverTime,
  usageTotals,
} from './queries.ts'
import { createUsageRecorder } from './recorder.ts'
import { rollUpUsage } from './roll-up.ts'
import { type TestPlatform, testPlatform, usageOf } from './testing.ts'
import type { UsageRecord } from './usage.ts'

const hourMs = 3_600_000
/** The documented error of a percentile, and the half millisecond that rounding to whole milliseconds costs. */
const errorMax = 0.0244
const nowMs = Math.floor(Date.now() / hourMs) * hourMs + hourMs / 2

let platform: TestPlatform
let api: Pool
let runtime: Pool

before(async () => {
  platform = await testPlatform(3, ['github', 'slack'])
  api = openPool(platform.urls.api, { applicationName: 'test api', connectionsMax: 2 })
  runtime = openPool(platform.urls.runtime, { applicationName: 'test runtime', connectionsMax: 2 })
})
after(async () => {
  await api.end()
  await runtime.end()
  await platform.close()
})

async function write(records: readonly UsageRecord[]): Promise<void> {
  const recorder = createUsageRecorder({ pool: runtime, recordsMax: 100_000 })
  for (const record of records) recorder.record(record)
  await recorder.close()
  assert.equal(recorder.counts.written, records.length)
}

async function seenBy<T>(user: number, work: (database: UsageDatabase) => Promise<T>): Promise<T> {
  return asUser(api, { kind: 'session', token: await platform.session(platform.users[user]!) }, (client) =>
    work(client),
  )
}

function summaryOf(records: readonly UsageRecord[]): UsageSummary {
  const times = records.map(({ responseTimeMs }) => responseTimeMs).sort((left, right) => left - right)
  const at = (share: number) => times[Math.max(0, Math.ceil(share * times.length) - 1)] ?? null
  return {
    calls: records.length,
    errors: records.filter(({ statusCode, errorCode }) => statusCode >= 400 || errorCode !== null).length,
    meanMs: times.length === 0 ? null : times.reduce((sum, ms) => sum + ms, 0) / times.length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
  }
}

function assertSummary(told: UsageSummary, records: readonly UsageRecord[], what: string): void {
  const exact = summaryOf(records)
  assert.equal(told.calls, exact.calls, what)
  assert.equal(told.errors, exact.errors, what)
  if (exact.meanMs === null) return assert.equal(told.meanMs, null)
  assert.ok(
    Math.abs(told.meanMs! - exact.meanMs) < 1e-6 * exact.meanMs + 1e-9,
    `${what}: mean ${told.meanMs}, exactly ${exact.meanMs}`,
  )
  for (const name of ['p50Ms', 'p95Ms', 'p99Ms'] as const) {
    const off = Math.abs(told[name]! - exact[name]!)
    assert.ok(off <= errorMax * exact[name]! + 1e-9, `${what}: ${name} ${told[name]}, exactly ${exact[name]}`)
  }
}

test('percentiles are within the documented error, and the same question has the same answer before and after the roll-up', async () => {
  const seed = testSeed()
  const random = seededRandom(seed)
  const records = Array.from({ length: 6_000 }, (): UsageRecord => {
    const service = random() < 0.7 ? 'github' : 'slack'
    // From 0 to some minutes, most of them short: as times of upstreams are.
    const responseTimeMs = Math.floor(Math.exp(random() * 12) - 1)
    const failed = random() < 0.1
    return usageOf(platform.users[0]!, service, {
      endpoint: `tool_${Math.floor(random() * 5)}`,
      responseTimeMs,
      statusCode: failed ? (random() < 0.5 ? 503 : 0) : 200,
      errorCode: failed ? 'CF13001' : null,
      atMs: nowMs - Math.floor(random() * 80 * hourMs),
    })
  })
  await write(records)
  await write([usageOf(platform.users[1]!, 'github', { endpoint: 'tool_1', responseTimeMs: 7, atMs: nowMs - hourMs })])
  const range = { fromMs: nowMs - 90 * hourMs, toMs: nowMs + hourMs }
  const look = () =>
    seenBy(0, async (database) => ({
      totals: await usageTotals(database, range),
      services: await usageByService(database, range),
      tools: await usageByEndpoint(database, { ...range, serviceType: platform.services[0]! }),
      hours: await usageOverTime(database, range, 'hour'),
      days: await usageOverTime(database, range, 'day'),
    }))
  const before = await look()
  assertSummary(before.totals, records, `seed ${seed}: all`)
  assert.deepEqual(
    before.services.map(({ serviceType }) => serviceType),
    ['github', 'slack'],
  )
  for (const { serviceType, ...told } of before.services)
    assertSummary(
      told,
      records.filter((record) => record.serviceType === serviceType),
      `seed ${seed}: ${serviceType}`,
    )
  assert.equal(before.tools.length, 5)
  for (const { endpoint, ...told } of before.tools)
    assertSummary(
      told,
      records.filter((one) => one.serviceType === 'github' && one.endpoint === endpoint),
      endpoint,
    )
  assert.equal(before.hours.length, 92, 'no hour is left out')
  for (const { atMs, ...told } of before.hours)
    assertSummary(
      told,
      records.filter((one) => one.atMs >= atMs && one.atMs < atMs + hourMs),
      `hour ${atMs}`,
    )
  for (const { atMs, ...told } of before.days)
    assertSummary(
      told,
      records.filter((one) => one.atMs >= atMs && one.atMs < atMs + 24 * hourMs),
      `day ${atMs}`,
    )

  assert.ok((await rollUpUsage(platform.keeper, nowMs)) >= 80)
  const { rows } = await platform.admin.query('select count(*)::integer as left from usage_hours_to_roll')
  assert.ok(rows[0].left <= 1, 'all hours but the one that is not over')
  assert.deepEqual(await look(), before)

  const late = usageOf(platform.users[0]!, 'slack', { responseTimeMs: 90, atMs: nowMs - 20 * hourMs })
  await write([late])
  assertSummary((await look()).totals, [...records, late], 'a record that came late counts at once')
  assert.equal(await rollUpUsage(platform.keeper, nowMs), 1)
  assertSummary((await look()).totals, [...records, late], 'and after the next roll-up')
})

test('SI-14 a user sees no usage of anybody else, in rows and in roll-ups', async () => {
  const range = { fromMs: nowMs - 90 * hourMs, toMs: nowMs + hourMs }
  assert.equal((await seenBy(1, (database) => usageTotals(database, range))).calls, 1)
  assert.equal((await seenBy(2, (database) => usageTotals(database, range))).calls, 0)
  assert.deepEqual(await seenBy(2, (database) => usageByService(database, range)), [])
  assert.deepEqual(await seenBy(2, (database) => recentErrors(database, range, 10)), [])
  const nobody = await api.query('select count(*)::integer as count from usage_hourly')
  assert.equal(nobody.rows[0].count, 0, 'a connection that acts for nobody sees nothing')
})

test('the latest failed calls are told, with what a person needs to look further', async () => {
  const user = platform.users[2]!
  await write([
    usageOf(user, 'slack', { endpoint: 'post', statusCode: 0, errorCode: 'CF13001', atMs: nowMs - 3_000 }),
    usageOf(user, 'slack', { endpoint: 'post', atMs: nowMs - 2_000 }),
    usageOf(user, 'github', { endpoint: 'get', statusCode: 404, responseTimeMs: 8, atMs: nowMs - 1_000 }),
  ])
  const range = { fromMs: nowMs - hourMs, toMs: nowMs + hourMs }
  const failed = await seenBy(2, (database) => recentErrors(database, range, 10))
  assert.deepEqual(
    failed.map(({ atMs, endpoint, statusCode, errorCode }) => [atMs, endpoint, statusCode, errorCode]),
    [
      [nowMs - 1_000, 'get', 404, null],
      [nowMs - 3_000, 'post', 0, 'CF13001'],
    ],
  )
  const ofSlack = await seenBy(2, (database) =>
    recentErrors(database, { ...range, serviceType: platform.services[1]! }, 1),
  )
  assert.deepEqual(
    ofSlack.map(({ endpoint }) => endpoint),
    ['post'],
  )
})

test('writers and the roll-up at the same time lose nothing', async () => {
  const user = platform.users[1]!
  const atMs = nowMs - 5 * hourMs
  const before = (await seenBy(1, (database) => usageTotals(database, { fromMs: atMs, toMs: atMs + 1 }))).calls
  let rolling = true
  const roller = (async () => {
    while (rolling) await rollUpUsage(platform.keeper, nowMs)
  })()
  const recorders = [0, 1].map(() => createUsageRecorder({ pool: runtime, batchRecordsMax: 10, flushMsMax: 1 }))
  for (let call = 0; call < 300; call += 1) {
    for (const recorder of recorders) recorder.record(usageOf(user, 'github', { atMs }))
    if (call % 20 === 0) await Promise.all(recorders.map((recorder) => recorder.flush()))
  }
  await Promise.all(recorders.map((recorder) => recorder.close()))
  rolling = false
  await roller
  await rollUpUsage(platform.keeper, nowMs)
  const { rows } = await platform.admin.query('select 1 from usage_hours_to_roll where hour < $1', [new Date(atMs)])
  assert.equal(rows.length, 0)
  const told = await seenBy(1, (database) => usageTotals(database, { fromMs: atMs, toMs: atMs + 1 }))
  assert.equal(told.calls, before + 600)
})
