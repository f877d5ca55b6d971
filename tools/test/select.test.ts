import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selectTests } from './select.ts'

const files = [
  'packages/a/one.test.ts',
  'packages/a/one.pg.test.ts',
  'packages/a/one.ts',
  'packages/b/two.test.ts',
  'apps/console/page.browser.test.ts',
  'scenarios/move.pg.test.ts',
]

test('tests are split by what they need, long ones first', () => {
  assert.deepEqual(selectTests(files, []), {
    pure: ['packages/a/one.test.ts', 'packages/b/two.test.ts'],
    database: ['apps/console/page.browser.test.ts', 'scenarios/move.pg.test.ts', 'packages/a/one.pg.test.ts'],
  })
})

test('filters keep the tests below them', () => {
  assert.deepEqual(selectTests(files, ['./packages/a/']), {
    pure: ['packages/a/one.test.ts'],
    database: ['packages/a/one.pg.test.ts'],
  })
  assert.deepEqual(selectTests(files, ['nothing']), { pure: [], database: [] })
})
