import type { ShardId } from '@crossfade/model/ids.ts'
import { type Lsn, maxLsn, minLsn, parseLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import { chunkIdPrefix } from '../snapshot/chunks.ts'
import type { DirectedTable, Direction } from './direction.ts'
import type { TargetSession } from './target-session.ts'

export interface CopiedPositions {
  /** The newest snapshot that any row of the shard was copied from: up to there changes may already be in the copy. */
  readonly newest: Lsn
  /** Everything up to here is in the copy of this table. */
  readonly until: (table: DirectedTable) => Lsn
}

/** Reads from the checkpoints of the copy which snapshots the shard's rows came from. Zero for a side that was never copied from. */
export async function copiedPositions(
  sessions: readonly TargetSession[],
  direction: Direction,
  from: ShardId,
): Promise<CopiedPositions> {
  let newest = zeroLsn
  const until = new Map<DirectedTable, Lsn>()
  for (const session of sessions) {
    const rows = await session.select(
      'SELECT chunk_id, snapshot_lsn::text FROM crossfade.chunk_done WHERE migration = $1',
      [direction.migration],
    )
    for (const table of direction.tables) {
      const prefix = chunkIdPrefix(from, table.plan.source)
      for (const [id, text] of rows) {
        if (!id!.startsWith(prefix) || !/^\d+$/.test(id!.slice(prefix.length))) continue
        const lsn = parseLsn(text!)
        newest = maxLsn(newest, lsn)
        until.set(table, minLsn(until.get(table) ?? lsn, lsn))
      }
    }
  }
  return { newest, until: (table) => until.get(table) ?? zeroLsn }
}
