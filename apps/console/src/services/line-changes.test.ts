import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineChanges } from './line-changes.ts'

const told = (before: string, now: string) =>
  lineChanges(before, now).map(({ kind, text }) => `${{ same: ' ', gone: '-', new: '+' }[kind]}${text}`)

test('changed lines are told between those that stayed', () => {
  assert.deepEqual(told('a\nb\nc', 'a\nx\nc\nd'), [' a', '-b', '+x', ' c', '+d'])
  assert.deepEqual(told('same', 'same'), [' same'])
  assert.deepEqual(told('a\nb', 'b\na'), ['-a', ' b', '+a'])
})

test('what is not new is the text before, what is not gone the text now, however long they are', () => {
  for (const [before, now] of [
    ['one\ntwo\n\nthree', 'two\nthree\n\n'],
    ['a\n'.repeat(700), 'b\n'.repeat(3)],
  ] as const) {
    const lines = lineChanges(before, now)
    const kept = (kind: string) =>
      lines
        .filter((each) => each.kind !== kind)
        .map(({ text }) => text)
        .join('\n')
    assert.equal(kept('new'), before)
    assert.equal(kept('gone'), now)
  }
})
