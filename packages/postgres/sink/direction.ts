import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedColumn, ResolvedPlan, ResolvedShard, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { ReversibleTransform, RowTransform } from '@crossfade/pipeline/transform.ts'
import { renameRoute } from '@crossfade/routing/table-key.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import { readableTypes } from './cell-text.ts'

/** Which way changes flow, and what everything is called at both ends. Computed once; forward and reverse are mirror images. */
export interface Direction {
  readonly migration: MigrationId
  readonly from: Side
  readonly to: Side
  readonly fromShards: readonly ResolvedShard[]
  readonly toShards: readonly ResolvedShard[]
  /** How keys are spread over the side that is applied to. */
  readonly topology: Topology
  /** In the plan's order: parents before children. */
  readonly tables: readonly DirectedTable[]
  /** By `tableKey` of the name on the side that is followed. */
  readonly byName: ReadonlyMap<string, DirectedTable>
  /** Whether the stream may send binary cells: every table's fit the applied side, none is transformed, all keys can be read. */
  readonly binary: boolean
}

export interface DirectedTable {
  readonly plan: ResolvedTable
  readonly from: TableName
  readonly to: TableName
  readonly columns: readonly DirectedColumn[]
  /** Identity columns in key order; empty for a table without identity. */
  readonly key: readonly DirectedColumn[]
  /** With the names of the followed side, to be read from the stream's rows and looked up there. */
  readonly fromRoute: TableRoute
  /** With the names of the applied side. */
  readonly toRoute: TableRoute
  readonly transform: RowTransform | null
  /** The plan's condition, where it decides about changes: on the way forward. */
  readonly where: string | null
}

export interface DirectedColumn {
  readonly from: string
  readonly to: string
  /** A transform may make columns and leave columns out: whether each side has it. */
  readonly inFrom: boolean
  readonly inTo: boolean
  readonly plan: ResolvedColumn
}

export type TransformPairs = (name: string) => ReversibleTransform

/** Throws CF3201 when the way back of a table's transform is missing and `from` is the target. */
export function directionOf(
  plan: ResolvedPlan,
  migration: MigrationId,
  from: Side,
  transforms: TransformPairs,
): Direction {
  const to = otherSide(from)
  const tables = plan.tables.map((table) => directTable(plan, table, from, transforms))
  return {
    migration,
    from,
    to,
    fromShards: plan[from].shards,
    toShards: plan[to].shards,
    topology: plan[to].topology,
    tables,
    byName: new Map(tables.map((table) => [tableKey(table.from), table])),
    binary: plan.tables.every((table) => table.binary && table.transform === null && keysAreReadable(plan, table)),
  }
}

function directTable(plan: ResolvedPlan, table: ResolvedTable, from: Side, transforms: TransformPairs): DirectedTable {
  const forward = from === 'source'
  const columns = table.columns.map((column) => ({
    from: forward ? column.source : column.target,
    to: forward ? column.target : column.source,
    inFrom: column.only === undefined || column.only === from,
    inTo: column.only === undefined || column.only !== from,
    plan: column,
  }))
  const keyNames = table.identity.kind === 'key' ? table.identity.columns : []
  const key = keyNames.map((name) => {
    const column = columns.find((candidate) => candidate.plan.source === name)
    if (!column)
      throw fail('CF9001', { reason: `the plan does not move ${name}, the identity of ${tableKey(table.source)}` })
    return column
  })
  const targetNames = {
    table: (source: TableName) =>
      plan.tables.find((each) => tableKey(each.source) === tableKey(source))?.target ?? source,
    column: (source: TableName, column: string) =>
      plan.tables
        .find((each) => tableKey(each.source) === tableKey(source))
        ?.columns.find((each) => each.source === column)?.target ?? column,
  }
  const targetRoute = renameRoute(table.route, table.source, targetNames)
  return {
    plan: table,
    from: forward ? table.source : table.target,
    to: forward ? table.target : table.source,
    columns,
    key,
    fromRoute: forward ? table.route : targetRoute,
    toRoute: forward ? targetRoute : table.route,
    transform: table.transform === null ? null : transformOf(table, from, transforms),
    where: forward ? table.where : null,
  }
}

function transformOf(table: ResolvedTable, from: Side, transforms: TransformPairs): RowTransform {
  const pair = transforms(table.transform!)
  if (from === 'source') return pair.forward
  if (!pair.backward) throw fail('CF3201', { table: tableKey(table.source), transform: table.transform })
  return pair.backward
}

function keysAreReadable(plan: ResolvedPlan, table: ResolvedTable): boolean {
  const names = new Set(table.identity.kind === 'key' ? table.identity.columns : [])
  if (table.route.kind === 'column' || table.route.kind === 'parent') names.add(table.route.column)
  for (const child of plan.tables) {
    for (let route = child.route; route.kind === 'parent'; route = route.then) {
      if (tableKey(route.parent) === tableKey(table.source)) names.add(route.parentColumn)
    }
  }
  return table.columns.every((column) => !names.has(column.source) || readableTypes.has(withoutModifier(column.type)))
}

/** `character varying(20)` → `character varying`. */
function withoutModifier(type: string): string {
  return type.replace(/\(.*\)$/, '')
}
