import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { Pool } from 'pg'
import { writeHealth } from '../health/store.ts'
import { guardedConnector } from '../upstream/address-guard.ts'
import { createUsageRecorder } from '../usage/recorder.ts'
import { type TestPlatform, testPlatform, usageOf } from '../usage/testing.ts'
import { lookOnce, tell, watchAlerts } from './alerts.ts'
import { defaultAlertRules } from './rules.ts'
import { type AlertMessage, type AlertReceiver, webhook } from './webhook.ts'
import { reportWorkerSignals } from './worker-signals.ts'

const signal = new AbortController().signal
let platform: TestPlatform
let runtime: Pool
let server: Server
let host: string
let answer = 204
let posted: AlertMessage[] = []
let receiver: AlertReceiver

before(async () => {
  platform = await testPlatform(6, ['github', 'slack'])
  runtime = openPool(platform.urls.runtime, { applicationName: 'test runtime', connectionsMax: 1 })
  server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (text) => {
      body += text
    })
    request.on('end', () => {
      if (answer < 300) posted.push(JSON.parse(body) as AlertMessage)
      response.writeHead(answer).end('thanks')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  receiver = webhook(`http://${host}/hook/s3cr3t`, guardedConnector({ allowedPrivateHosts: [host] }))
})
beforeEach(async () => {
  answer = 204
  posted = []
  for (const table of ['mcp_alerts', 'mcp_worker_signals', 'service_usage_analytics'])
    await platform.admin.query(`delete from ${table}`)
})
after(async () => {
  await receiver.close()
  server.closeAllConnections()
  server.close()
  await runtime.end()
  await platform.close()
})

async function look(nowMs: number): Promise<string[]> {
  await lookOnce({ pool: platform.keeper, receiver }, nowMs)
  await tell({ pool: platform.keeper, receiver }, nowMs, signal)
  return posted.splice(0).map(({ state, rule, subject, text }) => `${state} ${rule} ${subject}: ${text}`)
}

test('SI-13 a service that stays down is told once, and once more when it is back', async () => {
  const [github] = platform.services
  const startMs = Date.now()
  const down = { healthy: false, responseTimeMs: 5, reason: 'answered 503', unreachable: false } as const
  const at = (minute: number) => startMs + minute * 60_000
  for (const minute of [0, 1, 2, 3, 4]) {
    await writeHealth(platform.keeper, [{ serviceType: github!, check: down, atMs: at(minute) }])
    assert.deepEqual(await look(at(minute)), [])
  }
  await writeHealth(platform.keeper, [{ serviceType: github!, check: down, atMs: at(5) }])
  assert.deepEqual(await look(at(5)), [
    'open service_unhealthy github: github has failed its last 6 checks: answered 503.',
  ])
  await writeHealth(platform.keeper, [{ serviceType: github!, check: down, atMs: at(6) }])
  assert.deepEqual(await look(at(6)), [])
  await writeHealth(platform.keeper, [
    { serviceType: github!, check: { healthy: true, responseTimeMs: 5, statusCode: 200 }, atMs: at(7) },
  ])
  assert.match((await look(at(7))).join(), /^closed service_unhealthy github/)
  assert.deepEqual(await look(at(8)), [])
})

test('failing calls, dropped usage, credentials to renew and open breakers are told', async () => {
  const recorder = createUsageRecorder({ pool: runtime })
  for (let call = 0; call < 60; call += 1) {
    recorder.record(usageOf(platform.users[0]!, 'github', { statusCode: call % 2 === 0 ? 503 : 200 }))
    recorder.record(usageOf(platform.users[0]!, 'slack', { statusCode: 404, errorCode: 'CF13001' }))
  }
  await recorder.close()
  let breakers: string[] = ['slack']
  let dropped = 7
  const signals = reportWorkerSignals({ pool: runtime, dropped: () => dropped, openBreakers: () => breakers })
  await signals.report()
  dropped = 10
  await signals.report()
  await platform.admin.query(
    `update user_service_instances set credential_state = 'needs_authorization' where service_type = 'slack' and user_id <> $1`,
    [platform.users[0]],
  )
  const nowMs = Date.now()
  assert.deepEqual((await look(nowMs + 1_000)).sort(), [
    'open error_rate github: 50 % of 60 calls to github failed within 10 minutes.',
    'open needs_authorization slack: 5 users must connect slack again.',
    'open usage_dropped platform: 10 records of usage were dropped.',
  ])
  await platform.admin.query(`update mcp_worker_signals set value = value - 6 * 60000 where signal = 'breaker_open'`)
  assert.deepEqual(await look(nowMs + 2_000), [
    'open breaker_open slack: slack has been left alone for 6 minutes, by 1 workers.',
  ])
  breakers = []
  await signals.close()
  assert.match((await look(nowMs + 3_000)).join(), /^closed breaker_open slack/)
})

test('a receiver that is away is told later, in order, without its address in any trouble; one on a private address is never asked', async () => {
  const rules = defaultAlertRules.filter(({ kind }) => kind === 'needs_authorization')
  const options = { pool: platform.keeper, rules, receiver }
  const set = (state: string) =>
    platform.admin.query(`update user_service_instances set credential_state = $1`, [state])
  await set('needs_authorization')
  answer = 500
  await lookOnce(options, 1_000)
  await tell(options, 1_000, signal)
  await set('active')
  await lookOnce(options, 2_000)
  await tell(options, 2_000, signal)
  assert.deepEqual(posted, [])
  const { rows } = await platform.admin.query('select distinct last_trouble from mcp_alerts where open_tries > 0')
  assert.deepEqual(rows, [{ last_trouble: 'The receiver of alerts did not take one: it answered 500.' }])
  answer = 200
  await tell(options, 3_000, signal)
  assert.deepEqual(
    posted.map(({ state, subject, at }) => `${state} ${subject} ${String(at).slice(17, 19)}`),
    ['open github 01', 'open slack 01', 'closed github 02', 'closed slack 02'],
  )
  const guarded = webhook(`http://${host}/`, guardedConnector())
  await assert.rejects(guarded.send(posted[0]!, signal), {
    code: 'CF14520',
    message: 'The receiver of alerts did not take one: CF13310.',
  })
  await guarded.close()
})

test('a receiver that comes late is told what is open and what closed within a day, not the history', async () => {
  const nowMs = Date.now()
  const hoursAgo = (hours: number | null) => (hours === null ? null : new Date(nowMs - hours * 3_600_000))
  for (const [subject, opened, closed] of [
    ['open for long', 1000, null],
    ['closed lately', 30, 23],
    ['history', 1000, 25],
  ] as const)
    await platform.admin.query(
      `insert into mcp_alerts (rule, subject, severity, text, opened_at, closed_at) values ('r', $1, 'info', 't', $2, $3)`,
      [subject, hoursAgo(opened), hoursAgo(closed)],
    )
  await tell({ pool: platform.keeper, receiver }, nowMs, signal)
  assert.deepEqual(
    posted.map(({ state, subject }) => `${state} ${subject}`),
    ['open open for long', 'open closed lately', 'closed closed lately'],
  )
})

test('watching tells by itself, and several that watch tell once', async () => {
  await platform.admin.query(`update user_service_instances set credential_state = 'needs_authorization'`)
  const watchers = [1, 2].map(() => watchAlerts({ pool: platform.keeper, receiver, lookMs: 10 }))
  while (posted.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 50))
  for (const watcher of watchers) await watcher.close()
  assert.deepEqual(posted.map(({ subject }) => subject).sort(), ['github', 'slack'])
  await platform.admin.query(`update user_service_instances set credential_state = 'active'`)
})
