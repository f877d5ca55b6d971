import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogErrors } from './catalog-errors.ts'
import { databaseErrors } from './database-errors.ts'
import { databaseFindings } from './database-findings.ts'
import { errorDefinitions } from './error-codes.ts'
import { fail } from './failure.ts'
import { instanceErrors } from './instance-errors.ts'
import { movementErrors } from './movement-errors.ts'
import { operationErrors } from './operation-errors.ts'
import { planErrors } from './plan-errors.ts'
import { processErrors } from './process-errors.ts'
import { upstreamErrors } from './upstream-errors.ts'
import { vaultErrors } from './vault-errors.ts'

test('no code is defined in two files: the later definition would hide the other', () => {
  const migration = [planErrors, databaseFindings, databaseErrors, movementErrors, operationErrors]
  const platform = [catalogErrors, vaultErrors, instanceErrors, upstreamErrors, processErrors]
  const files = [...migration, ...platform]
  const codes = files.flatMap((definitions) => Object.keys(definitions))
  assert.equal(Object.keys(errorDefinitions).length, codes.length)
})

test('a value that is a sentence itself brings no second full stop', () => {
  const inner = fail('CF14007', { host: '127.0.0.1', port: 1, reason: 'it is taken' })
  assert.equal(fail('CF14008', { reason: inner.message }).message, `A worker did not become ready: ${inner.message}`)
  assert.match(fail('CF14008', { reason: 'wait...' }).message, /wait\.\.\.\.$/)
})
