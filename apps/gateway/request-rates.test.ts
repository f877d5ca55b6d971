import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Failure } from '@crossfade/model/failure.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import { createRequestRates } from './request-rates.ts'

const ann = '00000000-0000-4000-8000-00000000000a' as UserId
const ben = '00000000-0000-4000-8000-00000000000b' as UserId

test('SI-10 an account that sends changes without end is told to wait; reading and other accounts go on', () => {
  let now = 0
  const limits = { reads: { callsPerSecond: 10, burstCalls: 20 }, writes: { callsPerSecond: 1, burstCalls: 5 } }
  const rates = createRequestRates(limits, () => now)
  for (let count = 0; count < 5; count++) rates.take(ann, true)
  const refused = () => rates.take(ann, true)
  assert.throws(refused, (error: Failure) => error.code === 'CF12037' && error.details['seconds'] === 1)
  rates.take(ann, false)
  rates.take(ben, true)
  now += 1_000
  rates.take(ann, true)
  assert.throws(refused, { code: 'CF12037' })
})
