import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { type Lsn, minLsn } from '@crossfade/model/lsn.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { wholeLsn } from '../sink/position.ts'
import { readPosition } from '../sink/target-session.ts'

type Read = <T>(shard: ShardId, work: (client: ClientBase) => Promise<T>) => Promise<T>

/** Which side's rows are the true ones. `mixed` while some units have been cut over and others not: then changes flow both ways. */
export interface Authority {
  readonly side: Side
  readonly mixed: boolean
}

/**
 * As the databases say it: a unit that has been cut over stays fenced on the source until it is given back. In the moments of a cutover, when both sides are closed and
 * equal, either answer is right.
 */
export async function readAuthority(plan: ResolvedPlan, migration: MigrationId, read: Read): Promise<Authority> {
  const gone = await Promise.all(
    plan.source.shards.map((shard) => read(shard.id, (client) => isFenced(client, migration, shard.id))),
  )
  const all = gone.every((each) => each)
  return { side: all ? 'target' : 'source', mixed: !all && gone.some((each) => each) }
}

/** The least position that every shard of the other side has stored for a shard's stream. */
export async function readApplied(plan: ResolvedPlan, migration: MigrationId, from: ShardId, read: Read): Promise<Lsn> {
  const others = plan.source.shards.some((shard) => shard.id === from) ? plan.target.shards : plan.source.shards
  const positions = await Promise.all(
    others.map((shard) => read(shard.id, (client) => readPosition(client, migration, from))),
  )
  return positions.map(wholeLsn).reduce(minLsn)
}

async function isFenced(client: ClientBase, migration: MigrationId, unit: ShardId): Promise<boolean> {
  const table = await client.query(
    `SELECT 1 FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('crossfade.fence_unit')`,
  )
  if (table.rows.length === 0) return false
  const { rows } = await client.query('SELECT 1 FROM crossfade.fence_unit WHERE migration = $1 AND unit = $2', [
    migration,
    unit,
  ])
  return rows.length > 0
}
