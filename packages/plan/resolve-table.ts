import { type Failure, fail } from '@crossfade/model/failure.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { CatalogColumn, CatalogTable } from '@crossfade/pipeline/catalog.ts'
import type { ResolvedColumn, ResolvedTable, TableIdentity } from '@crossfade/pipeline/resolved-plan.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import type { PlanDocument } from './schema.ts'
import type { SelectedTable } from './selection.ts'
import type { ShardSurvey } from './survey.ts'
import { findTable, parseTableName } from './table-pattern.ts'

/** Rows of a table that was never analysed are guessed from its size. */
const rowBytesGuess = 100

type Choices = NonNullable<PlanDocument['tables']>

/** What the plan says about single tables, found by the tables' keys. Names that no table has go to `report` (CF1010). */
export interface TableChoices {
  readonly rename: ReadonlyMap<string, TableName>
  readonly columns: ReadonlyMap<string, NonNullable<Choices['columns']>[string]>
  readonly where: ReadonlyMap<string, string>
  /** The name under which the plan holds the table's transform. */
  readonly transform: ReadonlyMap<string, string>
}

/** Finds the tables that the plan's choices name. `transformNames`: the names under which the plan holds transforms. */
export function tableChoices(
  tables: readonly CatalogTable[],
  choices: Choices,
  transformNames: Iterable<string>,
  report: (failure: Failure) => void,
): TableChoices {
  const byKey = <Value>(given: Iterable<readonly [string, Value]>, place: string): Map<string, Value> => {
    const found = new Map<string, Value>()
    for (const [name, value] of given) {
      const table = findTable(tables, name)
      if (table) found.set(tableKey(table.name), value)
      else report(fail('CF1010', { table: name, place }))
    }
    return found
  }
  const rename = new Map<string, TableName>()
  for (const [key, name] of byKey(Object.entries(choices.rename ?? {}), 'tables.rename')) {
    const parsed = parseTableName(name)
    const schema = tables.find((table) => tableKey(table.name) === key)!.name.schema
    if (parsed) rename.set(key, { schema: parsed.schema ?? schema, name: parsed.name })
    else report(fail('CF1002', { place: `tables.rename.${key}`, reason: 'it is not a table name' }))
  }
  return {
    rename,
    columns: byKey(Object.entries(choices.columns ?? {}), 'tables.columns'),
    where: byKey(Object.entries(choices.where ?? {}), 'tables.where'),
    transform: byKey(
      [...transformNames].map((name) => [name, name] as const),
      'tables.transform',
    ),
  }
}

/** One table with nothing left open: identity, columns, types, target, transform and estimate. What can't be goes to `report`. */
export function resolveTable(
  selected: SelectedTable,
  route: TableRoute,
  choices: TableChoices,
  targets: readonly ShardSurvey[],
  mode: 'create' | 'existing',
  report: (failure: Failure) => void,
): ResolvedTable {
  const { table } = selected
  const key = tableKey(table.name)
  const target = choices.rename.get(key) ?? table.name
  const transform = choices.transform.get(key) ?? null
  const onTargets =
    mode === 'existing'
      ? targets.map((shard) => shard.tables.find((other) => tableKey(other.name) === tableKey(target)))
      : []
  const columns = resolveColumns(table, choices.columns.get(key) ?? {}, transform !== null, onTargets[0], report)
  return {
    source: table.name,
    target,
    route,
    columns,
    identity: identityOf(table),
    where: choices.where.get(key) ?? null,
    transform,
    binary: transform === null && columns.every((column) => isPortable(column, table, onTargets)),
    leaves: leavesOf(selected),
    estimate: estimateOf(selected, route),
  }
}

/** The replica identity index when one is set, else the primary key, else the first unique index over not-null columns, else the whole row. */
export function identityOf(table: CatalogTable): TableIdentity {
  const chosen = table.uniqueKeys.find((unique) => unique.index === table.replicaIndex)
  if (table.replicaIdentity === 'index' && chosen) return { kind: 'key', columns: chosen.columns }
  if (table.primaryKey) return { kind: 'key', columns: table.primaryKey }
  const [unique] = [...table.uniqueKeys].sort(
    (a, b) => a.columns.length - b.columns.length || (a.index < b.index ? -1 : 1),
  )
  return unique ? { kind: 'key', columns: unique.columns } : { kind: 'full' }
}

function resolveColumns(
  table: CatalogTable,
  choice: NonNullable<Choices['columns']>[string],
  transformed: boolean,
  onTarget: CatalogTable | undefined,
  report: (failure: Failure) => void,
): readonly ResolvedColumn[] {
  const key = tableKey(table.name)
  const named = [...Object.keys(choice.rename ?? {}), ...(choice.exclude ?? [])]
  for (const column of named) {
    if (!table.columns.some(({ name }) => name === column)) {
      report(fail('CF1011', { column, table: key, place: `tables.columns.${key}` }))
    }
  }
  const identity = identityOf(table)
  const identityColumns = identity.kind === 'key' ? identity.columns : []
  for (const column of choice.exclude ?? []) {
    if (identityColumns.includes(column)) {
      const reason = `${column} is part of what tells its rows apart and cannot be excluded`
      report(fail('CF1002', { place: `tables.columns.${key}.exclude`, reason }))
    }
  }
  const columns = table.columns
    .filter(({ name }) => !choice.exclude?.includes(name))
    .map((column) => resolveColumn(column, choice.rename?.[column.name] ?? column.name, transformed, onTarget))
  if (!transformed || !onTarget) return columns
  const made = onTarget.columns.filter(({ name }) => !columns.some((column) => column.target === name))
  return [
    ...columns,
    ...made.map((column) => ({ ...resolveColumn(column, column.name, false, onTarget), only: 'target' as const })),
  ]
}

function resolveColumn(
  column: CatalogColumn,
  target: string,
  transformed: boolean,
  onTarget: CatalogTable | undefined,
): ResolvedColumn {
  const resolved = {
    source: column.name,
    target,
    type: column.type,
    generated: column.generated !== null,
    identity: column.identity,
  }
  const isLeftOut = transformed && onTarget && !onTarget.columns.some(({ name }) => name === target)
  return isLeftOut ? { ...resolved, only: 'source' } : resolved
}

function isPortable(
  column: ResolvedColumn,
  table: CatalogTable,
  onTargets: readonly (CatalogTable | undefined)[],
): boolean {
  if (column.generated) return true
  const source = table.columns.find(({ name }) => name === column.source)!
  if (!source.portable) return false
  return onTargets.every((target) => {
    const there = target?.columns.find(({ name }) => name === column.target)
    return !there || (there.portable && there.type === source.type)
  })
}

/** Leaf partitions over all source shards; shards may have different ones. */
function leavesOf(selected: SelectedTable): readonly TableName[] {
  if (selected.table.kind !== 'partitioned') return []
  const leaves = new Map<string, TableName>()
  for (const { table } of selected.onShards) for (const leaf of table.leaves) leaves.set(tableKey(leaf), leaf)
  return [...leaves.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, leaf]) => leaf)
}

/** Over all source shards; a reference table counts once, since only the first shard's is copied. */
function estimateOf(selected: SelectedTable, route: TableRoute): ResolvedTable['estimate'] {
  const counted = route.kind === 'reference' ? selected.onShards.slice(0, 1) : selected.onShards
  let rows = 0
  let bytes = 0
  let pages = 0
  for (const { table } of counted) {
    const size = table.heapBytes + table.toastBytes
    rows += table.rows >= 0 ? table.rows : Math.ceil(size / rowBytesGuess)
    bytes += size
    pages += table.pages
  }
  return { rows: Math.round(rows), bytes, pages }
}
