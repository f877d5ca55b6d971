import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import type { InstanceSession } from '../instances/session.ts'
import { createCallLimits, idleMsMax, sweepMsMax } from './call-limits.ts'
import { type LimitOverrides, limitSettings, noLimits } from './settings.ts'
import { SharedQuotas, sessionOf, setClock } from './testing.ts'

const startMs = Date.UTC(2026, 0, 31, 23, 59, 30)

test('a user has a burst, then the steady rate, and is told when to come back', async () => {
  const clock = setClock(startMs)
  const settings = limitSettings({ user: { callsPerSecond: 10, burstCalls: 5 } }, noLimits)
  const limits = createCallLimits({ settings, clock })
  const session = sessionOf(1, 'github')
  const answers = Array.from({ length: 7 }, () => limits.admit(session))
  assert.deepEqual(
    answers.map(({ admitted }) => admitted),
    [true, true, true, true, true, false, false],
  )
  const refused = answers[5]!
  assert.deepEqual(refused, { admitted: false, reason: 'rate', retryAfterMs: 100 })
  assert.equal(limits.admit(sessionOf(2, 'github')).admitted, true, 'another user has a bucket of her own')
  clock.advance(99)
  assert.equal(limits.admit(session).admitted, false)
  clock.advance(1)
  assert.equal(limits.admit(session).admitted, true, 'retryAfterMs was right to the millisecond')
  assert.equal(limits.admit(session).admitted, false)
  assert.equal(limits.refused.rate, 4)
  await limits.close()
})

test('whoever waits as long as he was told is let in, whatever the rate and the pattern', async () => {
  const seed = testSeed()
  const random = seededRandom(seed)
  for (let round = 0; round < 50; round += 1) {
    const clock = setClock(startMs)
    const callsPerSecond = 0.1 + random() * 300
    const burstCalls = 1 + Math.floor(random() * 20)
    const limits = createCallLimits({
      settings: limitSettings({ instance: { callsPerSecond, burstCalls } }, noLimits),
      clock,
    })
    const session = sessionOf(round, 'slack')
    let admitted = 0
    for (let call = 0; call < 200; call += 1) {
      clock.advance(Math.floor(random() * 20))
      const answer = limits.admit(session)
      if (answer.admitted) admitted += 1
      else {
        clock.advance(answer.retryAfterMs)
        assert.equal(limits.admit(session).admitted, true, `seed ${seed}: ${callsPerSecond}/s, burst ${burstCalls}`)
        admitted += 1
      }
    }
    const most = burstCalls + ((clock.now() - startMs) / 1000) * callsPerSecond
    assert.ok(admitted <= most + 1e-6, `seed ${seed}: ${admitted} of at most ${most}`)
    await limits.close()
  }
})

test('calls under way are counted until they end, and a refused one is not', async () => {
  const limits = createCallLimits({
    settings: limitSettings({ user: { concurrentMax: 2 }, instance: { concurrentMax: 1 } }, noLimits),
  })
  const github = sessionOf(1, 'github')
  const slack = sessionOf(1, 'slack')
  const trello = sessionOf(1, 'trello')
  assert.equal(limits.admit(github).admitted, true)
  assert.deepEqual(limits.admit(github), { admitted: false, reason: 'concurrency', retryAfterMs: 1000 })
  assert.equal(limits.admit(slack).admitted, true)
  assert.equal(limits.admit(trello).admitted, false, 'two of the user are under way')
  limits.ended(github)
  assert.equal(limits.admit(trello).admitted, true)
  assert.equal(limits.admit(github).admitted, false)
  limits.ended(slack)
  limits.ended(trello)
  limits.ended(trello)
  assert.equal(limits.admit(github).admitted, true)
  assert.equal(limits.admit(slack).admitted, true)
  assert.equal(limits.admit(trello).admitted, false, 'ending twice gives no room')
  await limits.close()
})

test('limits of a service hold for all its users together, and those of who is named instead of everybody’s', async () => {
  const users = { [sessionOf(2, 'github').userId]: { concurrentMax: 3 } }
  const services = {
    slack: { service: { concurrentMax: 1 } },
    trello: { instance: { concurrentMax: 1 } },
  } as unknown as LimitOverrides['services'] & object
  const limits = createCallLimits({
    settings: limitSettings({ user: { concurrentMax: 2 }, service: { concurrentMax: 4 }, users, services }, noLimits),
  })
  const github = [1, 2, 3].map((user) => sessionOf(user, 'github')) as [
    InstanceSession,
    InstanceSession,
    InstanceSession,
  ]
  const admitted = (session: InstanceSession) => limits.admit(session).admitted
  assert.deepEqual(
    [1, 2, 3, 4].map(() => admitted(github[1])),
    [true, true, true, false],
    'three of the named user',
  )
  assert.deepEqual([admitted(github[0]), admitted(github[2])], [true, false], 'four of the service')
  limits.ended(github[1])
  assert.equal(admitted(github[2]), true, 'the service has room again')
  for (const [service, all] of [
    ['slack', [true, false]],
    ['trello', [true, true]],
  ] as const)
    assert.deepEqual(
      [4, 5].map((user) => admitted(sessionOf(user, service))),
      all,
    )
  assert.equal(admitted(sessionOf(5, 'trello')), false)
  await limits.close()
})

test('keys that are idle are forgotten, but none that anything depends on', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const clock = setClock(startMs)
  const settings = limitSettings(
    { user: { callsPerDayMax: 10 }, instance: { concurrentMax: 5 }, service: { callsPerSecond: 0.001, burstCalls: 2 } },
    noLimits,
  )
  const limits = createCallLimits({ settings, clock, quotas: new SharedQuotas().store(), reportMsMax: 3_600_000 })
  const session = sessionOf(1, 'github')
  const sweep = () => {
    clock.advance(idleMsMax + 1)
    t.mock.timers.tick(sweepMsMax)
    return limits.keys
  }
  limits.admit(session)
  assert.equal(sweep(), 3, 'a call is under way')
  limits.ended(session)
  assert.equal(sweep(), 2, 'its day is not told of, its bucket not full')
  await limits.report()
  assert.equal(sweep(), 1, 'its bucket is not full')
  clock.advance(1_000_000)
  assert.equal(sweep(), 0)
  await limits.close()
})

test('what an upstream asks callers to keep to holds for each instance of the service', async () => {
  const clock = setClock(startMs)
  const limits = createCallLimits({
    settings: limitSettings({}),
    clock,
    upstreamLimit: (type) => (type === 'figma' ? { requestsMax: 3, windowMs: 60_000 } : undefined),
  })
  const session = sessionOf(1, 'figma')
  for (let call = 0; call < 3; call += 1) assert.equal(limits.admit(session).admitted, true)
  assert.deepEqual(limits.admit(session), { admitted: false, reason: 'rate', retryAfterMs: 20_000 })
  assert.equal(limits.admit(sessionOf(2, 'figma')).admitted, true)
  assert.equal(limits.admit(sessionOf(1, 'slack')).admitted, true)
  await limits.close()
})

test('a quota ends with its day or month, and says when', async () => {
  const clock = setClock(startMs)
  const shared = new SharedQuotas()
  const settings = limitSettings({ user: { callsPerDayMax: 3, callsPerMonthMax: 5 } }, noLimits)
  const limits = createCallLimits({ settings, clock, quotas: shared.store() })
  const session = sessionOf(1, 'github')
  for (let call = 0; call < 3; call += 1) assert.equal(limits.admit(session).admitted, true)
  assert.deepEqual(limits.admit(session), { admitted: false, reason: 'quota', retryAfterMs: 30_000 })
  clock.advance(29_999)
  assert.equal(limits.admit(session).admitted, false)
  clock.advance(1)
  for (let call = 0; call < 3; call += 1) assert.equal(limits.admit(session).admitted, true, 'a new day and month')
  clock.advance(24 * 3_600_000)
  for (let call = 0; call < 2; call += 1) assert.equal(limits.admit(session).admitted, true)
  assert.deepEqual(limits.admit(session), {
    admitted: false,
    reason: 'quota',
    retryAfterMs: Date.UTC(2026, 2, 1) - clock.now(),
  })
  await limits.report()
  const days = [...shared.totals].filter(([key]) => key.includes(' day ')).map(([, calls]) => calls)
  assert.deepEqual(days.sort(), [2, 3, 3], 'days that were over before they were told of are counted too')
  await limits.close()
})

test('a clock that is set back stops nobody for longer than an empty bucket does, and quotas are those of its day', async () => {
  const clock = setClock(startMs)
  const shared = new SharedQuotas()
  const settings = limitSettings({ user: { callsPerSecond: 10, burstCalls: 5, callsPerDayMax: 20 } }, noLimits)
  const limits = createCallLimits({ settings, clock, quotas: shared.store() })
  const session = sessionOf(1, 'github')
  clock.advance(60_000)
  for (let call = 0; call < 5; call += 1) assert.equal(limits.admit(session).admitted, true)
  clock.advance(-3_600_000)
  assert.deepEqual(limits.admit(session), { admitted: false, reason: 'rate', retryAfterMs: 100 })
  clock.advance(100)
  assert.equal(limits.admit(session).admitted, true)
  await limits.report()
  const days = [...shared.totals].map(([key, calls]) => [key.split(' ').at(-1), calls])
  assert.deepEqual(days.sort(), [
    [`${Date.UTC(2026, 0, 31)}`, 1],
    [`${Date.UTC(2026, 1, 1)}`, 5],
  ])
  await limits.close()
})

test('two workers share a quota, and overshoot it by no more than they admitted before they told each other', async () => {
  const clock = setClock(startMs)
  const shared = new SharedQuotas()
  const settings = limitSettings({ instance: { callsPerDayMax: 100 } }, noLimits)
  const workers = [0, 1].map(() =>
    createCallLimits({ settings, clock, quotas: shared.store(), reportMsMax: 3_600_000 }),
  )
  const session = sessionOf(1, 'github')
  const admitted = [0, 0]
  for (let round = 0; round < 30; round += 1) {
    for (const [index, worker] of workers.entries()) {
      for (let call = 0; call < 10; call += 1) if (worker.admit(session).admitted) admitted[index]! += 1
    }
    for (const worker of workers) await worker.report()
  }
  const total = admitted[0]! + admitted[1]!
  assert.ok(total >= 100 && total <= 110, `${total} admitted`)
  assert.deepEqual([...shared.totals.values()], [total])
  for (const worker of workers) await worker.close()
})

test('a lost answer counts once, and an outage loses no count', async () => {
  const clock = setClock(startMs)
  const shared = new SharedQuotas()
  const settings = limitSettings({ instance: { callsPerDayMax: 1000 } }, noLimits)
  const limits = createCallLimits({ settings, clock, quotas: shared.store(), reportMsMax: 3_600_000 })
  const session = sessionOf(1, 'github')
  for (let call = 0; call < 10; call += 1) limits.admit(session)
  shared.loseAnswer = true
  await limits.report()
  for (let call = 0; call < 7; call += 1) limits.admit(session)
  shared.loseAnswer = false
  shared.down = true
  await limits.report()
  for (let call = 0; call < 5; call += 1) limits.admit(session)
  shared.down = false
  await limits.report()
  await limits.report()
  assert.deepEqual([...shared.totals.values()], [22])
  await limits.close()
})

test('a limit that cannot be one is refused with its place', () => {
  const codeOf = (work: () => unknown) => {
    try {
      work()
      return null
    } catch (thrown) {
      return [(thrown as { code: string }).code, (thrown as Error).message]
    }
  }
  assert.deepEqual(
    codeOf(() => limitSettings({ user: { callsPerSecond: -1 } })),
    ['CF14501', 'The limit user.callsPerSecond cannot be used: -1 is no number above 0.'],
  )
  const unknown = { callsPerFortnight: 3 } as object
  assert.equal(codeOf(() => limitSettings({ instance: unknown }))?.[0], 'CF14501')
  assert.equal(
    codeOf(() => limitSettings({ instance: { callsPerDayMax: null } })),
    null,
  )
})

test('a limits file with a name that nobody reads is refused: its limit would not be held', () => {
  for (const wrong of [[], 'text', 7, { usr: { callsPerSecond: 1 } }, { user: 5 }, { user: null }, { services: [] }]) {
    assert.throws(() => limitSettings(wrong as unknown as LimitOverrides), { code: 'CF14501' }, JSON.stringify(wrong))
  }
})
