import assert from 'node:assert/strict'
import { test } from 'node:test'
import { percentileOver, periodsOf, requestsOver } from './usage-series.ts'

const point = (at: string, serviceType: string, requests: number, p95Ms: number) => {
  return { at, serviceType, requests, errors: 1, p50Ms: 1, p95Ms, p99Ms: 9 }
}

test('a plot has every day of its range, those without requests too, and sums services', () => {
  const days = periodsOf({ from: '2026-03-01T13:00:00Z', to: '2026-03-04T13:00:00Z', by: 'day' })
  assert.deepEqual(
    days.map((at) => new Date(at).toISOString().slice(0, 10)),
    ['2026-03-01', '2026-03-02', '2026-03-03', '2026-03-04'],
  )
  const series = [
    point('2026-03-02T00:00:00.000Z', 'one', 5, 7),
    point('2026-03-02T00:00:00.000Z', 'other', 2, 8),
    point('2026-03-04T00:00:00.000Z', 'one', 1, 3),
  ]
  assert.deepEqual(requestsOver(days, series), { requests: [0, 7, 0, 1], errors: [0, 2, 0, 1] })
  assert.deepEqual(percentileOver(days, series, 'one', 'p95Ms'), [null, 7, null, 3])
})

test('hours begin at whole hours', () => {
  const hours = periodsOf({ from: '2026-03-01T22:30:00Z', to: '2026-03-02T00:30:00Z', by: 'hour' })
  assert.deepEqual(
    hours.map((at) => new Date(at).toISOString().slice(11, 16)),
    ['22:00', '23:00', '00:00'],
  )
})
