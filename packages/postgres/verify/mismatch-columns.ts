import type { ShardId } from '@crossfade/model/ids.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import type { Text } from '@crossfade/pipeline/transform.ts'
import { type ComparedTable, columnSql } from './compared-table.ts'
import { type Comparison, type Key, keyParameters, keyText, wantedJoin } from './look.ts'
import { fromSql } from './look-sql.ts'
import type { Difference } from './settle.ts'

/** Characters of a value that a mismatch shows. */
const valueShownMax = 1_000

/** Names differences by key and column. Reads the rows once more where columns are to be named. */
export async function mismatchesOf(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
  differences: readonly Difference[],
): Promise<readonly Mismatch[]> {
  const follower = otherSide(authority)
  const rowsOf = async (side: Side, shard: ShardId | undefined) => {
    const keys = differences.filter(
      (each) =>
        each.kind === 'different' && (side === authority ? each.authoritative : each.following)[0]?.shard === shard,
    )
    if (shard === undefined || keys.length === 0 || table.key.length === 0) return []
    const rows = await readRows(
      comparison,
      table,
      side,
      shard,
      keys.map((each) => each.key),
    )
    return [...rows].map(([key, row]) => [`${side} ${shard} ${key}`, row] as const)
  }
  const read = new Map<string, TextRow>(
    (
      await Promise.all(
        (['source', 'target'] as const).flatMap((side) => table.ends[side].shards.map((shard) => rowsOf(side, shard))),
      )
    ).flat(),
  )
  return differences.map((difference) => {
    const shards = {
      [authority]: difference.authoritative[0]?.shard ?? null,
      [follower]: followerShard(difference),
    } as Record<Side, ShardId | null>
    const text = keyText(difference.key)
    const rows = {
      source: read.get(`source ${shards.source} ${text}`),
      target: read.get(`target ${shards.target} ${text}`),
    }
    return {
      table: table.plan.source,
      kind: difference.kind,
      key: difference.whole ?? namedKey(table, difference.key),
      source: shards.source,
      target: shards.target,
      columns: rows.source && rows.target ? differingColumns(table, rows.source, rows.target) : [],
    }
  })
}

/** Identity columns, by their names on the source. */
export function namedKey(table: ComparedTable, key: Key): Readonly<Record<string, string>> {
  return Object.fromEntries(table.key.map((column, index) => [column.names.source, key[index]!]))
}

/** Values of all compared columns, in the plan's order, by key. */
export type TextRow = readonly Text[]

/** Reads rows of one shard by their keys, every column as the database prints it. */
export async function readRows(
  comparison: Comparison,
  table: ComparedTable,
  side: Side,
  shard: ShardId,
  keys: readonly Key[],
): Promise<ReadonlyMap<string, TextRow>> {
  const wanted = wantedJoin(table, side)
  const values = table.columns.map((column, index) => `${columnSql(table, column, side)}::text AS c${index + 1}`)
  const names = wanted.names.map((name, index) => `${name} AS k${index + 1}`)
  const { rows } = await comparison.read(shard, (client) =>
    client.query<Record<string, Text>>({
      text: `SELECT ${[...names, ...values].join(', ')} ${fromSql(table, side, null, wanted.join)}`,
      values: keyParameters(table, keys),
    }),
  )
  return new Map(
    rows.map((row) => [
      keyText(table.key.map((_, index) => row[`k${index + 1}`]!)),
      table.columns.map((_, index) => row[`c${index + 1}`] ?? null),
    ]),
  )
}

/** The columns that differ, by their names on the source; values are cut to what a person can read. */
export function differingColumns(table: ComparedTable, source: TextRow, target: TextRow): Mismatch['columns'] {
  return table.columns.flatMap((column, index) => {
    if (source[index] === target[index]) return []
    return [{ column: column.names.source, source: shown(source[index]!), target: shown(target[index]!) }]
  })
}

function followerShard(difference: Difference): ShardId | null {
  const { following } = difference
  // Where a row lies twice or on the wrong shard, that one is to be named.
  return (
    (following.find((row) => row.misplaced) ?? following[0])?.shard ??
    (difference.shards.length === 1 ? difference.shards[0]! : null)
  )
}

function shown(value: Text): Text {
  return value !== null && value.length > valueShownMax ? `${value.slice(0, valueShownMax)}…` : value
}
