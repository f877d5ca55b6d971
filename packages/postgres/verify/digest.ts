import type { ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { ClientBase } from 'pg'
import type { ComparedTable } from './compared-table.ts'
import { type Key, keyText } from './look.ts'
import { bucketSql, fromSql, keyColumnsSql, misplacedSql, rowHashSql } from './look-sql.ts'
import type { Window } from './window.ts'

/** What one shard holds of a range: the number of rows, the sum of their hashes (any order gives the same), and the rows that lie on a wrong shard. */
export interface Digest {
  readonly rows: number
  readonly sum: bigint
  readonly misplaced: number
}

/** Of no rows; adding it changes nothing. */
export const emptyDigest: Digest = { rows: 0, sum: 0n, misplaced: 0 }

/** The digest of both sets of rows together. Pure, in any order. */
export function addDigests(a: Digest, b: Digest): Digest {
  return { rows: a.rows + b.rows, sum: a.sum + b.sum, misplaced: a.misplaced + b.misplaced }
}

/** Whether both stand for the same rows, as far as hashes tell; where rows lie does not count. */
export function sameDigest(a: Digest, b: Digest): boolean {
  return a.rows === b.rows && a.sum === b.sum
}

/** One of several parts into which a window's rows are spread by their keys' hashes. */
export interface Bucket {
  readonly of: number
  readonly number: number
}

/** The digest of a window, made by the database. One statement. */
export async function digestWindow(
  client: ClientBase,
  table: ComparedTable,
  authority: Side,
  side: Side,
  shard: ShardId,
  window: Window,
): Promise<Digest> {
  const misplaced = misplacedSql(table, authority, side, shard)
  const { rows } = await client.query<{ rows: string; sum: string; misplaced: string }>({
    text: `SELECT count(*)::text AS rows, coalesce(sum(${rowHashSql(table, side)}), 0)::text AS sum,
      ${misplaced ? `count(*) FILTER (WHERE ${misplaced.expression})::text` : `'0'`} AS misplaced
      ${fromSql(table, side, window.condition, misplaced?.joins)}`,
    values: [...window.parameters],
  })
  const row = rows[0]!
  return { rows: Number(row.rows), sum: BigInt(row.sum), misplaced: Number(row.misplaced) }
}

/** The digests of a window's buckets, by their number; empty buckets are left out. One statement. */
export async function digestBuckets(
  client: ClientBase,
  table: ComparedTable,
  authority: Side,
  side: Side,
  shard: ShardId,
  window: Window,
  buckets: number,
): Promise<ReadonlyMap<number, Digest>> {
  const misplaced = misplacedSql(table, authority, side, shard)
  const { rows } = await client.query<{ bucket: string; rows: string; sum: string; misplaced: string }>({
    text: `SELECT ${bucketSql(table, side, buckets)}::text AS bucket, count(*)::text AS rows, coalesce(sum(${rowHashSql(table, side)}), 0)::text AS sum,
      ${misplaced ? `count(*) FILTER (WHERE ${misplaced.expression})::text` : `'0'`} AS misplaced
      ${fromSql(table, side, window.condition, misplaced?.joins)} GROUP BY 1`,
    values: [...window.parameters],
  })
  return new Map(
    rows.map((row) => [
      Number(row.bucket),
      { rows: Number(row.rows), sum: BigInt(row.sum), misplaced: Number(row.misplaced) },
    ]),
  )
}

/** A row's key and hash, as listed where digests differ. A table without identity has its rows' hashes for keys, and says how many there are. */
export interface ListedRow {
  readonly key: Key
  readonly text: string
  readonly hash: bigint
  readonly count: number
  readonly misplaced: boolean
}

/** Keys and hashes of a bucket's rows. The caller chooses buckets small enough to be held. */
export async function listRows(
  client: ClientBase,
  table: ComparedTable,
  authority: Side,
  side: Side,
  shard: ShardId,
  window: Window,
  bucket: Bucket,
): Promise<readonly ListedRow[]> {
  const misplaced = misplacedSql(table, authority, side, shard)
  const keys = keyColumnsSql(table, side)
  const condition =
    [window.condition, bucket.of > 1 ? `${bucketSql(table, side, bucket.of)} = ${bucket.number}` : null]
      .filter(Boolean)
      .join(' AND ') || null
  const hash = `${rowHashSql(table, side)}::text AS hash, ${misplaced ? `(${misplaced.expression})::text` : `'false'`} AS misplaced`
  const from = fromSql(table, side, condition, misplaced?.joins)
  const text =
    keys.length > 0
      ? `SELECT ${keys.join(', ')}, ${hash}, '1' AS count ${from}`
      : `SELECT hash, misplaced, count(*)::text AS count FROM (SELECT ${hash} ${from}) AS each GROUP BY 1, 2`
  const { rows } = await client.query<Record<string, string>>({ text, values: [...window.parameters] })
  return rows.map((row) => {
    const key = keys.length > 0 ? keys.map((_, index) => row[`k${index + 1}`]!) : [row['hash']!]
    return {
      key,
      text: keyText(key),
      hash: BigInt(row['hash']!),
      count: Number(row['count']),
      misplaced: row['misplaced'] === 'true',
    }
  })
}
