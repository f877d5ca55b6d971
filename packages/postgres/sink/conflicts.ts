import { fail } from '@crossfade/model/failure.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import { readUniqueIndexes, type UniqueIndex } from './applied-table.ts'
import type { Layout } from './layout.ts'
import type { OriginReader } from './origin-reader.ts'
import { stagedPut, type TableWriter, type WrittenRow } from './table-writer.ts'
import type { TargetSession } from './target-session.ts'

/** A row that was changed though the stream said nothing about it; without identity its key is empty. */
export interface TouchedRow {
  readonly layout: Layout
  readonly key: readonly string[]
}

/**
 * Makes room for a row that a unique index refuses, inside the open transaction. Returns the rows that were in the way, now deleted.
 *
 * At the followed shard no two rows held the value at this point of the stream. So a row that holds it here is ahead of the stream: it was copied, or
 * fetched, after the change that gave it the value. That change is still to come and brings the row back. Only where several shards are merged may it be
 * another shard's row: then both claim the value for good, CF3204.
 */
export async function makeRoom(
  session: TargetSession,
  writer: TableWriter,
  row: WrittenRow,
  otherOrigins: readonly OriginReader[],
): Promise<TouchedRow[]> {
  const { layout } = writer
  const evicted: TouchedRow[] = []
  if (layout.keyCells.length === 0) return evicted
  session.pipeline.execute(writer.clearStageSql)
  writer.stageSingle(session.pipeline, stagedPut, 0, row)
  for (const index of await readUniqueIndexes(session.client, layout.table.to)) {
    for (const key of (await session.select(blockersSql(writer, index), [])) as string[][]) {
      for (const origin of otherOrigins) {
        if (!(await origin.hasKey(layout.table, key))) continue
        throw fail('CF3204', {
          table: tableKey(layout.table.to),
          shard: session.shard,
          constraint: index.name,
          key: JSON.stringify(key),
          other: origin.shard.id,
        })
      }
      await session.select(writer.deleteSql, key)
      evicted.push({ layout, key })
    }
  }
  await session.select(writer.clearStageSql, [])
  return evicted
}

/** Keys of the rows whose indexed values are those of the staged row. */
function blockersSql(writer: TableWriter, index: UniqueIndex): string {
  const keys = writer.layout.table.key.map((column) => quoteIdentifier(column.to))
  const values = index.expressions.map((expression, place) => `${expression} AS x${place}`).join(', ')
  const where = index.predicate === null ? '' : ` WHERE ${index.predicate}`
  const same = index.expressions.map((_, place) => `have.x${place} = want.x${place}`).join(' AND ')
  const other = keys.map((_, place) => `have.k${place} IS DISTINCT FROM want.k${place}`).join(' OR ')
  const key = keys.map((name, place) => `${name} AS k${place}`).join(', ')
  const texts = keys.map((_, place) => `have.k${place}::text`).join(', ')
  return `SELECT ${texts} FROM (SELECT ${values}, ${key} FROM ${writer.stage}${where}) AS want
JOIN (SELECT ${values}, ${key} FROM ${quoteTable(writer.layout.table.to)}${where}) AS have ON ${same} WHERE ${other}`
}
