import { invariant } from '@crossfade/model/failure.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { DataPlane } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan, ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import type { ReversibleTransform } from '@crossfade/pipeline/transform.ts'
import { streamName } from './changes/names.ts'
import { openReplication } from './changes/replication-connection.ts'
import { connect } from './connection/connect.ts'
import { createPool, type ShardPool } from './connection/pool.ts'
import type { SecretSources } from './connection/secret.ts'
import { createCutoverPlane, type PostgresCutover } from './cutover/plane.ts'
import { createInfrastructure } from './schema/infrastructure.ts'
import { createStreams } from './sink/streams.ts'
import { createSnapshots } from './snapshot/snapshots.ts'
import { createObservation } from './source/observation.ts'
import { createVerification } from './verify/plane.ts'

export interface PostgresPlaneOptions {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  readonly transforms: (name: string) => ReversibleTransform
  /** Which side answers for the data at this moment. */
  readonly authority: () => Promise<Side>
  readonly secrets?: SecretSources
}

/** Sessions of one process on one database: copy jobs, index builds, verification and observation share them. */
const connectionsPerShardMax = 8

/** Everything that a migration asks of PostgreSQL. Opens connections when they are needed; `close` ends them. */
export function openPostgresPlane(options: PostgresPlaneOptions): DataPlane {
  const { plan, migration, transforms, secrets } = options
  const given = secrets ? { secrets } : {}
  const pools = new Map<ShardId, ShardPool>()
  const shardOf = (id: ShardId): ResolvedShard => {
    const shard = [...plan.source.shards, ...plan.target.shards].find((each) => each.id === id)
    invariant(shard, `the plan has no shard ${id}`)
    return shard
  }
  // Every session of ours carries the writer's mark, so that fences let it pass on either side.
  const pool = (id: ShardId): ShardPool => {
    let found = pools.get(id)
    if (!found) {
      found = createPool({
        shard: shardOf(id),
        ...given,
        purpose: 'work',
        writer: migration,
        connectionsMax: connectionsPerShardMax,
      })
      pools.set(id, found)
    }
    return found
  }
  const slot = (id: ShardId): string => {
    const side: Side = plan.source.shards.some((shard) => shard.id === id) ? 'source' : 'target'
    return streamName(
      migration,
      side,
      plan[side].shards.findIndex((shard) => shard.id === id),
    )
  }

  const infrastructure = createInfrastructure({
    plan,
    migration,
    pool,
    ...given,
    removeFences: (side) => cutover.removeFences(side),
  })
  const cutover: PostgresCutover = createCutoverPlane({
    plan,
    migration,
    open: (shard) => connect({ shard: shardOf(shard), ...given, purpose: 'cutover' }),
    carrySequences: (from, to) => infrastructure.carrySequences(from, to),
  })
  const verification = createVerification({
    plan,
    migration,
    read: (shard, work) => pool(shard).withConnection(work),
    write: (shard, work) => pool(shard).withConnection(work),
    authority: options.authority,
    transforms,
  })
  const streams = createStreams({
    plan,
    migration,
    transforms,
    ...given,
    listener: (from, context) => verification.listener(from, context),
  })
  return {
    infrastructure,
    snapshots: createSnapshots({
      plan,
      migration,
      pool,
      transforms: (name) => transforms(name).forward,
      slot,
      openReplication: (shard, signal) =>
        openReplication({ shard: shardOf(shard), ...given, purpose: 'snapshot', signal }),
    }),
    streams,
    verification,
    cutover,
    observation: createObservation({ pool, slot }),
    async close() {
      await cutover.close()
      await Promise.all([...pools.values()].map((each) => each.end()))
    },
  }
}
