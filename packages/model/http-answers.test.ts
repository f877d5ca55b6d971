import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogErrors } from './catalog-errors.ts'
import type { ErrorCode } from './error-codes.ts'
import { fail } from './failure.ts'
import { httpAnswerOf, httpStatuses } from './http-answers.ts'
import { instanceErrors } from './instance-errors.ts'
import { processErrors } from './process-errors.ts'
import { upstreamErrors } from './upstream-errors.ts'
import { vaultErrors } from './vault-errors.ts'

const definitions = { ...catalogErrors, ...vaultErrors, ...instanceErrors, ...upstreamErrors, ...processErrors }
const codes = Object.keys(definitions) as (keyof typeof definitions)[]

test('every code of CF10–CF14 has its HTTP status, and nothing else has one', () => {
  assert.deepEqual(Object.keys(httpStatuses).sort(), [...codes].sort())
})

test('what may be tried again is said so by its status, and nothing that can not', () => {
  /** The caller sends the same again, at once. */
  const againAtOnce: readonly ErrorCode[] = ['CF12019', 'CF14006']
  /** Told by commands and in logs alone, or ours to mend although it may pass. */
  const notOverHttp: readonly ErrorCode[] = [
    'CF13010',
    'CF14009',
    'CF14014',
    'CF14016',
    'CF14520',
    'CF14532',
    'CF14533',
  ]
  for (const code of codes) {
    const { status, retryAfterSeconds } = httpAnswerOf(fail(code))
    const passes = status === 429 || status >= 502
    if (definitions[code].retry) {
      assert.ok(
        passes || againAtOnce.includes(code) || notOverHttp.includes(code),
        `${code} is answered with ${status}`,
      )
      if (status === 429) assert.match(definitions[code].remedy, /\b(again|wait|next|fewer|close)\b/i, code)
    } else assert.ok(![429, 503, 504].includes(status), `${code} can't be tried again, but is answered with ${status}`)
    assert.equal(retryAfterSeconds !== null, status === 429 || status === 503, code)
  }
})

test('a limit says when to come again: by the failure itself, else by what is known of its window', () => {
  assert.deepEqual(httpAnswerOf(fail('CF12003')), { status: 429, retryAfterSeconds: 10 })
  assert.deepEqual(httpAnswerOf(fail('CF13008', { limit: 'calls', seconds: 0.2 })), {
    status: 429,
    retryAfterSeconds: 1,
  })
  assert.deepEqual(httpAnswerOf(fail('CF12037', { reason: 'x', seconds: 17 })), { status: 429, retryAfterSeconds: 17 })
  assert.deepEqual(httpAnswerOf(fail('CF12502', { reason: 'x' })), { status: 503, retryAfterSeconds: 2 })
  assert.deepEqual(httpAnswerOf(fail('CF9001', { reason: 'x' })), { status: 500, retryAfterSeconds: null })
})
