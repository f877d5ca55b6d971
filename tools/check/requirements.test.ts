import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requirements } from '@crossfade/model/requirements.ts'
import { mayCite, uncited } from './requirements.ts'

test('every family is complete, and every id is there once', () => {
  const ids = requirements.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  const lengths: Record<string, number> = { 'SI-': 20, 'ST-': 11, 'DM-': 17, 'MS-': 18, D: 20, M: 13, T: 8 }
  for (const [family, length] of Object.entries(lengths)) {
    const numbers = ids.filter((id) => id.replace(/\d+$/, '') === family).map((id) => Number(id.slice(-2)))
    assert.deepEqual(
      numbers,
      Array.from({ length }, (_, index) => index + 1),
      family,
    )
  }
})

test('an id counts as cited as a whole word only', () => {
  const all = requirements.filter(({ id }) => ['D08', 'D09', 'DM-03', 'T01'].includes(id))
  const missing = uncited(all, ["test('D08: …')", 'DM-030 XD09 D091', 'scenarios/D09-restart/plan.ts'])
  assert.deepEqual(
    missing.map(({ id }) => id),
    ['DM-03'],
  )
})

test('tests and scenarios cite; code and documents do not', () => {
  assert.equal(mayCite('packages/a/b.pg.test.ts'), true)
  assert.equal(mayCite('scenarios/toast/source.sql'), true)
  assert.equal(mayCite('packages/a/b.ts'), false)
  assert.equal(mayCite('docs/requirements.md'), false)
})
