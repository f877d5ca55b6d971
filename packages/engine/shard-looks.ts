import type { ShardId } from '@crossfade/model/ids.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import { inTime } from './look-in-time.ts'

const plainProbe = 'SELECT 1'
/** Probes of one look where a latency budget is to be held, and the rest between them. What a copy does to others shows in their slowest answers long before it shows in most. */
const probesPerLook = 10
const probeRestMs = 50
/** The slowest but this many are left out: one slow answer says nothing. */
const slowestLeftOut = 1

/** What one database looks like at one moment. Null: not known. */
export interface ShardLook {
  readonly shard: ShardId
  readonly reachable: boolean
  readonly activeBackends: number | null
  readonly sizeBytes: number | null
  readonly walHeldBytes: number | null
  readonly slotActive: boolean | null
  readonly slotLost: boolean
  readonly latencyMs: number | null
  readonly diskFreeBytes: number | null
}

/** Looks at every database of both sides at once. One that does not answer in time is seen as unreachable; nothing is thrown for it. */
export function lookAtShards(ports: TrackPorts): Promise<readonly ShardLook[]> {
  const { observation } = ports.plane
  return Promise.all(
    [...ports.plan.source.shards, ...ports.plan.target.shards].map(async ({ id }): Promise<ShardLook> => {
      try {
        const health = await inTime(ports, observation.shardHealth(id))
        const latencyMs = health.reachable ? await slowAnswerMs(ports, id) : null
        return {
          shard: id,
          ...health,
          latencyMs,
          diskFreeBytes: health.diskFreeBytes ?? null,
        }
      } catch {
        return {
          shard: id,
          reachable: false,
          activeBackends: null,
          sizeBytes: null,
          walHeldBytes: null,
          slotActive: null,
          slotLost: false,
          latencyMs: null,
          diskFreeBytes: null,
        }
      }
    }),
  )
}

/** How long a slow answer takes just now, in milliseconds; where no budget is to be held, how long one answer takes. */
async function slowAnswerMs(ports: TrackPorts, shard: ShardId): Promise<number> {
  const answers: number[] = []
  const count = ports.plan.throttle.latencyBudget === null ? 1 : probesPerLook
  for (let probe = 0; probe < count; probe += 1) {
    if (probe > 0) await ports.clock.sleep(probeRestMs)
    answers.push((await inTime(ports, ports.plane.observation.probe(shard, plainProbe))).latencyMs)
  }
  return answers.toSorted((a, b) => b - a)[Math.min(slowestLeftOut, count - 1)]!
}
