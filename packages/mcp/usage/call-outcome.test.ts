import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorDefinitions } from '@crossfade/model/error-codes.ts'
import { callOutcome, upstreamAnswerPattern, upstreamTroublePattern } from './call-outcome.ts'

test('SI-13 a call is told by who failed: the upstream, a limit, or the caller', () => {
  const cases: [statusCode: number, errorCode: string | null, outcome: string][] = [
    [200, null, 'ok'],
    [302, null, 'ok'],
    [404, null, 'error'],
    [500, null, 'upstream'],
    [0, 'CF13312', 'upstream'],
    [0, 'CF13340', 'upstream'],
    [503, 'CF13336', 'upstream'],
    [429, 'CF13320', 'refused'],
    [0, 'CF13008', 'refused'],
    [401, 'CF13331', 'error'],
    [0, 'CF13001', 'error'],
  ]
  for (const [statusCode, errorCode, outcome] of cases)
    assert.equal(callOutcome({ statusCode, errorCode: errorCode as never }), outcome, `${statusCode} ${errorCode}`)
})

test('SI-13 no code says both that an upstream answered and that it did not', () => {
  const [trouble, answer] = [new RegExp(upstreamTroublePattern), new RegExp(upstreamAnswerPattern)]
  const both = Object.keys(errorDefinitions).filter((code) => trouble.test(code) && answer.test(code))
  assert.deepEqual(both, [])
})
