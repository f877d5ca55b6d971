import type { ShardId } from '@crossfade/model/ids.ts'
import { zeroLsn } from '@crossfade/model/lsn.ts'
import type { FencePoint } from '@crossfade/pipeline/data-plane.ts'
import type { StepPorts } from '../contract/ports.ts'
import type { Step } from '../contract/track.ts'
import { streamState } from './lag.ts'

/** Streams report at least this often while they run. */
const lookMs = 200

/**
 * Waits until every stream of one side runs and lags at most the cutover's limit behind. The first time also until each has passed where its source stood
 * when the wait began: behind the end of the copy no row on the target is newer than its stream, and only then may foreign keys look on. One that
 * cascades would take rows along that no change brings back.
 */
export function catchUpStep(name: 'catch-up-first' | 'catch-up' | 'catch-up-reverse'): Step {
  const side = name === 'catch-up-reverse' ? 'target' : 'source'
  return {
    name,
    title: name === 'catch-up-reverse' ? 'see that the way back is current' : 'catch up with the changes',
    async run(ports) {
      const shards = ports.plan[side].shards.map((shard) => shard.id)
      if (name === 'catch-up-first') await passed(ports, await standing(ports, shards))
      await caughtUp(ports, shards)
    },
  }
}

/** Where the shards' logs end now. */
function standing(ports: StepPorts, shards: readonly ShardId[]): Promise<FencePoint[]> {
  return Promise.all(shards.map(async (shard) => ({ shard, lsn: await ports.plane.observation.flushedLsn(shard) })))
}

/** Resolves once the streams of these points have applied everything up to them. */
async function passed(ports: StepPorts, points: readonly FencePoint[]): Promise<void> {
  for (;;) {
    ports.signal.throwIfAborted()
    const reports = await Promise.all(points.map(({ shard }) => ports.streams.get(shard)))
    const behind = points.find(({ lsn }, ordinal) => (reports[ordinal]?.applied ?? zeroLsn) < lsn)
    if (!behind) return
    ports.detail(`the stream of ${behind.shard} has not passed the end of the copy`)
    await ports.changed(lookMs, ports.signal)
  }
}

/** Resolves once the streams of these shards all run with no more lag than a cutover may start with. */
export async function caughtUp(ports: StepPorts, shards: readonly ShardId[]): Promise<void> {
  for (;;) {
    ports.signal.throwIfAborted()
    const states = await Promise.all(shards.map((shard) => streamState(ports, shard, ports.plan.cutover.lagMsMax)))
    const behind = states.find((state) => !state.ready)
    if (!behind || behind.ready) return
    ports.detail(behind.reason)
    await ports.changed(lookMs, ports.signal)
  }
}
