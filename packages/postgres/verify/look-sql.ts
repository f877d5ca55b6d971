import type { ShardId } from '@crossfade/model/ids.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import { routeSql } from '@crossfade/routing/route-sql.ts'
import { keyExpressionSql, keyJoinSql } from '@crossfade/routing/table-key.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import { quoteLiteral } from '../connection/quote.ts'
import { type ComparedTable, columnSql, hashElements, isReference, rowAlias } from './compared-table.ts'

/** Seed of the hash that spreads keys over buckets; another one than the rows', so that the two are independent. */
const bucketSeed = 7

/** Far from 0, which NULL counts as: the database hashes a numeric zero to the seed less one, and NaN to the seed itself. */
const rowSeed = 6_769_440_239_481_063_367n

/** Buckets that a statement lists one by one. */
const listedBucketsMax = 4_096

/** An expression over the row, and the joins it needs after the table in FROM. */
export interface JoinedExpression {
  readonly joins: string
  readonly expression: string
}

/**
 * The hash of a whole row: a bigint that is the same at both ends where every column prints the same, and by chance alone elsewhere (the database folds
 * 64-bit integers and times to 32 bits: one in 2^32 for a value that differs).
 * `hash_record_extended` adds its elements up with fixed weights, so that values swapped between two rows would leave the sum over the rows as it was; mixing
 * its result once more ends that. As a seed it is mixed whole: as a value, `hashint8extended` would fold it to 32 bits and a float would lose its last bits.
 */
export function rowHashSql(table: ComparedTable, side: Side): string {
  const elements = table.columns.map((column) => hashElements(table, column, side)).join(', ')
  return `hashint4extended(0, hash_record_extended(ROW(${elements}), ${rowSeed}))`
}

/** Key columns as text, under `k1`, `k2` …; empty for a table without identity. */
export function keyColumnsSql(table: ComparedTable, side: Side): readonly string[] {
  return table.key.map((column, index) => `${columnSql(table, column, side)}::text AS k${index + 1}`)
}

/** A bucket number from 0 to `buckets` - 1 (a power of two): by the key, or by the whole row where it has none. */
export function bucketSql(table: ComparedTable, side: Side, buckets: number): string {
  if (table.key.length === 0) return `(${rowHashSql(table, side)} & ${buckets - 1})`
  const key = table.key.map((column) => `${columnSql(table, column, side)}::text COLLATE "C"`)
  return `(hash_record_extended(ROW(${key.join(', ')}), ${bucketSeed}) & ${buckets - 1})`
}

/** FROM and WHERE for a table of a side, without the rows that are not moved. */
export function fromSql(table: ComparedTable, side: Side, condition: string | null, joins = ''): string {
  const end = table.ends[side]
  const conditions = [...(condition ? [condition] : []), ...(end.where === null ? [] : [`(${end.where}\n)`])]
  return `FROM ${end.relation} AS ${rowAlias(table, side)}${joins}${conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''}`
}

/**
 * Whether a row lies on another shard than its key says. Null where no row can: one shard, reference tables, and the authoritative side, whose placing is its
 * own affair.
 */
export function misplacedSql(
  table: ComparedTable,
  authority: Side,
  side: Side,
  shard: ShardId,
): JoinedExpression | null {
  const end = table.ends[side]
  if (side === authority || end.shards.length < 2 || isReference(table) || end.topology.kind === 'single') return null
  const key = shardKeySql(table, side)
  return { joins: key.joins, expression: elsewhereSql(end.topology, key.expression, shard) }
}

/** Whether a key belongs to another shard. A bucket is looked up in the shard's own: half of what it costs to find out whose it is. */
function elsewhereSql(topology: Topology, key: string, shard: ShardId): string {
  if (topology.kind !== 'hash' || topology.buckets > listedBucketsMax) {
    return `(${routeSql(topology, key)}) IS DISTINCT FROM ${quoteLiteral(shard)}`
  }
  const own = topology.ranges
    .filter((range) => range.shard === shard)
    .flatMap((range) => Array.from({ length: range.to - range.from }, (_, index) => range.from + index))
  return `((pg_catalog.hashtext(${key}) & 2147483647) % ${topology.buckets} = ANY('{${own.join(',')}}'::int[])) IS NOT TRUE`
}

/** The shard of the other side that a row of the authoritative side belongs to. */
export function destinationSql(table: ComparedTable, authority: Side): JoinedExpression {
  const key = shardKeySql(table, authority)
  return { joins: key.joins, expression: routeSql(table.ends[otherSide(authority)].topology, key.expression) }
}

/** The version of a row: changes with every update, and with nothing else but a rewrite of the table. */
export function versionSql(table: ComparedTable, side: Side): string {
  const row = rowAlias(table, side)
  return `${row}.tableoid::text || ' ' || ${row}.ctid::text || ' ' || ${row}.xmin::text`
}

/** A condition of the plan names columns without their table, so no joined parent may stand beside it. */
function shardKeySql(table: ComparedTable, side: Side): JoinedExpression {
  const { route, where } = table.ends[side]
  const row = rowAlias(table, side)
  return where === null ? keyJoinSql(route, row) : { joins: '', expression: keyExpressionSql(route, row) }
}
