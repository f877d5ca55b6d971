import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { Clock } from '@crossfade/model/clock.ts'
import { usageTotals } from '../usage/queries.ts'
import { createUsageRecorder } from '../usage/recorder.ts'
import { type TestPlatform, testPlatform, usageOf } from '../usage/testing.ts'
import { type Job, maintenanceJobs } from './jobs.ts'
import { runJobs, startKeeper } from './keeper.ts'

const dayMs = 86_400_000
let platform: TestPlatform
before(async () => {
  platform = await testPlatform(1, ['github'])
})
after(() => platform.close())

interface Simulated {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** How often it was slept. */
  slept: number
}

/** Sleeps by moving on; aborts when `untilMs` is reached, and when it is slept without end. */
function simulated(startMs: number, untilMs: number): Simulated {
  const end = new AbortController()
  let now = startMs
  const sleep = (ms: number) => {
    now += ms
    simulation.slept += 1
    if (now >= untilMs || simulation.slept > 100_000) end.abort()
    return Promise.resolve()
  }
  const simulation: Simulated = { clock: { now: () => now, sleep }, signal: end.signal, slept: 0 }
  return simulation
}

async function runs(task: string): Promise<number> {
  const { rows } = await platform.admin.query('select count(*)::integer as count from retention_runs where task = $1', [
    task,
  ])
  return rows[0].count
}

test('SI-05 over eight months old usage is dropped monthly and expired validations daily, each clean-up logged', async () => {
  const startMs = Date.UTC(2026, 10, 20, 12)
  const untilMs = Date.UTC(2027, 6, 20, 12)
  const { clock, signal } = simulated(startMs, untilMs)
  const jobs = maintenanceJobs().filter(({ period }) => period.kind !== 'every')
  await runJobs({ pool: platform.keeper, jobs, clock }, signal)
  // At once, because nobody did it before; then on each first of December to July.
  assert.equal(await runs('drop_old_usage'), 1 + 8)
  assert.equal(await runs('drop_old_rollups'), 1 + 8)
  // At once, then at two in the morning of every day.
  assert.equal(await runs('cleanup_validation_cache'), 1 + (untilMs - startMs) / dayMs)
})

test('SI-05 rows older than six months go with their partition, the roll-up stays, and expired cache rows go', async () => {
  const nowMs = Date.now()
  const [user] = platform.users
  const runtime = openPool(platform.urls.runtime, { applicationName: 'test runtime', connectionsMax: 1 })
  const recorder = createUsageRecorder({ pool: runtime })
  for (let month = 0; month < 12; month += 1)
    recorder.record(usageOf(user!, 'github', { atMs: nowMs - month * 30 * dayMs, responseTimeMs: 40 }))
  await recorder.close()
  await runtime.end()
  await platform.admin.query(
    `insert into api_key_validation_cache (user_id, service_type, key_hash, is_valid, expires_at)
     values ($1, 'github', 'old', true, now() - interval '1 minute'), ($1, 'github', 'new', true, now() + interval '1 hour')`,
    [user],
  )
  await platform.admin.query(
    `insert into sessions (user_id, token, expires_at) values ($1, 'old', now() - interval '2 days')`,
    [user],
  )
  await platform.admin.query('delete from maintenance_jobs')
  const { clock, signal } = simulated(nowMs, nowMs + 1)
  await runJobs({ pool: platform.keeper, clock }, signal)

  const { rows: left } = await platform.admin.query(
    'select min("timestamp") as oldest, count(*)::integer as count from service_usage_analytics',
  )
  assert.ok(left[0].count >= 6 && left[0].count <= 8, `${left[0].count} of 12 are left`)
  assert.ok(left[0].oldest.getTime() > nowMs - 7.1 * 30.5 * dayMs)
  const { rows: empty } = await platform.admin.query(
    'select count(*)::integer as count from service_usage_analytics_default',
  )
  assert.equal(empty[0].count, 0, 'what had no partition got one')
  const { rows: ahead } = await platform.admin.query(
    `select count(*)::integer as count from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'service_usage_analytics'::regclass and c.relname > 'service_usage_analytics_' || to_char(now(), '"y"YYYY"m"MM')`,
  )
  assert.equal(ahead[0].count, 3, 'three months ahead')
  const { rows: cached } = await platform.admin.query('select key_hash from api_key_validation_cache')
  assert.deepEqual(cached, [{ key_hash: 'new' }])
  const { rows: sessions } = await platform.admin.query(`select 1 from sessions where token = 'old'`)
  assert.equal(sessions.length, 0)
  for (const task of [
    'drop_old_usage',
    'cleanup_validation_cache',
    'drop_expired_authorizations',
    'drop_old_counts',
    'drop_old_rollups',
  ])
    assert.ok((await runs(task)) >= 1, task)

  const api = openPool(platform.urls.api, { applicationName: 'test api', connectionsMax: 1 })
  const token = await platform.session(user!)
  const totals = await asUser(api, { kind: 'session', token }, (client) =>
    usageTotals(client, { fromMs: nowMs - 400 * dayMs, toMs: nowMs + dayMs }),
  )
  assert.equal(totals.calls, 12, 'the roll-up remembers what was dropped')
  await api.end()
})

test('a keeper that was away does what it missed once; a job that fails is told, tried again, and holds up no other', async () => {
  const log: [string, number][] = []
  const troubles: string[] = []
  let broken = true
  const jobs: Job[] = [
    {
      name: 'fails at first',
      period: { kind: 'daily', minute: 0 },
      run: async (_pool, nowMs) => {
        log.push(['fails at first', nowMs])
        if (broken) throw new Error('the disk is full')
      },
    },
    {
      name: 'monthly',
      period: { kind: 'monthly', minute: 0 },
      run: async (_pool, nowMs) => {
        log.push(['monthly', nowMs])
      },
    },
  ]
  const options = {
    pool: platform.keeper,
    jobs,
    onTrouble: (job: string, reason: string) => troubles.push(`${job}: ${reason}`),
  }
  const startMs = Date.UTC(2026, 2, 10, 5)
  const first = simulated(startMs, startMs + 12 * 60_000)
  await runJobs({ ...options, clock: first.clock }, first.signal)
  assert.deepEqual(log, [
    ['fails at first', startMs],
    ['monthly', startMs],
    ['fails at first', startMs + 5 * 60_000],
    ['fails at first', startMs + 10 * 60_000],
  ])
  assert.deepEqual(new Set(troubles), new Set(['fails at first: the disk is full']))
  broken = false
  log.length = 0
  // Three months later.
  const laterMs = Date.UTC(2026, 5, 10, 5)
  const second = simulated(laterMs, laterMs + dayMs)
  await runJobs({ ...options, clock: second.clock }, second.signal)
  assert.deepEqual(log, [
    ['fails at first', laterMs],
    ['monthly', laterMs],
    ['fails at first', Date.UTC(2026, 5, 11)],
  ])
})

test('a job that works again after a failure lets the keeper sleep until the next is due', async () => {
  let runs = 0
  const jobs: Job[] = [
    {
      name: 'fails once',
      period: { kind: 'daily', minute: 0 },
      run: async () => {
        runs += 1
        if (runs === 1) throw new Error('the disk is full')
      },
    },
  ]
  const startMs = Date.UTC(2026, 2, 10, 5)
  const simulation = simulated(startMs, startMs + dayMs)
  await runJobs({ pool: platform.keeper, jobs, clock: simulation.clock }, simulation.signal)
  assert.equal(runs, 3, 'failed, tried again, and on the next day')
  // A look every quarter of an hour, and those of the two jobs.
  assert.ok(simulation.slept <= 24 * 4 + 3, `slept ${simulation.slept} times`)
})

test('what a wrong clock said was done in the future is done', async () => {
  const nowMs = Date.UTC(2026, 2, 10, 5)
  await platform.admin.query(`insert into maintenance_jobs (job, started_at, finished_at) values ('ahead', $1, $1)`, [
    new Date(nowMs + 400 * dayMs).toISOString(),
  ])
  let runs = 0
  const jobs: Job[] = [{ name: 'ahead', period: { kind: 'monthly', minute: 0 }, run: async () => (runs += 1) }]
  const { clock, signal } = simulated(nowMs, nowMs + dayMs)
  await runJobs({ pool: platform.keeper, jobs, clock }, signal)
  assert.equal(runs, 1)
})

test('of two keepers one works', async () => {
  let ran = 0
  const jobs: Job[] = [{ name: 'once', period: { kind: 'monthly', minute: 0 }, run: async () => (ran += 1) }]
  const keepers = [1, 2].map(() => startKeeper({ pool: platform.keeper, jobs }))
  while (ran === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(keepers.filter((keeper) => keeper.leads).length, 1)
  for (const keeper of keepers) await keeper.close()
  assert.equal(ran, 1)
})
