import type { ShardId } from '@crossfade/model/ids.ts'
import type { StepPorts } from '../contract/ports.ts'
import type { Step } from '../contract/track.ts'
import { streamState } from './lag.ts'

/** Streams report at least this often while they run. */
const lookMs = 200

/** Waits until every stream of one side runs and lags at most the cutover's limit behind. */
export function catchUpStep(name: 'catch-up-first' | 'catch-up' | 'catch-up-reverse'): Step {
  const side = name === 'catch-up-reverse' ? 'target' : 'source'
  return {
    name,
    title: name === 'catch-up-reverse' ? 'see that the way back is current' : 'catch up with the changes',
    run: (ports) =>
      caughtUp(
        ports,
        ports.plan[side].shards.map((shard) => shard.id),
      ),
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
