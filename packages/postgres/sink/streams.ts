import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { type Lsn, minLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { StreamObserver, Streams, TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan, ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import type { Client } from 'pg'
import { streamName } from '../changes/names.ts'
import { readChanges } from '../changes/read.ts'
import { connect } from '../connection/connect.ts'
import type { SecretSources } from '../connection/secret.ts'
import { type Direction, directionOf, type TransformPairs } from './direction.ts'
import { follow } from './follow.ts'
import { wholeLsn } from './position.ts'
import { readPosition } from './target-session.ts'
import type { TouchListener } from './touch-listener.ts'

export interface StreamsOptions {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  readonly transforms: TransformPairs
  readonly secrets?: SecretSources
  /** Who compares what the stream of a shard touches; made anew each time the shard is followed. */
  readonly listener: (from: ShardId, context: TaskContext) => TouchListener
}

/** The `Streams` of a data plane: both directions, one stream for each shard. */
export function createStreams(options: StreamsOptions): Streams {
  const { plan, migration, secrets } = options
  const directions = new Map<Side, Direction>()
  const directionFrom = (shard: ShardId) => {
    const side: Side = plan.source.shards.some((each) => each.id === shard) ? 'source' : 'target'
    let direction = directions.get(side)
    if (!direction) {
      direction = directionOf(plan, migration, side, options.transforms)
      directions.set(side, direction)
    }
    return direction
  }
  const open = (shard: ResolvedShard, purpose: string, writer: boolean): Promise<Client> =>
    connect({ shard, purpose, ...(writer ? { writer: migration } : {}), ...(secrets ? { secrets } : {}) })

  return {
    async follow(from: ShardId, context: TaskContext, observer: StreamObserver): Promise<void> {
      const direction = directionFrom(from)
      const ordinal = direction.fromShards.findIndex((shard) => shard.id === from)
      const shard = direction.fromShards[ordinal]!
      const name = streamName(migration, direction.from, ordinal)
      await follow({
        plan,
        direction,
        from,
        context,
        observer,
        listener: options.listener(from, context),
        connectTarget: (target) => open(target, 'apply', true),
        connectOrigin: (origin) => open(origin, 'look up', false),
        read: (startAt, effective, signal) =>
          readChanges({
            shard,
            ...(secrets ? { secrets } : {}),
            slot: name,
            publication: name,
            startAt,
            gapless: true,
            migration,
            binary: direction.binary,
            signal,
            limits: { pieceRowsMax: plan.changes.batchRowsMax },
            tables: effective.tables.map((table) => ({
              schema: table.from.schema,
              name: table.from.name,
              columns: table.columns
                .filter((column) => !column.plan.generated && column.inFrom)
                .map((column) => ({ name: column.from, type: column.plan.type })),
            })),
          }),
      })
    },

    async applied(from: ShardId): Promise<Lsn> {
      const positions = await Promise.all(
        directionFrom(from).toShards.map(async (shard) => {
          const client = await open(shard, 'look up', false)
          try {
            return wholeLsn(await readPosition(client, migration, from))
          } finally {
            await client.end().catch(() => {})
          }
        }),
      )
      return positions.reduce(minLsn) ?? zeroLsn
    },
  }
}
