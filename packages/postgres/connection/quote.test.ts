import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quoteIdentifier, quoteLiteral, quoteTable } from './quote.ts'

test('names and literals survive quotes, backslashes, capitals and spaces', () => {
  assert.equal(quoteIdentifier('My "odd" name'), '"My ""odd"" name"')
  assert.equal(quoteTable({ schema: 'public', name: 'a.b' }), '"public"."a.b"')
  assert.equal(quoteLiteral("it's"), "'it''s'")
  assert.equal(quoteLiteral("\\'x"), " E'\\\\''x'")
})
