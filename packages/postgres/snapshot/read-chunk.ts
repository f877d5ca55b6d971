import type { Chunk } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedColumn, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { keyExpressionSql, keyJoinSql } from '@crossfade/routing/table-key.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import type { CopyFormat } from './split-rows.ts'

/** The statement that reads a chunk: the columns in their order, and before them the shard key as text when `withKey`. */
export function readChunkSql(
  table: ResolvedTable,
  chunk: Chunk,
  columns: readonly ResolvedColumn[],
  format: CopyFormat,
  withKey: boolean,
): string {
  const alias = quoteIdentifier(table.source.name)
  const selected = columns.map((column) => `${alias}.${quoteIdentifier(column.source)}`)
  let joins = ''
  if (withKey) {
    // A condition of the plan names columns without their table, so no joined parent may stand beside it.
    const key = table.where === null ? keyJoinSql(table.route, alias) : null
    joins = key?.joins ?? ''
    selected.unshift(key?.expression ?? keyExpressionSql(table.route, alias))
  }
  // A partitioned root, which has no file, is read with all that is below it.
  const from = `${chunk.filenode === undefined ? '' : 'ONLY '}${quoteTable(chunk.leaf)} AS ${alias}${joins}`
  const conditions = pageConditions(chunk, alias)
  if (table.where !== null) conditions.push(`(${table.where}\n)`)
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  return `COPY (SELECT ${selected.join(', ')} FROM ${from}${where}) TO STDOUT (FORMAT ${format})`
}

/** The statement that takes the chunk's rows on a target. */
export function writeChunkSql(
  table: ResolvedTable,
  columns: readonly ResolvedColumn[],
  format: CopyFormat,
  into?: string,
): string {
  const names = columns.map((column) => quoteIdentifier(column.target)).join(', ')
  // A table without columns takes no list, not an empty one.
  return `COPY ${into ?? quoteTable(table.target)} ${names && `(${names}) `}FROM STDIN (FORMAT ${format})`
}

function pageConditions(chunk: Chunk, alias: string): string[] {
  const conditions: string[] = []
  if (chunk.fromPage > 0) conditions.push(`${alias}.ctid >= '(${chunk.fromPage},0)'::pg_catalog.tid`)
  if (chunk.toPage !== null) conditions.push(`${alias}.ctid < '(${chunk.toPage},0)'::pg_catalog.tid`)
  return conditions
}
