import type { ShardId } from '@crossfade/model/ids.ts'
import type { Snapshots } from '@crossfade/pipeline/data-plane.ts'
import type { ReplicationConnection } from '../changes/replication-connection.ts'
import { chunkIdPrefix, isChunkOf, planChunks } from './chunks.ts'
import { type CopyChunkOptions, copyChunk, targetsOf } from './copy-chunk.ts'
import { holdSnapshot } from './hold.ts'

export interface SnapshotsOptions extends CopyChunkOptions {
  /** Opens a walsender on a source; it is cut when the signal aborts. */
  readonly openReplication: (shard: ShardId, signal: AbortSignal) => Promise<ReplicationConnection>
  /** The slot of a source's stream. */
  readonly slot: (shard: ShardId) => string
}

/** The consistent copy on PostgreSQL: `Snapshots` for one migration. Holds nothing between calls but the snapshots that are open. */
export function createSnapshots(options: SnapshotsOptions): Snapshots {
  const { plan, migration, pool } = options
  return {
    chunks: (source) => pool(source).withConnection((client) => planChunks(client, plan, source)),

    async open(source, context) {
      const connection = await options.openReplication(source, context.signal)
      return holdSnapshot({ shard: source, slot: options.slot(source), epoch: context.epoch, connection })
    },

    copy: (chunk, snapshot, context) => copyChunk(options, chunk, snapshot, context),

    async copied(source) {
      const targets = plan.target.shards.map((shard) => shard.id)
      const done = new Map(
        await Promise.all(
          targets.map(async (shard) => {
            const rows = await pool(shard).withConnection((client) =>
              client.query<{ chunk_id: string }>(
                'SELECT chunk_id FROM crossfade.chunk_done WHERE migration = $1 AND starts_with(chunk_id, $2)',
                [migration, `${source} `],
              ),
            )
            return [shard, new Set(rows.rows.map((row) => row.chunk_id))] as const
          }),
        ),
      )
      const complete = new Set<string>()
      for (const table of plan.tables) {
        const [first, ...others] = targetsOf(plan, table).map((shard) => done.get(shard) ?? new Set<string>())
        const prefix = chunkIdPrefix(source, table.source)
        for (const id of first ?? []) {
          if (isChunkOf(id, prefix) && others.every((ids) => ids.has(id))) complete.add(id)
        }
      }
      return complete
    },
  }
}
