import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import { route } from './route.ts'
import type { Routing } from './routing.ts'

export interface Owner {
  /** The source shard whose cutover decides about this key. */
  readonly unit: ShardId
  readonly side: Side
  /** The database that answers for the key. */
  readonly shard: ShardId
  /** Its writes are refused just now; reads go on. */
  readonly fenced: boolean
}

/** Who answers for a key at the routing's epoch. Throws as `route` does, and CF2804 when the routing does not name the unit's authority. */
export function owner(routing: Routing, key: string | null): Owner {
  const unit = route(routing.source, key)
  const side = Object.hasOwn(routing.authority, unit) ? routing.authority[unit] : undefined
  if (side === undefined) throw fail('CF2804', { unit, epoch: routing.epoch })
  return {
    unit,
    side,
    shard: side === 'target' ? route(routing.target, key) : unit,
    fenced: routing.fenced.includes(unit),
  }
}
