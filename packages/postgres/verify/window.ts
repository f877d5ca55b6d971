import type { Side } from '@crossfade/model/stage.ts'
import type { VerificationRange } from '@crossfade/pipeline/data-plane.ts'
import type { ClientBase } from 'pg'
import { quoteTable } from '../connection/quote.ts'
import { type ComparedTable, columnSql, rowAlias } from './compared-table.ts'

/** The part of a table that one statement reads, as a condition over the row; null reads all of it. */
export interface Window {
  readonly condition: string | null
  readonly parameters: readonly string[]
}

/** Pages that one statement reads where a table is read page by page: 32 MiB, so that no snapshot is held for long (D14). */
const pagesPerWindow = 4096

/** Splits a range of the plan into windows for one shard. Ranges by key are one window; a table whose key sorts differently here and there is read by pages. */
export async function windowsOf(
  client: ClientBase,
  table: ComparedTable,
  side: Side,
  range: VerificationRange,
  pages: number = pagesPerWindow,
): Promise<readonly Window[]> {
  if (range.from !== null || range.to !== null) return [keyWindow(table, side, range)]
  // Rows without a key have nothing but their number to be told apart by, so all are counted in one snapshot.
  if (table.ordered || table.key.length === 0) return [{ condition: null, parameters: [] }]
  return pageWindows(client, table, side, pages)
}

/** Rows with `from <= key < to`, in the key's own order. */
export function keyWindow(table: ComparedTable, side: Side, range: Pick<VerificationRange, 'from' | 'to'>): Window {
  const columns = table.key.map((column) => columnSql(table, column, side))
  const parameters: string[] = []
  const bound = (values: readonly string[]) =>
    table.key
      .map((column, index) => {
        parameters.push(values[index]!)
        return `$${parameters.length}::${column.types[side]}`
      })
      .join(', ')
  const conditions: string[] = []
  if (range.from !== null) conditions.push(`(${columns.join(', ')}) >= (${bound(range.from)})`)
  if (range.to !== null) conditions.push(`(${columns.join(', ')}) < (${bound(range.to)})`)
  return { condition: conditions.length > 0 ? conditions.join(' AND ') : null, parameters }
}

async function pageWindows(
  client: ClientBase,
  table: ComparedTable,
  side: Side,
  pagesEach: number,
): Promise<readonly Window[]> {
  const { rows } = await client.query<{ oid: string; pages: string }>(leavesSql, [quoteTable(table.ends[side].table)])
  const row = rowAlias(table, side)
  const single = rows.length === 1
  return rows.flatMap(({ oid, pages }) => {
    const leaf = single ? [] : [`${row}.tableoid = ${oid}`]
    const count = Math.max(1, Math.ceil(Number(pages) / pagesEach))
    return Array.from({ length: count }, (_, index): Window => {
      const conditions = [...leaf, `${row}.ctid >= '(${index * pagesEach},0)'::tid`]
      // The last one is open above: what was added since is in it.
      if (index < count - 1) conditions.push(`${row}.ctid < '(${(index + 1) * pagesEach},0)'::tid`)
      return { condition: conditions.join(' AND '), parameters: [] }
    })
  })
}

const leavesSql = `SELECT c.oid::text AS oid, (pg_relation_size(c.oid) / current_setting('block_size')::bigint)::text AS pages
  FROM pg_partition_tree($1::regclass) t JOIN pg_class c ON c.oid = t.relid WHERE t.isleaf
  UNION ALL SELECT c.oid::text, (pg_relation_size(c.oid) / current_setting('block_size')::bigint)::text
  FROM pg_class c WHERE c.oid = $1::regclass AND c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_partition_tree($1::regclass))`
