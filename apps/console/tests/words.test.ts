import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ago, bytes, count, duration, milliseconds, moment, percent, statusText } from '../src/words.ts'

const cases: readonly (readonly [string, string])[] = [
  [bytes(null), '–'],
  [bytes(0), '0 B'],
  [bytes(999), '999 B'],
  [bytes(1_000), '1.0 KB'],
  [bytes(99_960), '100 KB'],
  [bytes(999_960), '1.0 MB'],
  [bytes(12_345_678_901), '12.3 GB'],
  [bytes(9e18), '9000 PB'],
  [count(null), '–'],
  [count(12_345.4), '12,345'],
  [count(1_234_567), '1.2M'],
  [milliseconds(0), '0 ms'],
  [milliseconds(0.04), '0.0 ms'],
  [milliseconds(9.97), '10 ms'],
  [milliseconds(999.7), '1.0 s'],
  [duration(59.7), '1 min 0 s'],
  [duration(119.6), '2 min 0 s'],
  [duration(3_599.9), '1 h 0 min'],
  [duration(7_199), '2 h 0 min'],
  [duration(90_000), '1 d 1 h'],
  [percent(0), '0 %'],
  [percent(0.123), '12.3 %'],
  [percent(0.9999), '99.9 %'],
  [percent(1), '100 %'],
  [ago(null, 0), 'never'],
  [ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:01:30Z')), '1 min ago'],
  [ago('2026-01-01T00:00:00Z', Date.parse('2025-12-31T23:59:00Z')), 'just now'],
]

test('numbers and times are written so that none reads as another: no `60 s`, no `1000 KB`, no 100 % before the end', () => {
  for (const [written, wanted] of cases) assert.equal(written, wanted)
})

test('a day of another year is told with its year: a token that ends in a year must not read as one that ends today', () => {
  const year = new Date().getFullYear() + 1
  assert.match(moment(`${year}-07-01T12:00:00Z`), new RegExp(`^\\d+ \\w+ ${year}, `))
  assert.match(moment(new Date().toISOString()), /^\d\d:\d\d:\d\d$/)
})

test('the status says where it goes', () => {
  const at = { stage: 'shadow', desiredStage: 'live' } as const
  assert.equal(statusText({ ...at, status: 'holding' } as never), 'waiting for gates of live')
  assert.equal(statusText({ ...at, status: 'moving' } as never), 'moving to live')
  assert.equal(statusText({ stage: 'live', desiredStage: 'live', status: 'resting' } as never), 'steady')
})
