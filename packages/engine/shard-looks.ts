import type { ShardId } from '@crossfade/model/ids.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import { inTime } from './look-in-time.ts'

const plainProbe = 'SELECT 1'

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
        const probe = health.reachable ? await inTime(ports, observation.probe(id, plainProbe)) : null
        return {
          shard: id,
          ...health,
          latencyMs: probe?.latencyMs ?? null,
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
