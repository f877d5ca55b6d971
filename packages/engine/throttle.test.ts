import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asShardId } from '@crossfade/model/ids.ts'
import type { ThrottleLimits } from '@crossfade/pipeline/resolved-plan.ts'
import { listeningLooks, rateBytesMax, rateBytesMin, Throttle, type ThrottleLook } from './throttle.ts'

const shard = asShardId('source/a')
const limits: ThrottleLimits = {
  latencyBudget: 0.05,
  probes: [],
  activeBackendsMax: 20,
  replicaLagMsMax: 500,
  walBytesPause: 1_000,
  walBytesMax: 2_000,
  diskFreeBytesMin: 100,
  windows: [],
}
const quiet: ThrottleLook = {
  latencyMs: 10,
  overLimit: [],
  silent: [],
  activeBackends: 3,
  replicaLagMs: 0,
  walHeld: { shard, bytes: 10 },
  diskFreeBytes: 1_000,
  inWindow: true,
}

function settled(throttle: Throttle, looks = 20): void {
  for (let index = 0; index < looks; index += 1) throttle.decide(quiet)
}

test('DM-15: it listens before it works, and within the budget the rate grows by steps until nothing needs to be counted', () => {
  const throttle = new Throttle(limits)
  for (let look = 0; look < listeningLooks; look += 1)
    assert.equal(throttle.decide(quiet).bytesPerSecondMax, rateBytesMin)
  const first = throttle.decide(quiet)
  const second = throttle.decide(quiet)
  assert.ok(first.bytesPerSecondMax! > rateBytesMin)
  assert.ok(second.bytesPerSecondMax! > first.bytesPerSecondMax!)
  let last = second
  for (let index = 0; index < rateBytesMax / rateBytesMin && last.state !== 'open'; index += 1)
    for (let many = 0; many < 16; many += 1) last = throttle.decide(quiet)
  assert.deepEqual([last.state, last.bytesPerSecondMax], ['open', null])
})

test('DM-15 DM-16: over the budget the rate is cut again and again, never below the least, and says why', () => {
  const throttle = new Throttle(limits)
  settled(throttle)
  let decision = throttle.decide(quiet)
  const rates: number[] = []
  for (let index = 0; index < 20; index += 1) {
    decision = throttle.decide({ ...quiet, latencyMs: 13 })
    rates.push(decision.bytesPerSecondMax!)
  }
  assert.equal(decision.state, 'slowed')
  assert.match(decision.reason, /slower: latency 13 ms, baseline 10 ms, budget 5 %/)
  assert.equal(Math.min(...rates), rateBytesMin)
  assert.equal(decision.bytesPerSecondMax, rateBytesMin)
  for (let index = 0; index < 5; index += 1) decision = throttle.decide(quiet)
  assert.ok(decision.bytesPerSecondMax! > rateBytesMin)
})

test('one slow answer changes nothing', () => {
  const throttle = new Throttle(limits)
  settled(throttle)
  assert.match(throttle.decide({ ...quiet, latencyMs: 500 }).reason, /within the budget/)
})

test('D05: a slot that holds too much pauses, and one over the limit is named', () => {
  const throttle = new Throttle(limits)
  const paused = throttle.decide({ ...quiet, walHeld: { shard, bytes: 1_500 } })
  assert.deepEqual([paused.state, paused.bytesPerSecondMax, paused.walExceeded], ['paused', 0, null])
  assert.match(paused.reason, /source\/a holds 1500 bytes/)
  assert.deepEqual(throttle.decide({ ...quiet, walHeld: { shard, bytes: 2_001 } }).walExceeded, { shard, bytes: 2_001 })
})

test('DM-15: disk, active backends, replicas, probes and hours pause, each with its reason', () => {
  const cases: [Partial<ThrottleLook>, RegExp][] = [
    [{ diskFreeBytes: 99 }, /99 bytes of disk/],
    [{ activeBackends: 21 }, /21 backends/],
    [{ replicaLagMs: 501 }, /replica lags 501 ms/],
    [{ overLimit: ['queue is 9, at most 5'] }, /queue is 9/],
    [{ inWindow: false }, /hours/],
  ]
  for (const [look, reason] of cases) {
    const throttle = new Throttle(limits)
    const decision = throttle.decide({ ...quiet, ...look })
    assert.equal(decision.state, 'paused')
    assert.match(decision.reason, reason)
    assert.notEqual(throttle.decide(quiet).state, 'paused')
  }
})

test('after a pause the loop begins low', () => {
  const throttle = new Throttle(limits)
  settled(throttle)
  const before = throttle.decide(quiet).bytesPerSecondMax!
  throttle.decide({ ...quiet, inWindow: false })
  assert.ok(throttle.decide(quiet).bytesPerSecondMax! < before / 4)
})

test('without a budget only the limits count; without an answer the rate stays where it is', () => {
  assert.deepEqual([new Throttle({ ...limits, latencyBudget: null }).decide(quiet).bytesPerSecondMax], [null])
  const throttle = new Throttle(limits)
  const decision = throttle.decide({ ...quiet, latencyMs: null, silent: ['probe p did not answer'] })
  assert.deepEqual([decision.state, decision.bytesPerSecondMax], ['slowed', rateBytesMin])
  assert.match(decision.reason, /probe p did not answer/)
})
