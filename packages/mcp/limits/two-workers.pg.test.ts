import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import { instanceOf, type TestPlatform, testPlatform } from '../usage/testing.ts'
import { createCallLimits } from './call-limits.ts'
import { createQuotaStore } from './postgres-quotas.ts'
import { quotaUse } from './quota-use.ts'
import { limitSettings, noLimits } from './settings.ts'
import { sessionOf } from './testing.ts'

let platform: TestPlatform
before(async () => {
  platform = await testPlatform(2, ['github'])
})
after(() => platform.close())

const dayMax = 1_000
const roundCalls = 40

test('two processes share the quota of a day, and overshoot it by less than what one admits between two reports', async () => {
  const script = fileURLToPath(new URL('./fixtures/quota-worker.ts', import.meta.url))
  const workers = [1, 2].map(() =>
    fork(script, [], {
      env: {
        ...process.env,
        RUNTIME_URL: platform.urls.runtime,
        DAY_MAX: String(dayMax),
        ROUND_CALLS: String(roundCalls),
      },
    }),
  )
  try {
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    const admitted = await Promise.all(
      workers.map(async (worker) => {
        worker.send('go')
        const [message] = (await once(worker, 'message')) as [{ admitted: number }]
        return message.admitted
      }),
    )
    const total = admitted[0]! + admitted[1]!
    assert.ok(admitted[0]! > 0 && admitted[1]! > 0, `${admitted} admitted`)
    assert.ok(total >= dayMax, `${admitted} admitted`)
    assert.ok(total <= dayMax + 2 * roundCalls, `${admitted} admitted`)
    const { rows } = await platform.admin.query(
      `select calls::integer from quota_counters where scope = 'instance' and key like 'git_user_00000001_%6'`,
    )
    assert.deepEqual(rows, [{ calls: total }], 'every admitted call is counted, once')
  } finally {
    for (const worker of workers) worker.kill('SIGKILL')
  }
})

test('a worker that starts later hears of the use so far with its first report', async () => {
  const settings = limitSettings({ user: { callsPerMonthMax: 10 } }, noLimits)
  const pool = openPool(platform.urls.runtime, { applicationName: 'test quotas', connectionsMax: 1 })
  const session = sessionOf(7, 'slack')
  for (let worker = 0; worker < 3; worker += 1) {
    const limits = createCallLimits({ settings, quotas: createQuotaStore(pool), reportMsMax: 3_600_000 })
    let admitted = 0
    for (let round = 0; round < 20; round += 1) {
      if (limits.admit(session).admitted) admitted += 1
      await limits.report()
    }
    // Nobody knows the use of a key that was not asked for yet: one call goes through before the first report.
    assert.equal(admitted, worker === 0 ? 10 : 1)
    await limits.close()
  }
  await pool.end()
})

test('SI-14 a user is told what of the quotas is used up, and nothing of anybody else', async () => {
  const settings = limitSettings({ user: { callsPerMonthMax: 100 }, instance: { callsPerDayMax: 10 } }, noLimits)
  const pool = openPool(platform.urls.runtime, { applicationName: 'test quotas', connectionsMax: 1 })
  const api = openPool(platform.urls.api, { applicationName: 'test api', connectionsMax: 1 })
  const limits = createCallLimits({ settings, quotas: createQuotaStore(pool) })
  const [mine, other] = platform.users as [UserId, UserId]
  const session = (user: UserId) => ({
    ...sessionOf(1, 'github'),
    userId: user,
    instanceId: instanceOf(user, 'github'),
  })
  for (let call = 0; call < 3; call += 1) limits.admit(session(mine))
  limits.admit(session(other))
  const nowMs = Date.now()
  await limits.close()
  const use = await asUser(api, { kind: 'session', token: await platform.session(mine) }, (client) =>
    quotaUse(client, nowMs),
  )
  assert.deepEqual(
    use.map(({ scope, key, window, calls }) => [scope, key, window, calls]),
    [
      ['user', mine, 'month', 3],
      ['instance', instanceOf(mine, 'github'), 'day', 3],
    ],
  )
  assert.ok(use.every(({ endsMs }) => endsMs > nowMs))
  await api.end()
  await pool.end()
})
