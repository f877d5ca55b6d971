import assert from 'node:assert/strict'
import { test } from 'node:test'
import { thinnedOut } from './samples.ts'

test('a long series keeps its peaks and its last point', () => {
  const at = Array.from({ length: 10_000 }, (_, index) => index)
  const values = at.map((index) => (index === 4_321 ? 99 : index % 7))
  const thin = thinnedOut({ at, values }, 600)
  assert.ok(thin.at.length <= 600)
  assert.ok(thin.values.includes(99))
  assert.equal(thin.at.at(-1), 9_999)
  assert.deepEqual(
    thin.at,
    thin.at.toSorted((a, b) => a - b),
  )
})

test('a short series stays as it is', () => {
  const series = { at: [1, 2], values: [3, 4] }
  assert.equal(thinnedOut(series, 600), series)
})
