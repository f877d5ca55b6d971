import type { MigrationId } from '@crossfade/model/ids.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import { chunkIdPrefix } from './chunks.ts'

/**
 * Leaves one row per key in a target's table whose chunks were read from more than one snapshot of a source: a row that moved to another page in between was then copied twice.
 * Which of its states stays does not matter, since the stream replays everything after the first snapshot. Call it before the primary key is built.
 * Returns the number of rows removed; a table that was read from one snapshot, or that has no key, costs one look at the checkpoints. Idempotent.
 */
export async function removeDuplicates(
  client: ClientBase,
  migration: MigrationId,
  plan: ResolvedPlan,
  table: ResolvedTable,
): Promise<number> {
  if (table.identity.kind !== 'key' || !(await readTwice(client, migration, plan, table))) return 0
  const name = quoteTable(table.target)
  const key = table.identity.columns
    .map((column) => table.columns.find((candidate) => candidate.source === column)?.target ?? column)
    .map(quoteIdentifier)
    .join(', ')
  // ctids of two partitions may be equal, so the partition is part of a row's place.
  const { rowCount } = await client.query(
    `DELETE FROM ${name} AS t USING (
       SELECT tableoid AS part, ctid AS place, row_number() OVER (PARTITION BY ${key} ORDER BY tableoid, ctid) AS n FROM ${name}
     ) AS d WHERE d.n > 1 AND t.tableoid = d.part AND t.ctid = d.place`,
  )
  return rowCount ?? 0
}

async function readTwice(
  client: ClientBase,
  migration: MigrationId,
  plan: ResolvedPlan,
  table: ResolvedTable,
): Promise<boolean> {
  const prefixes = plan.source.shards.map((shard) => chunkIdPrefix(shard.id, table.source))
  const { rows } = await client.query(
    `SELECT FROM unnest($2::text[]) AS p (prefix) JOIN crossfade.chunk_done AS d ON d.migration = $1 AND starts_with(d.chunk_id, p.prefix)
     GROUP BY p.prefix HAVING count(DISTINCT d.snapshot_lsn) > 1 LIMIT 1`,
    [migration, prefixes],
  )
  return rows.length > 0
}
