import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createInstanceLimits, waitAskedFor } from './instance-limits.ts'

test('a published rate lets a burst go, then one request per share of the window; short waits are taken, long ones told', () => {
  let now = 0
  const limits = createInstanceLimits(() => now)
  const rate = { requestsMax: 10, windowMs: 1_000 }
  const turn = () => limits.turn('one', 1, rate)
  for (let call = 0; call < 10; call++) assert.deepEqual(turn(), { kind: 'go' })
  for (const milliseconds of [100, 200, 300, 400, 500]) assert.deepEqual(turn(), { kind: 'wait', milliseconds })
  assert.deepEqual(turn(), { kind: 'used-up', milliseconds: 600 })
  assert.deepEqual(limits.turn('two', 1, rate), { kind: 'go' }, 'another instance has its own')
  now = 600
  assert.deepEqual(turn(), { kind: 'go' }, 'what was told to come back finds its turn')
  assert.equal(turn().kind, 'wait')
  now = 60_000
  let gone = 0
  while (turn().kind === 'go') gone++
  assert.equal(gone, 10, 'a long rest saves no more than one window')
})

test('"not now" ends with its time, and with a new key', () => {
  let now = 0
  const limits = createInstanceLimits(() => now)
  assert.deepEqual(limits.turn('one', 1, undefined), { kind: 'go' })
  limits.block('one', 1, 5_000)
  limits.block('one', 1, 1_000)
  now = 4_000
  assert.deepEqual(limits.turn('one', 1, undefined), { kind: 'blocked', milliseconds: 1_000 })
  now = 5_000
  assert.deepEqual(limits.turn('one', 1, undefined), { kind: 'go' })
  limits.block('one', 1, 5_000)
  assert.deepEqual(limits.turn('one', 2, undefined), { kind: 'go' })
  limits.block('one', 2, Number.MAX_SAFE_INTEGER)
  const turn = limits.turn('one', 2, undefined)
  assert.ok(turn.kind === 'blocked' && turn.milliseconds <= 3_600_000, 'an absurd time is not believed')
})

test('how long to wait is read as each upstream writes it', () => {
  const nowMs = Date.parse('2026-07-01T12:00:00Z')
  const seconds = nowMs / 1000
  const cases: [number, Record<string, string>, number | null][] = [
    [429, { 'retry-after': '7' }, 7_000],
    [429, { 'retry-after': '0.5' }, 500],
    [429, { 'retry-after': 'Wed, 01 Jul 2026 12:00:30 GMT' }, 30_000],
    [429, { 'retry-after': 'Wed, 01 Jul 2026 11:00:00 GMT' }, 0],
    [429, { 'x-ratelimit-reset': String(seconds + 90) }, 90_000],
    [429, { 'x-ratelimit-reset': String(nowMs + 1_500) }, 1_500],
    [429, { 'ratelimit-reset': '12' }, 12_000],
    [429, { 'x-ratelimit-reset': 'soon' }, 1_000],
    [429, {}, 1_000],
    [429, { 'retry-after': '99999999' }, 3_600_000],
    [403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(seconds + 60) }, 60_000],
    [403, { 'retry-after': '60' }, 60_000],
    [403, { 'x-ratelimit-remaining': '10' }, null],
    [403, {}, null],
    [503, { 'retry-after': '5' }, 5_000],
    [503, {}, null],
    [500, { 'retry-after': '5' }, null],
  ]
  for (const [status, headers, expected] of cases) {
    assert.equal(waitAskedFor(status, headers, nowMs), expected, `${status} ${JSON.stringify(headers)}`)
  }
})
