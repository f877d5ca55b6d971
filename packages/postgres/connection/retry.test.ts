import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import { retrying } from './retry.ts'
import { isConnectionLoss, isTransient } from './transient.ts'

function recordingClock(): Clock & { slept: number[] } {
  const slept: number[] = []
  return {
    slept,
    now: () => 0,
    sleep: async (milliseconds, signal) => {
      signal?.throwIfAborted()
      slept.push(milliseconds)
    },
  }
}

const sqlError = (code: string) => Object.assign(new Error(`SQLSTATE ${code}`), { code })

test('transient trouble is told from lasting trouble', () => {
  for (const code of [
    '40001',
    '40P01',
    '57P01',
    '57P02',
    '57P03',
    '08006',
    '08003',
    '53300',
    'ECONNRESET',
    'ECONNREFUSED',
  ]) {
    assert.ok(isTransient(sqlError(code)), code)
  }
  for (const code of ['23505', '42P01', '28P01', '57014', '57P04', '53100', '22021', '08P01'])
    assert.ok(!isTransient(sqlError(code)), code)
  assert.ok(isTransient(new Error('Connection terminated unexpectedly')))
  assert.ok(isTransient(fail('CF2016', { shard: 's', reason: 'r' })))
  assert.ok(!isTransient(fail('CF2010', { shard: 's', user: 'u', reason: 'r' })))
  assert.ok(!isTransient(new TypeError('x is not a function')))
  assert.ok(isConnectionLoss(sqlError('57P01')))
  assert.ok(!isConnectionLoss(sqlError('40001')))
})

test('D07: retries ride out a restart, each delay within its bound', async () => {
  const clock = recordingClock()
  const result = await retrying(
    async (attempt) => {
      if (attempt < 6) throw sqlError('57P03')
      return attempt
    },
    { clock, random: () => 1, policy: { attemptsMax: 10, firstDelayMs: 50, delayMaxMs: 300 } },
  )
  assert.equal(result, 6)
  assert.deepEqual(clock.slept, [50, 100, 200, 300, 300])
})

test('retries are bounded, and lasting trouble is not retried', async () => {
  const clock = recordingClock()
  const policy = { attemptsMax: 3, firstDelayMs: 10, delayMaxMs: 10 }
  let calls = 0
  const failing = (code: string) => () => {
    calls += 1
    return Promise.reject(sqlError(code))
  }
  await assert.rejects(retrying(failing('40001'), { clock, policy }), { code: '40001' })
  assert.equal(calls, 3)
  calls = 0
  await assert.rejects(retrying(failing('23505'), { clock, policy }), { code: '23505' })
  assert.equal(calls, 1)
})

test('an abort ends the waiting with its own reason', async () => {
  const controller = new AbortController()
  const work = retrying(() => Promise.reject(sqlError('40001')), {
    signal: controller.signal,
    policy: { attemptsMax: 5, firstDelayMs: 60_000, delayMaxMs: 60_000 },
    random: () => 1,
    onRetry: () => controller.abort(new Error('the lease is lost')),
  })
  await assert.rejects(work, { message: 'the lease is lost' })
})
