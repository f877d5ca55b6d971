import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import type { ShardLook } from './shard-looks.ts'
import type { ControlStore, Sample } from './store.ts'
import type { ThrottleDecision } from './throttle.ts'

/** What a stream said longer ago says nothing about now. */
const streamAgeMsMax = 4_000

/** The points that plots are drawn of, as of now: rates of copy, verification and streams, and what was seen of the databases. What is not known gives no point. */
export async function observedSamples(
  store: ControlStore,
  ports: TrackPorts,
  shards: readonly ShardLook[],
  decision: ThrottleDecision,
  rates: Rates,
): Promise<readonly Sample[]> {
  const at = ports.clock.now()
  const samples: Sample[] = []
  const add = (name: string, value: number | null) => {
    if (value !== null && Number.isFinite(value)) samples.push({ name, at, value })
  }
  const copy = await store.tasks.totals(ports.migration, 'copy')
  const verified = await store.tasks.totals(ports.migration, 'verify')
  add('copy.bytesPerSecond', rates.of('copy.bytes', copy.bytesDone, at))
  add('copy.rowsPerSecond', rates.of('copy.rows', copy.rowsDone, at))
  add('verify.rowsPerSecond', rates.of('verify.rows', verified.rowsDone, at))
  let changes = 0
  let touched = 0
  for (const { id } of [...ports.plan.source.shards, ...ports.plan.target.shards]) {
    const stream = await ports.streams.get(id)
    if (!stream || at - stream.at > streamAgeMsMax) continue
    changes += stream.rowsPerSecond
    touched += stream.touched
    add(`lagMs.${id}`, stream.lagMs)
    add(`lagBytes.${id}`, stream.lagBytes)
    add(`rowsPerSecond.${id}`, stream.rowsPerSecond)
  }
  add('changes.rowsPerSecond', changes)
  add('touched', touched)
  add('throttle.bytesPerSecondMax', decision.bytesPerSecondMax)
  for (const shard of shards) {
    add(`walHeldBytes.${shard.shard}`, shard.walHeldBytes)
    add(`activeBackends.${shard.shard}`, shard.activeBackends)
    add(`latencyMs.${shard.shard}`, shard.latencyMs)
  }
  return samples
}

/** Rates from totals. A total that falls (its tasks were forgotten) begins anew. */
export class Rates {
  readonly #last = new Map<string, { readonly total: number; readonly at: number }>()

  of(name: string, total: number, at: number): number | null {
    const last = this.#last.get(name)
    this.#last.set(name, { total, at })
    if (!last || at <= last.at) return null
    return total < last.total ? 0 : ((total - last.total) / (at - last.at)) * 1_000
  }
}
