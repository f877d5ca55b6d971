import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorDefinitions } from '@crossfade/model/error-codes.ts'
import { errorReference } from './error-reference.ts'

test('every error has exactly one section, with its sentence and its remedy', () => {
  const { content } = errorReference()
  for (const [code, { sentence, remedy }] of Object.entries(errorDefinitions)) {
    assert.equal(content.split(`### ${code}\n`).length, 2, code)
    assert.ok(content.includes(sentence) && content.includes(remedy), code)
  }
})
