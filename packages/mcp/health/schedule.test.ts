import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { Schedule, suspicionRestMs } from './schedule.ts'

const intervals = { usedMs: 60_000, unusedMs: 3_600_000 }
const services = Array.from({ length: 200 }, (_, n) => `service${n}` as ServiceType)
const [first, second] = services as [ServiceType, ServiceType]
const never = () => null

test('SI-13 checks are spread over the interval, and each service is checked once in it, give or take a tenth', () => {
  const seed = testSeed()
  const schedule = new Schedule(intervals, seededRandom(seed))
  const used = new Set(services)
  schedule.update(services, used, never, 0)
  const checks = new Map<ServiceType, number[]>()
  let mostAtOnce = 0
  for (let nowMs = 0; nowMs <= 600_000; nowMs += 1_000) {
    const due = schedule.due(nowMs, services.length)
    mostAtOnce = Math.max(mostAtOnce, due.length)
    for (const service of due) {
      checks.set(service, [...(checks.get(service) ?? []), nowMs])
      schedule.checked(service, nowMs)
    }
  }
  assert.ok(mostAtOnce < 20, `seed ${seed}: ${mostAtOnce} of ${services.length} in one second`)
  for (const times of checks.values()) {
    assert.ok(times[0]! <= 61_000, `seed ${seed}`)
    for (const [index, atMs] of times.slice(1).entries()) {
      const apartMs = atMs - times[index]!
      assert.ok(apartMs >= 54_000 && apartMs <= 67_000, `seed ${seed}: ${apartMs} ms apart`)
    }
  }
  assert.equal(checks.size, services.length)
})

test('SI-13 what was missed while nobody checked comes soon, but not all at once; what was checked lately comes when it is due', () => {
  const nowMs = 1_000_000_000
  const schedule = new Schedule(intervals, seededRandom(1))
  schedule.update(services, new Set(services), (service) => (service === first ? nowMs - 20_000 : 0), nowMs)
  assert.ok(schedule.due(nowMs, 500).length < 20)
  const soon = schedule.due(nowMs + 6_000, 500)
  assert.equal(soon.length, services.length - 1)
  assert.ok(!soon.includes(first))
  assert.ok(schedule.due(nowMs + 46_000, 500).includes(first))
  assert.deepEqual(schedule.due(nowMs + 6_000, 3), soon.slice(0, 3), 'the longest overdue first')
})

test('SI-13 a suspected service is checked at once, unless it was checked a moment ago; one that begins to be used is soon', () => {
  const schedule = new Schedule(intervals, () => 0.5)
  schedule.update([first, second], new Set([first]), never, 0)
  schedule.checked(first, 0)
  schedule.checked(second, 0)
  schedule.suspect(first, 1_000)
  assert.equal(schedule.nextDueMs(), suspicionRestMs)
  schedule.checked(first, suspicionRestMs)
  schedule.suspect(first, 50_000)
  assert.deepEqual(schedule.due(50_000, 10), [first])
  schedule.suspect('unknown' as ServiceType, 50_000)
  assert.deepEqual(schedule.due(100_000, 10), [first])
  schedule.update([first, second], new Set([first, second]), never, 100_000)
  assert.deepEqual(schedule.due(130_000, 10), [first, second])
  schedule.update([second], new Set(), never, 130_000)
  assert.deepEqual(schedule.due(10_000_000, 10), [second], 'a service that is gone is forgotten')
})

test('a clock that was set back, or a check from the future, puts no check off for longer than its interval', () => {
  const nowMs = 1_000_000_000
  const schedule = new Schedule(intervals, () => 0.5)
  const dayMs = 86_400_000
  schedule.update([first, second], new Set([first, second]), (name) => (name === first ? nowMs + dayMs : null), nowMs)
  assert.ok(schedule.due(nowMs + 66_000, 10).includes(first))
  schedule.checked(first, nowMs)
  schedule.checked(second, nowMs)
  schedule.update([first, second], new Set([first, second]), never, nowMs - dayMs)
  assert.deepEqual(schedule.due(nowMs - dayMs + 66_000, 10).sort(), [first, second])
  schedule.suspect(first, nowMs - dayMs)
  assert.equal(schedule.nextDueMs(), nowMs - dayMs + suspicionRestMs)
})
