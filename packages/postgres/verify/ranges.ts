import type { ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { VerificationRange } from '@crossfade/pipeline/data-plane.ts'
import { quoteTable } from '../connection/quote.ts'
import { answering, type ComparedTable } from './compared-table.ts'
import type { Comparison, Key } from './look.ts'
import { fromSql, keyColumnsSql } from './look-sql.ts'

/** Keys sampled for each range that is wanted; the ranges' sizes then differ by some ten percent. */
const samplesPerRange = 60
/** Sampled keys of one table, at most; they are held in memory. */
const samplesMax = 60_000

/**
 * Splits a table into ranges of about `chunkRowsMax` rows by keys that are sampled from random pages: no lock, no long snapshot, and each range stands alone.
 * A table without identity, or whose key sorts differently on two shards, is one range (which is read in pieces all the same).
 */
export async function tableRanges(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
): Promise<readonly VerificationRange[]> {
  const { chunkRowsMax } = comparison.plan.verification
  const shards = answering(table, authority)
  const estimates = await Promise.all(shards.map((shard) => estimatedRows(comparison, table, authority, shard)))
  const total = estimates.reduce((sum, rows) => sum + rows, 0)
  const wanted = Math.ceil(total / chunkRowsMax)
  const bounds =
    table.ordered && wanted > 1 ? await sampledBounds(comparison, table, authority, shards, estimates, wanted) : []
  const starts: (Key | null)[] = [null, ...bounds]
  const name = tableKey(table.plan.source)
  return starts.map((from, index) => ({
    id: `${name} ${index + 1}/${starts.length}`,
    table: table.plan.source,
    from,
    to: starts[index + 1] ?? null,
    estimatedRows: Math.ceil(total / starts.length),
  }))
}

/** About how many rows of the table the shard holds: what the last ANALYZE found on a page, times the pages that there are now. Reads no rows. */
export async function estimatedRows(
  comparison: Comparison,
  table: ComparedTable,
  side: Side,
  shard: ShardId,
): Promise<number> {
  return comparison.read(shard, async (client) => {
    const { rows } = await client.query<{ rows: string }>(estimateSql, [quoteTable(table.ends[side].table)])
    const estimate = Number(rows[0]?.rows ?? 0)
    return Number.isFinite(estimate) ? estimate : table.plan.estimate.rows
  })
}

async function sampledBounds(
  comparison: Comparison,
  table: ComparedTable,
  side: Side,
  shards: readonly ShardId[],
  estimates: readonly number[],
  wanted: number,
): Promise<readonly Key[]> {
  const total = estimates.reduce((sum, rows) => sum + rows, 0)
  const share = Math.min(1, Math.min(samplesMax, wanted * samplesPerRange) / total)
  const names = table.key.map((_, index) => `k${index + 1}`)
  const samples = await Promise.all(
    shards.map((shard) =>
      comparison.read(shard, async (client) => {
        // Whole pages are drawn, more of them than needed and of each only some rows, so that neighbours are not all that is seen.
        const percent = Math.min(100, share * 100 * rowsKeptOneOf)
        const keep = `random() < ${percent < 100 ? 1 / rowsKeptOneOf : share}`
        const { rows } = await client.query<Record<string, string>>(
          `SELECT ${keyColumnsSql(table, side).join(', ')} ${fromSql(table, side, keep, ` TABLESAMPLE SYSTEM (${percent})`)}`,
        )
        return rows
      }),
    ),
  )
  const all = samples.flat()
  if (all.length < wanted) return []
  // Sorted by a database, because only it knows the order of the type.
  const values = names.map((name) => all.map((row) => row[name]!))
  const step = all.length / wanted
  const cuts = Array.from({ length: wanted - 1 }, (_, index) => Math.round((index + 1) * step))
  const order = table.key
    .map((column, index) => orderSql(`w.k${index + 1}`, column.types[side], column.order))
    .join(', ')
  const sorted = await comparison.read(shards[0]!, (client) =>
    client.query<Record<string, string>>(
      `SELECT ${names.join(', ')} FROM (SELECT ${names.join(', ')}, row_number() OVER (ORDER BY ${order}) AS place
        FROM unnest(${names.map((_, index) => `$${index + 1}::text[]`).join(', ')}) AS w(${names.join(', ')})) AS sorted
       WHERE place = ANY($${names.length + 1}::bigint[]) ORDER BY place`,
      [...values, cuts],
    ),
  )
  const bounds = sorted.rows.map((row) => names.map((name) => row[name]!))
  // A key that was sampled twice would make an empty range.
  return bounds.filter((bound, index) => index === 0 || bound.some((value, at) => value !== bounds[index - 1]![at]))
}

/** The one collation that ranges are made in is C; what has no collation sorts by its type. */
function orderSql(value: string, type: string, order: string | null): string {
  return order === 'C' ? `(${value}::${type}) COLLATE "C"` : `${value}::${type}`
}

const rowsKeptOneOf = 10

const estimateSql = `SELECT sum(CASE WHEN c.reltuples >= 0 AND c.relpages > 0 THEN c.reltuples / c.relpages ELSE 60 END
    * (pg_relation_size(c.oid) / current_setting('block_size')::bigint))::bigint::text AS rows
  FROM pg_class c WHERE c.relkind = 'r' AND (c.oid = $1::regclass OR c.oid IN (SELECT relid FROM pg_partition_tree($1::regclass) WHERE isleaf))`
