import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asShardId } from '@crossfade/model/ids.ts'
import { asLsn } from '@crossfade/model/lsn.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { StepPorts } from '../contract/ports.ts'
import { catchUpStep } from './catch-up.ts'

const shard = asShardId('source/a')
const looksMax = 20

/** Ports under which each look finds the stream one position further; resolves with the position at which the step ended. */
async function endOf(name: 'catch-up-first' | 'catch-up', standing: bigint): Promise<bigint> {
  let applied = 0n
  let looks = 0
  const ports = {
    plan: {
      source: { shards: [{ id: shard }] },
      cutover: { lagMsMax: 1_000 },
    } as unknown as ResolvedPlan,
    plane: { observation: { flushedLsn: async () => asLsn(standing) } },
    clock: { now: () => 0 },
    signal: new AbortController().signal,
    streams: { get: async () => ({ at: 0, applied: asLsn(applied), lagMs: 0, mismatches: [] }) },
    detail: () => {},
    changed: async () => {
      applied += 1n
      looks += 1
      if (looks > looksMax) throw new Error('the step does not end')
    },
  } as unknown as StepPorts
  await catchUpStep(name).run(ports)
  return applied
}

test('D09: before foreign keys are built the stream has passed the end of the copy, however little it lags', async () => {
  assert.equal(await endOf('catch-up-first', 7n), 7n)
  assert.equal(await endOf('catch-up', 7n), 0n)
})
