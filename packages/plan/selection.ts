import { type Failure, fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { CatalogTable } from '@crossfade/pipeline/catalog.ts'
import type { PlanDocument } from './schema.ts'
import type { ShardSurvey } from './survey.ts'
import { compareTables, tablePattern } from './table-pattern.ts'

/** A table of the plan as all source shards have it. */
export interface SelectedTable {
  readonly table: CatalogTable
  /** The same table on each source shard, in the plan's order. */
  readonly onShards: readonly { readonly shard: ShardId; readonly table: CatalogTable }[]
}

export interface Selection {
  readonly tables: readonly SelectedTable[]
  /** Matched, but its rows live elsewhere. */
  readonly foreignTables: readonly CatalogTable[]
}

/** Whether tables of this kind can be moved as such: partitions go with their root, extensions' tables with their extension. */
export function isMovable(table: CatalogTable): boolean {
  return table.partitionOf === null && table.extension === null
}

/** Picks the tables of the plan and checks that every source shard has them alike (CF1010, CF1014, CF1015, CF1019 to `report`). */
export function selectTables(
  shards: readonly ShardSurvey[],
  choices: Pick<NonNullable<PlanDocument['tables']>, 'include' | 'exclude'>,
  report: (failure: Failure) => void,
): Selection {
  const include = patterns(choices.include ?? ['*'], 'tables.include', report)
  const exclude = patterns(choices.exclude ?? [], 'tables.exclude', report)
  const matched = new Map<string, CatalogTable>()
  for (const shard of shards) {
    for (const table of shard.tables) {
      if (!isMovable(table) || matched.has(tableKey(table.name))) continue
      const included = include.filter((pattern) => pattern.matches(table.name))
      const excluded = exclude.filter((pattern) => pattern.matches(table.name))
      for (const pattern of [...included, ...excluded]) pattern.used = true
      if (included.length > 0 && excluded.length === 0) matched.set(tableKey(table.name), table)
    }
  }
  for (const pattern of include) {
    // A table that is named and is not there would be missed on the target, one that a pattern might have meant perhaps not.
    const isName =
      !pattern.text.includes('*') && !shards.some(({ tables }) => tables.some(({ name }) => pattern.matches(name)))
    if (isName && shards.length > 0) report(fail('CF1010', { table: pattern.text, place: pattern.place }))
    else reportUnused(pattern, report)
  }
  for (const pattern of exclude) reportUnused(pattern, report)
  const all = [...matched.values()].sort(compareTables)
  const movable = all.filter((table) => table.kind !== 'foreign')
  if (movable.length === 0 && shards.length > 0) report(fail('CF1015'))
  const tables = movable.map((table) => ({ table, onShards: findOnShards(table, shards, report) }))
  return { tables, foreignTables: all.filter((table) => table.kind === 'foreign') }
}

function reportUnused({ used, text, place }: UsedPattern, report: (failure: Failure) => void): void {
  if (!used && text !== '*') report(fail('CF1014', { pattern: text, place }))
}

function findOnShards(
  table: CatalogTable,
  shards: readonly ShardSurvey[],
  report: (failure: Failure) => void,
): SelectedTable['onShards'] {
  const key = tableKey(table.name)
  const found: { shard: ShardId; table: CatalogTable }[] = []
  for (const shard of shards) {
    const there = shard.tables.find((other) => tableKey(other.name) === key)
    if (!there) {
      report(fail('CF1019', { table: key, reason: `${shard.id} does not have it` }))
      continue
    }
    const reason = differenceOf(table, there)
    if (reason) report(fail('CF1019', { table: key, reason: `on ${shard.id} ${reason}` }))
    found.push({ shard: shard.id, table: there })
  }
  return found
}

/** What makes the two not the same table for a migration; column order does not matter. */
function differenceOf(one: CatalogTable, other: CatalogTable): string | null {
  for (const column of one.columns) {
    const there = other.columns.find(({ name }) => name === column.name)
    if (!there) return `there is no column ${column.name}`
    if (there.type !== column.type) return `the column ${column.name} is ${there.type}, not ${column.type}`
    if (there.generated !== column.generated) return `the column ${column.name} is generated in another way`
  }
  const extra = other.columns.find((column) => !one.columns.some(({ name }) => name === column.name))
  if (extra) return `there is the column ${extra.name} more`
  if ((one.primaryKey ?? []).join('\0') !== (other.primaryKey ?? []).join('\0')) return 'the primary key is another'
  return null
}

interface UsedPattern {
  readonly text: string
  readonly place: string
  readonly matches: (table: CatalogTable['name']) => boolean
  used: boolean
}

function patterns(texts: readonly string[], place: string, report: (failure: Failure) => void): UsedPattern[] {
  return texts.flatMap((text, index) => {
    const matches = tablePattern(text)
    if (matches) return [{ text, place: `${place}[${index}]`, matches, used: false }]
    report(fail('CF1002', { place: `${place}[${index}]`, reason: 'it is not a table name or pattern' }))
    return []
  })
}
