import { createHash } from 'node:crypto'
import type { ShardId } from '@crossfade/model/ids.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import type { Row, Text } from '@crossfade/pipeline/transform.ts'
import { answering, type ComparedColumn, type ComparedTable, columnSql, isOn } from './compared-table.ts'
import {
  type Comparison,
  currentPositions,
  type Key,
  keyParameters,
  keyText,
  type Looker,
  type Occurrence,
  type Seen,
  wantedJoin,
} from './look.ts'
import { destinationSql, fromSql, versionSql } from './look-sql.ts'

/** A row as it is on one shard: its key, and the values of all compared columns as text. */
interface TextOccurrence {
  readonly key: Key
  readonly shard: ShardId
  readonly version: string
  /** The shard of the other side that it belongs to; empty where that was not asked. */
  readonly destination: string
  readonly values: readonly Text[]
}

export interface TransformLooker extends Looker {
  /** Whether any row seen so far has another key on the other side. */
  keysChange(): boolean
}

/**
 * Compares rows through the table's transform: the source's rows are given to `forward`, whatever side answers, and what comes out is compared with the target's rows as
 * the target would print it. Keys are those of the side that answers; a key that the transform changes is followed from a row that is there.
 */
export function transformLooker(comparison: Comparison, table: ComparedTable, authority: Side): TransformLooker {
  const follower = otherSide(authority)
  let keysChange = false
  /** What the last look at the answering side said about each key. */
  const known = new Map<string, { readonly there: Key; readonly destination: string }>()

  const authoritative: Looker['authoritative'] = async (keys) => {
    const rows = await readSide(comparison, table, authority, answering(table, authority), keys, true)
    const seen = await asTarget(comparison, table, authority, rows)
    for (const { row, there } of seen) {
      if (there && keyText(there) !== keyText(row.key)) keysChange = true
      known.set(keyText(row.key), { there: there ?? row.key, destination: row.destination })
    }
    return gather(
      seen.filter((each) => each.occurrence !== null).map((each) => [keyText(each.row.key), each.occurrence!]),
    )
  }
  return {
    authoritative,
    positions: () => currentPositions(comparison, answering(table, authority)),
    keysChange: () => keysChange,
    async following(keys) {
      const unknown = keys.filter((key) => !known.has(keyText(key)))
      if (unknown.length > 0) await authoritative(unknown)
      const wanted = new Map(keys.map((key) => [keyText(known.get(keyText(key))?.there ?? key), key]))
      const rows = await readSide(
        comparison,
        table,
        follower,
        table.ends[follower].shards,
        [...wanted.keys()].map((text) => text.split('\0')),
        false,
      )
      const seen = await asTarget(comparison, table, follower, rows)
      return gather(
        seen
          .filter((each) => each.occurrence !== null)
          .map(({ occurrence, row }) => {
            const key = keyText(wanted.get(keyText(row.key)) ?? row.key)
            const destination = known.get(key)?.destination || row.shard
            return [
              key,
              { ...occurrence!, misplaced: destination !== row.shard && table.plan.route.kind !== 'reference' },
            ]
          }),
      )
    },
  }
}

/** Columns that a transform decides about; those the target computes are its own affair. */
function comparedColumns(table: ComparedTable): readonly ComparedColumn[] {
  return table.columns.filter((column) => !column.plan.generated)
}

async function readSide(
  comparison: Comparison,
  table: ComparedTable,
  side: Side,
  shards: readonly ShardId[],
  keys: readonly Key[],
  withDestination: boolean,
): Promise<readonly TextOccurrence[]> {
  const wanted = wantedJoin(table, side)
  const destination = withDestination ? destinationSql(table, side) : null
  const columns = comparedColumns(table)
  const text = `SELECT ${wanted.names.map((name, index) => `${name} AS k${index + 1}`).join(', ')}, ${versionSql(table, side)} AS version,
    ${destination ? `coalesce(${destination.expression}, '')` : `''`} AS destination, ${columns.map((column, index) => `${columnSql(table, column, side)}::text AS c${index + 1}`).join(', ')}
    ${fromSql(table, side, null, `${wanted.join}${destination?.joins ?? ''}`)}`
  const found = await Promise.all(
    shards.map((shard) =>
      comparison.read(shard, async (client) => {
        const { rows } = await client.query<Record<string, Text>>({ text, values: keyParameters(table, keys) })
        return rows.map((row) => ({
          key: table.key.map((_, index) => row[`k${index + 1}`]!),
          shard,
          version: row['version']!,
          destination: row['destination']!,
          values: columns.map((_, index) => row[`c${index + 1}`] ?? null),
        }))
      }),
    ),
  )
  return found.flat()
}

interface AsTarget {
  readonly row: TextOccurrence
  /** Null where the transform leaves the row out. */
  readonly occurrence: Occurrence | null
  /** The key on the other side. */
  readonly there: Key | null
}

/** Rows of either side as the target holds them or would hold them. */
async function asTarget(
  comparison: Comparison,
  table: ComparedTable,
  side: Side,
  rows: readonly TextOccurrence[],
): Promise<readonly AsTarget[]> {
  const columns = comparedColumns(table)
  const transform = table.transform!
  const keyPlaces = table.key.map((column) => columns.indexOf(column))
  if (side === 'target') {
    return rows.map((row) => {
      const back = transform.backward?.(namedValues(columns, row.values, 'target'))
      const there = back ? table.key.map((column) => back[column.names.source] ?? '') : null
      return { row, occurrence: occurrence(row, row.values), there }
    })
  }
  const transformed = rows.map((row) => transform.forward(namedValues(columns, row.values, 'source')))
  const printed = await printAsTarget(
    comparison,
    table,
    columns,
    transformed
      .filter((row) => row !== null)
      .map((row) => columns.map((column) => (isOn(column, 'target') ? (row[column.names.target] ?? null) : null))),
  )
  let next = 0
  return rows.map((row, index) => {
    if (transformed[index] === null) return { row, occurrence: null, there: null }
    const values = printed[next++]!
    return { row, occurrence: occurrence(row, values), there: keyPlaces.map((place) => values[place] ?? '') }
  })
}

/** The row as a transform of that side takes it. */
function namedValues(columns: readonly ComparedColumn[], values: readonly Text[], side: Side): Row {
  return Object.fromEntries(
    columns.flatMap((column, index) => (isOn(column, side) ? [[column.names[side], values[index]!]] : [])),
  )
}

/** A transform gives `1.50`, and the column prints `1.5`: the database knows. */
async function printAsTarget(
  comparison: Comparison,
  table: ComparedTable,
  columns: readonly ComparedColumn[],
  rows: readonly (readonly Text[])[],
): Promise<readonly (readonly Text[])[]> {
  if (rows.length === 0) return []
  const names = columns.map((_, index) => `c${index + 1}`)
  const { rows: printed } = await comparison.read(table.ends.target.shards[0]!, (client) =>
    client.query<Record<string, Text>>({
      text: `SELECT ${columns.map((column, index) => `${names[index]}::${column.types.target}::text AS ${names[index]}`).join(', ')}
        FROM unnest(${names.map((_, index) => `$${index + 1}::text[]`).join(', ')}) WITH ORDINALITY AS given(${names.join(', ')}, place) ORDER BY place`,
      values: columns.map((_, index) => rows.map((row) => row[index]!)),
    }),
  )
  return printed.map((row) => names.map((name) => row[name] ?? null))
}

function occurrence(row: TextOccurrence, values: readonly Text[]): Occurrence {
  const hash = createHash('sha256').update(JSON.stringify(values)).digest('base64')
  return { shard: row.shard, hash, version: row.version, misplaced: false }
}

function gather(found: readonly (readonly [string, Occurrence])[]): Seen {
  const byKey = new Map<string, Occurrence[]>()
  for (const [key, each] of found) {
    const before = byKey.get(key)
    if (before) before.push(each)
    else byKey.set(key, [each])
  }
  return byKey
}
