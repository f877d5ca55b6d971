import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latestDueMs, nextDueMs, type Period } from './periods.ts'

const periods: readonly Period[] = [
  { kind: 'every', ms: 5 * 60_000 },
  { kind: 'daily', minute: 120 },
  { kind: 'monthly', minute: 30 },
]

test('a job is due by the calendar of UTC, over the ends of months and years', () => {
  const at = (text: string) => Date.parse(`${text}Z`)
  const [, daily, monthly] = periods as [Period, Period, Period]
  assert.equal(latestDueMs(daily, at('2026-01-01T01:59')), at('2025-12-31T02:00'))
  assert.equal(latestDueMs(daily, at('2026-01-01T02:00')), at('2026-01-01T02:00'))
  assert.equal(nextDueMs(daily, at('2028-02-28T12:00')), at('2028-02-29T02:00'))
  assert.equal(latestDueMs(monthly, at('2026-01-01T00:29')), at('2025-12-01T00:30'))
  assert.equal(nextDueMs(monthly, at('2026-01-01T00:29')), at('2026-01-01T00:30'))
  assert.equal(nextDueMs(monthly, at('2026-12-15T00:00')), at('2027-01-01T00:30'))
})

test('between the latest and the next due moment there is now, and no other due moment', () => {
  for (const period of periods) {
    for (let nowMs = Date.UTC(2027, 11, 20); nowMs < Date.UTC(2028, 2, 3); nowMs += 7_919_000) {
      const latest = latestDueMs(period, nowMs)
      const next = nextDueMs(period, nowMs)
      assert.ok(latest <= nowMs && nowMs < next)
      assert.equal(latestDueMs(period, next - 1), latest)
      assert.equal(latestDueMs(period, next), next)
    }
  }
})
