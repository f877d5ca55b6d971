import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inWindow } from './windows.ts'

const nights = { cron: '0 22 * * *', timezone: 'Europe/Berlin', durationMs: 6 * 3_600_000 }

test('DM-15: work is done inside the windows alone, by the clock of their time zone', () => {
  // 22:00 in Berlin is 21:00 UTC in winter and 20:00 UTC in summer.
  assert.equal(inWindow([nights], Date.UTC(2026, 0, 10, 20, 59)), false)
  assert.equal(inWindow([nights], Date.UTC(2026, 0, 10, 21, 1)), true)
  assert.equal(inWindow([nights], Date.UTC(2026, 0, 11, 2, 59)), true)
  assert.equal(inWindow([nights], Date.UTC(2026, 0, 11, 3, 1)), false)
  assert.equal(inWindow([nights], Date.UTC(2026, 6, 10, 20, 1)), true)
})

test('without windows there is no hour that is not allowed', () => {
  assert.equal(inWindow([], Date.UTC(2026, 0, 10, 12)), true)
})
