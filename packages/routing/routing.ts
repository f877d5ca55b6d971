import type { ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { Topology } from './topology.ts'

/**
 * Who answers for each key, at one epoch. The unit of a cutover is a source shard: all keys that the source topology gives to it.
 * A key's owner is found in two steps: its unit by the source topology, then, where the unit's authority is `target`, its shard by the target topology.
 */
export interface Routing {
  /** Grows by one with every change; a client never goes back to an older one. */
  readonly epoch: number
  readonly source: Topology
  readonly target: Topology
  /** Authority of each unit (source shard). */
  readonly authority: Readonly<Record<ShardId, Side>>
  /** Units whose writes are fenced just now, because a cutover is on. */
  readonly fenced: readonly ShardId[]
}
