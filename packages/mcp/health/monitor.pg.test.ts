import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type Change, listenToChanges } from '@crossfade/mcp-database/changes.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { guardedConnector } from '../upstream/address-guard.ts'
import { createUsageRecorder } from '../usage/recorder.ts'
import { type TestPlatform, testPlatform, usageOf } from '../usage/testing.ts'
import { healthOverTime } from './history.ts'
import { createHealthMonitor, type HealthMonitor } from './monitor.ts'
import { createProbe, type Probe } from './probe.ts'
import { catalogOf, startUpstream, type TestUpstream } from './testing.ts'

const quick = { attemptRestMs: 1, attemptMsMax: 5_000, askMsMax: 20 }
const github = 'github' as ServiceType
const slack = 'slack' as ServiceType

let platform: TestPlatform
let upstream: TestUpstream
let other: TestUpstream
let probe: Probe

before(async () => {
  platform = await testPlatform(1, ['github', 'slack', 'figma'])
  // Nobody uses figma.
  await platform.admin.query(`delete from user_service_instances where service_type = 'figma'`)
  upstream = await startUpstream()
  other = await startUpstream()
  probe = createProbe(guardedConnector({ allowedPrivateHosts: [upstream.host, other.host] }))
})
beforeEach(async () => {
  upstream.answer = 200
  other.answer = 200
  upstream.requests.length = 0
  other.requests.length = 0
  await platform.admin.query('delete from service_usage_analytics')
  await platform.admin.query('delete from service_health_hourly')
  await platform.admin.query(
    `update service_health_status set is_healthy = true, consecutive_failures = 0, response_time_ms = null, error_message = null`,
  )
})
after(async () => {
  await probe.close()
  await upstream.close()
  await other.close()
  await platform.close()
})

interface Row {
  is_healthy: boolean
  error_message: string | null
  consecutive_failures: number
  uptime_percentage: string
  response_time_ms: number | null
}

async function status(serviceType: string): Promise<Row> {
  const { rows } = await platform.admin.query<Row>(
    `select is_healthy, error_message, consecutive_failures, uptime_percentage, response_time_ms
     from service_health_status where service_type = $1`,
    [serviceType],
  )
  return rows[0]!
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('SI-13 a check retries, tells what failed without a word of the upstream, counts failures and uptime, and workers hear of changes', async () => {
  const changes: Change[] = []
  const listener = await listenToChanges(
    platform.urls.runtime,
    (change) => changes.push(change),
    () => undefined,
  )
  const options = {
    pool: platform.keeper,
    catalog: () => catalogOf({ github: `${upstream.url}/v1?key=hidden` }),
    probe,
    enabled: false,
    ...quick,
  }
  const monitor = createHealthMonitor(options)
  const impatient = createHealthMonitor({ ...options, attemptMsMax: 100 })
  await monitor.checkNow(github)
  assert.deepEqual([(await status('github')).is_healthy, (await status('github')).uptime_percentage], [true, '100.00'])
  assert.equal(upstream.requests.length, 1)
  assert.equal(upstream.requests[0]!.headers['authorization'], undefined)
  upstream.answer = 404
  await monitor.checkNow(github)
  assert.equal((await status('github')).is_healthy, true, 'every answer below 500 is healthy')
  upstream.answer = 503
  upstream.requests.length = 0
  await monitor.checkNow(github)
  assert.equal(upstream.requests.length, 3, 'three attempts')
  await monitor.checkNow(github)
  let row = await status('github')
  assert.deepEqual(
    [row.is_healthy, row.consecutive_failures, row.error_message, row.uptime_percentage],
    [false, 2, 'answered 503', '50.00'],
  )
  assert.ok(row.response_time_ms !== null)
  upstream.answer = 'nothing'
  await impatient.checkNow(github)
  await impatient.close()
  assert.equal((await status('github')).error_message, 'no answer within 100 ms')
  upstream.answer = 'reset'
  await monitor.checkNow(github)
  row = await status('github')
  assert.match(row.error_message!, /^no answer: (ECONNRESET|UND_ERR_SOCKET)$/)
  assert.equal(row.consecutive_failures, 4)
  upstream.answer = 200
  await monitor.checkNow(github)
  row = await status('github')
  assert.deepEqual([row.is_healthy, row.consecutive_failures, row.error_message], [true, 0, null])
  assert.equal(row.uptime_percentage, '42.86')
  const hours = await healthOverTime(platform.keeper, github, { fromMs: Date.now() - 7_200_000, toMs: Date.now() })
  assert.equal(
    hours.reduce((sum, { checks }) => sum + checks, 0),
    7,
  )
  assert.equal(
    hours.reduce((sum, { failures }) => sum + failures, 0),
    4,
  )
  await until(() => changes.length >= 2)
  assert.deepEqual(changes, [
    { kind: 'service', serviceType: 'github' },
    { kind: 'service', serviceType: 'github' },
  ])
  await assert.rejects(monitor.checkNow('nothing' as ServiceType), { code: 'CF14510' })
  await monitor.close()
  await listener.close()
})

test('SI-13 services that somebody uses are watched while they go down and come back; others are left alone', async () => {
  const seen: [string, boolean][] = []
  const monitor = createHealthMonitor({
    pool: platform.keeper,
    catalog: () => catalogOf({ github: upstream.url, slack: other.url, figma: `${other.url}/figma` }),
    probe,
    intervals: { usedMs: 20, unusedMs: 3_600_000 },
    onChanged: (serviceType, { healthy }) => seen.push([serviceType, healthy]),
    ...quick,
  })
  await until(() => upstream.requests.length > 3 && other.requests.length > 3)
  upstream.answer = 500
  await until(() => seen.length === 1)
  await until(async () => (await status('github')).consecutive_failures >= 3)
  assert.equal((await status('slack')).is_healthy, true)
  upstream.answer = 200
  await until(() => seen.length === 2)
  assert.deepEqual(seen, [
    ['github', false],
    ['github', true],
  ])
  assert.ok(other.requests.every(({ url }) => url !== '/figma'))
  await monitor.close()
})

test('M01 of several processes one checks, and another one takes over when its connection is lost', async () => {
  const pools = [1, 2, 3].map((number) =>
    openPool(platform.urls.keeper, { applicationName: `test monitor ${number}`, connectionsMax: 3 }),
  )
  const monitors: HealthMonitor[] = pools.map((pool) =>
    createHealthMonitor({
      pool,
      catalog: () => catalogOf({ github: upstream.url }),
      probe,
      intervals: { usedMs: 50, unusedMs: 50 },
      ...quick,
    }),
  )
  const leaders = () => monitors.filter((monitor) => monitor.leads)
  await until(() => leaders().length === 1)
  for (let change = 0; change < 3; change += 1) {
    const [leader] = leaders()
    await platform.admin.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = 1402 and objid = 1 and granted`,
    )
    await until(() => !leader!.leads)
    await until(() => leaders().length === 1)
    const { rows } = await platform.admin.query(
      `select count(*)::integer as count from pg_locks where locktype = 'advisory' and classid = 1402 and objid = 1 and granted`,
    )
    assert.equal(rows[0].count, 1)
  }
  for (const monitor of monitors) await monitor.close()
  for (const pool of pools) await pool.end()
})

test('a worker whose calls fail makes the one that checks look at once, and real calls count as checks', async () => {
  const monitor = createHealthMonitor({
    pool: platform.keeper,
    catalog: () => catalogOf({ github: upstream.url, slack: other.url }),
    probe,
    intervals: { usedMs: 3_600_000, unusedMs: 3_600_000 },
    ...quick,
  })
  await until(() => monitor.leads)
  upstream.answer = 502
  await until(async () => {
    monitor.suspect(github)
    await new Promise((resolve) => setTimeout(resolve, 20))
    return !(await status('github')).is_healthy
  })
  assert.equal(other.requests.length, 0)
  await monitor.close()

  const runtime = openPool(platform.urls.runtime, { applicationName: 'test runtime', connectionsMax: 1 })
  const recorder = createUsageRecorder({ pool: runtime })
  for (let call = 0; call < 5; call += 1)
    recorder.record(usageOf(platform.users[0]!, 'slack', { responseTimeMs: 33, atMs: Date.now() + 2_000 }))
  await recorder.close()
  await runtime.end()
  await platform.admin.query(
    `update service_health_status set is_healthy = false, consecutive_failures = 2 where service_type = 'slack'`,
  )
  const next = createHealthMonitor({
    pool: platform.keeper,
    catalog: () => catalogOf({ slack: other.url }),
    probe,
    intervals: { usedMs: 3_600_000, unusedMs: 3_600_000 },
    ...quick,
  })
  await until(async () => (await status('slack')).is_healthy)
  assert.equal((await status('slack')).response_time_ms, 33)
  assert.equal(other.requests.length, 0, 'nobody had to ask')
  await next.close()
})

test('without a way out nothing is told of any service, and hardly anything is asked', async () => {
  let asked = 0
  const cutOff: Probe = {
    ask: (url, signal) => {
      asked += 1
      return probe.ask(url, signal)
    },
    close: () => Promise.resolve(),
  }
  const names = Object.fromEntries(['github', 'slack', 'figma'].map((name) => [name, `http://${name}.invalid`]))
  const monitor = createHealthMonitor({
    pool: platform.keeper,
    catalog: () => catalogOf(names),
    probe: cutOff,
    intervals: { usedMs: 1, unusedMs: 1 },
    ...quick,
  })
  await until(() => monitor.offline)
  const then = asked
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.ok(asked - then <= 12, 'what was under way ends, and nothing begins')
  for (const name of Object.keys(names)) assert.equal((await status(name)).error_message, null)
  await monitor.close()
})

test('a service that can not be reached while others can is told as down', async () => {
  const monitor = createHealthMonitor({
    pool: platform.keeper,
    catalog: () => catalogOf({ github: 'http://github.invalid', slack: other.url }),
    probe,
    enabled: false,
    ...quick,
  })
  await monitor.checkNow(github)
  assert.match((await status('github')).error_message!, /^no answer: (ENOTFOUND|EAI_AGAIN|CF13310)$/)
  assert.equal(other.requests.length, 1, 'the other one was asked as a witness')
  assert.equal(monitor.offline, false)
  await monitor.checkNow(slack)
  assert.equal((await status('slack')).is_healthy, true)
  await monitor.close()
})
