import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import { entry } from './entries.ts'
import type { HttpGet } from './gates.ts'
import type { JournaledState } from './journaled-state.ts'
import { observedSamples, Rates } from './observed-samples.ts'
import { lookAtShards } from './shard-looks.ts'
import type { ControlStore } from './store.ts'
import { Throttle, type ThrottleDecision } from './throttle.ts'
import { throttleLook } from './throttle-look.ts'
import { failureView } from './trouble.ts'

const lookMs = 1_000
/** Samples are kept for a day, and cleared out every so often. */
const samplesKeptMs = 24 * 60 * 60 * 1_000
const pruneMs = 60_000

/** Looks at databases, streams and tasks once a second while this process holds the migration: posts what it sees, keeps samples for plots, and runs the throttle. */
export function observer(store: ControlStore, httpGet: HttpGet) {
  return async (ports: TrackPorts, state: JournaledState, signal: AbortSignal): Promise<void> => {
    const rates = new Rates()
    const throttle = new Throttle(ports.plan.throttle)
    let last: ThrottleDecision['state'] = 'open'
    let prunedAt = ports.clock.now()
    for (;;) {
      signal.throwIfAborted()
      try {
        const shards = await lookAtShards(ports)
        for (const shard of shards) await store.board.put(ports.migration, 'shard', shard.shard, { ...shard })
        const decision = throttle.decide(await throttleLook(ports, state, shards, httpGet))
        const { walExceeded, ...shown } = decision
        await store.board.put(ports.migration, 'throttle', 'throttle', { ...shown })
        if ((decision.state === 'paused') !== (last === 'paused')) {
          await state.append([entry('throttle', { state: decision.state, reason: decision.reason })])
          last = decision.state
        }
        if (walExceeded && !state.seen.failure) await failClosed(ports, state, walExceeded)
        await store.samples.add(ports.migration, await observedSamples(store, ports, shards, decision, rates))
        if (ports.clock.now() - prunedAt > pruneMs) {
          prunedAt = ports.clock.now()
          await store.samples.prune(prunedAt - samplesKeptMs)
        }
      } catch (error) {
        // What can't be seen at this look is seen at the next; a lost lease ends the reconciler by itself.
        if (signal.aborted) throw error
      }
      await ports.clock.sleep(lookMs, signal)
    }
  }
}

/** D05: rather than fill the source's disk the migration stops. The slot stays until a person says `abort`, for dropping it loses the changes. */
async function failClosed(
  ports: TrackPorts,
  state: JournaledState,
  wal: { readonly shard: ShardId; readonly bytes: number },
): Promise<void> {
  const failure = fail('CF6008', { shard: wal.shard, bytes: wal.bytes, limit: ports.plan.throttle.walBytesMax })
  await state.append([
    entry('stopped', { failure: failureView(failure, `the slot of ${wal.shard}`, ports.clock.now(), null) }),
  ])
}
