import assert from 'node:assert/strict'
import { test } from 'node:test'
import { databaseErrors } from './database-errors.ts'
import { databaseFindings } from './database-findings.ts'
import { errorDefinitions } from './error-codes.ts'
import { movementErrors } from './movement-errors.ts'
import { operationErrors } from './operation-errors.ts'
import { planErrors } from './plan-errors.ts'

test('no code is defined in two files: the later definition would hide the other', () => {
  const files = [planErrors, databaseFindings, databaseErrors, movementErrors, operationErrors]
  const codes = files.flatMap((definitions) => Object.keys(definitions))
  assert.equal(Object.keys(errorDefinitions).length, codes.length)
})
