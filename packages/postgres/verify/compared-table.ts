import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedColumn, ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { ReversibleTransform } from '@crossfade/pipeline/transform.ts'
import { renameRoute } from '@crossfade/routing/table-key.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import { targetNames } from '../cutover/fence-site.ts'
import { type CatalogColumn, isComparableOrder, type RelationShape } from './relation-shape.ts'

/** A table of the plan with what a comparison needs to know about it at both ends. Made once per process; the catalogs are read for it. */
export interface ComparedTable {
  readonly plan: ResolvedTable
  readonly columns: readonly ComparedColumn[]
  /** Identity columns in key order; empty for a table without identity. */
  readonly key: readonly ComparedColumn[]
  readonly ends: Readonly<Record<Side, TableEnd>>
  /** Whether `from <= key < to` means the same on every shard and can use the key's index. */
  readonly ordered: boolean
  readonly transform: ReversibleTransform | null
}

export interface TableEnd {
  readonly table: TableName
  readonly shards: readonly ShardId[]
  readonly topology: Topology
  readonly route: TableRoute
  /** `"schema"."name"`, with ONLY where heirs are tables of their own. */
  readonly relation: string
  /** SQL condition over the row; rows outside are not moved. */
  readonly where: string | null
}

export interface ComparedColumn {
  readonly plan: ResolvedColumn
  readonly names: Readonly<Record<Side, string>>
  /** As `format_type` prints them, for casts of key values. */
  readonly types: Readonly<Record<Side, string>>
  readonly form: HashForm
  /** How the column's text sorts on the source: see `CatalogColumn`. */
  readonly order: string | null
}

/**
 * What stands for a value in the row's hash, so that two values have the same hash only where every byte that the database prints is the same.
 * `plain`: the type's own hash is exact. `bytes`: it is once the collation is C. `float`: it is but for the sign of zero. `numeric`: it is but for trailing
 * zeros. `text`: it is not (intervals, jsonb, enums by number, arrays without bounds …), or the types differ at the two ends.
 */
export type HashForm = 'plain' | 'bytes' | 'float' | 'numeric' | 'text'

/** Puts plan and catalogs together. `shapes` holds the table's shape on every shard. Throws CF4101 when a column of the plan is not there. */
export function comparedTable(
  plan: ResolvedPlan,
  table: ResolvedTable,
  shapes: ReadonlyMap<ShardId, RelationShape>,
  transform: ReversibleTransform | null,
): ComparedTable {
  const shapeOf = (side: Side) => shapes.get(plan[side].shards[0]!.id)!
  const columns = table.columns.map((column): ComparedColumn => {
    const names = { source: column.source, target: column.target }
    const source = column.only === 'target' ? null : catalogColumn(shapeOf('source'), table.source, column.source)
    const target = column.only === 'source' ? null : catalogColumn(shapeOf('target'), table.target, column.target)
    if (!source || !target) return oneSided(column, names, source ?? target!)
    return {
      plan: column,
      names,
      types: { source: source.type, target: target.type },
      form: hashForm(source, target),
      order: source.order,
    }
  })
  const names = table.identity.kind === 'key' ? table.identity.columns : []
  const key = names.map((name) => {
    const column = columns.find((each) => each.names.source === name)
    if (!column) throw fail('CF4101', { table: tableKey(table.source), column: name })
    return column
  })
  const end = (side: Side): TableEnd => ({
    table: table[side],
    shards: plan[side].shards.map((shard) => shard.id),
    topology: plan[side].topology,
    route: side === 'source' ? table.route : renameRoute(table.route, table.source, targetNames(plan)),
    relation: `${shapeOf(side).partitioned ? '' : 'ONLY '}${quoteTable(table[side])}`,
    where: side === 'source' ? table.where : null,
  })
  const ordered = key.length > 0 && isComparableOrder(plan, table, shapes)
  return { plan: table, columns, key, ends: { source: end('source'), target: end('target') }, ordered, transform }
}

/** A column that the table's transform makes or leaves out. Where it is not, it counts as NULL. */
function oneSided(column: ResolvedColumn, names: ComparedColumn['names'], there: CatalogColumn): ComparedColumn {
  const types = { source: 'text', target: 'text', [column.only!]: there.type }
  return { plan: column, names, types, form: 'text', order: there.order }
}

/** Whether the side has the column. */
export function isOn(column: ComparedColumn, side: Side): boolean {
  return column.plan.only === undefined || column.plan.only === side
}

/** What statements call the table's row: its own name, because the plan's condition may use it. Quoted. */
export function rowAlias(table: ComparedTable, side: Side): string {
  return quoteIdentifier(table.ends[side].table.name)
}

/** A column of the row; NULL where the side does not have it. */
export function columnSql(table: ComparedTable, column: ComparedColumn, side: Side): string {
  if (!isOn(column, side)) return 'NULL::text'
  return `${rowAlias(table, side)}.${quoteIdentifier(column.names[side])}`
}

/** The elements that go into `ROW(…)` for a column. */
export function hashElements(table: ComparedTable, column: ComparedColumn, side: Side): string {
  const value = columnSql(table, column, side)
  switch (column.form) {
    case 'plain':
      return value
    case 'bytes':
      return `${value} COLLATE "C"`
    case 'float':
      return `${value}, CASE WHEN ${value} = 0 THEN ${value}::text END`
    case 'numeric':
      // NaN and the infinities have no scale, and one hash.
      return `${value}, coalesce(scale(${value}), hashtext(${value}::text))`
    case 'text':
      return `${value}::text COLLATE "C"`
  }
}

/** Whether the same rows live on every shard of a side. */
export function isReference(table: ComparedTable): boolean {
  return table.plan.route.kind === 'reference'
}

/** The shards of a side that answer for the table: all of them, or the first for a reference table. */
export function answering(table: ComparedTable, side: Side): readonly ShardId[] {
  const { shards } = table.ends[side]
  return isReference(table) ? shards.slice(0, 1) : shards
}

/** Groups of the following side's shards; each group together must equal the authoritative side. */
export function following(table: ComparedTable, authority: Side): readonly (readonly ShardId[])[] {
  const { shards } = table.ends[otherSide(authority)]
  return isReference(table) ? shards.map((shard) => [shard]) : [shards]
}

function catalogColumn(shape: RelationShape, table: TableName, name: string): CatalogColumn {
  const column = shape.columns.get(name)
  if (!column) throw fail('CF4101', { table: tableKey(table), column: name })
  return column
}

const plainTypes = new Set([
  'bool',
  'bytea',
  'date',
  'int2',
  'int4',
  'int8',
  'oid',
  'time',
  'timestamp',
  'timestamptz',
  'uuid',
])
const textTypes = new Set(['text', 'varchar'])
const integerTypes = new Set(['int2', 'int4', 'int8'])

function hashForm(source: CatalogColumn, target: CatalogColumn): HashForm {
  const bothIn = (types: ReadonlySet<string>) => types.has(source.base) && types.has(target.base)
  if (bothIn(textTypes)) return 'bytes'
  if (bothIn(integerTypes)) return 'plain'
  if (source.base !== target.base) return 'text'
  if (plainTypes.has(source.base)) return 'plain'
  if (source.base === 'float4' || source.base === 'float8') return 'float'
  if (source.base === 'numeric')
    return source.modifier === target.modifier && source.modifier >= 0 ? 'plain' : 'numeric'
  return 'text'
}
