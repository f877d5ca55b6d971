import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editsBetween, nearNames } from './near-names.ts'

test('the edits between two words are counted, whichever stands first', () => {
  for (const [from, to, edits] of [
    ['', '', 0],
    ['github', 'github', 0],
    ['gihub', 'github', 1],
    ['figma', 'fimga', 2],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
  ] as const) {
    assert.equal(editsBetween(from, to), edits, `${from} ${to}`)
    assert.equal(editsBetween(to, from), edits, `${to} ${from}`)
  }
})

test('near names are told with the likeliest first, and names that nobody meant are not', () => {
  const names = ['gitlab', 'github', 'gitea', 'slack', 'figma', 'githubb']
  assert.deepEqual(nearNames('Gihub', names), ['github', 'githubb', 'gitlab'])
  assert.deepEqual(nearNames('xxxxxxxxx', names), [])
  assert.deepEqual(nearNames('gihub', []), [])
})
