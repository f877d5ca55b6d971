import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { Inventory, Table } from './inventory-types.ts'

/** What the schema of a plan depends on. */
export type SchemaPlan = Pick<ResolvedPlan, 'tables'>

/** How the plan names the source's relations on the target. */
export interface SchemaMapping {
  /** Null for a table that the plan does not move. Partitions follow their root, owned sequences their table, all else keeps its name. */
  relation(name: TableName): TableName | null
  /** Null for a column that the plan leaves out. */
  column(table: TableName, column: string): string | null
  /** The plan's entry of a table, or of the root it is a partition of. */
  planned(table: TableName): ResolvedTable | undefined
  /** True when the table, or any column of it, is left out or called otherwise. */
  changed(table: TableName): boolean
  /** True when every table that is moved keeps its name and all its columns. */
  readonly identical: boolean
  /** True when every table is moved, foreign ones aside. */
  readonly complete: boolean
  readonly plannedTables: readonly ResolvedTable[]
}

/** Reads the mapping off the plan, for the tables and sequences of the source's inventory. */
export function schemaMapping(plan: SchemaPlan, source: Inventory): SchemaMapping {
  const planned = new Map(plan.tables.map((table) => [tableKey(table.source), table]))
  const tables = new Map(source.tables.map((table) => [tableKey(table.name), table]))
  const sequences = new Map(source.sequences.map((sequence) => [tableKey(sequence.name), sequence]))

  const entry = (name: TableName): ResolvedTable | undefined => {
    const own = planned.get(tableKey(name))
    if (own) return own
    const root = tables.get(tableKey(name))?.root
    return root ? planned.get(tableKey(root)) : undefined
  }
  const tableName = (table: Table): TableName | null => {
    const resolved = entry(table.name)
    if (!resolved) return null
    if (tableKey(resolved.source) === tableKey(table.name)) return resolved.target
    return {
      schema: table.name.schema === resolved.source.schema ? resolved.target.schema : table.name.schema,
      name: table.name.name,
    }
  }
  const relation = (name: TableName): TableName | null => {
    const table = tables.get(tableKey(name))
    if (table) return tableName(table)
    const owner = sequences.get(tableKey(name))?.ownedBy
    if (!owner) return name
    // A sequence must be in the schema of the table that owns it.
    const ownerName = relation(owner.table)
    if (!ownerName || column(owner.table, owner.column) === null) return null
    return { schema: owner.table.schema === name.schema ? ownerName.schema : name.schema, name: name.name }
  }
  const column = (table: TableName, name: string): string | null =>
    entry(table)?.columns.find((each) => each.source === name && each.only === undefined)?.target ?? null
  const changed = (name: TableName): boolean => {
    const target = relation(name)
    if (!target || tableKey(target) !== tableKey(name)) return true
    const table = tables.get(tableKey(name))
    return table?.columns.some((each) => column(name, each.name) !== each.name) ?? false
  }
  const complete = source.tables.every((table) => table.kind === 'foreign' || relation(table.name) !== null)
  const identical = source.tables.every((table) => relation(table.name) === null || !changed(table.name))
  return { relation, column, planned: entry, changed, identical, complete, plannedTables: plan.tables }
}

/** Every table as a plan would have it that moves all of them and renames nothing. */
export function unchangedTables(inventory: Inventory): ResolvedTable[] {
  return inventory.tables
    .filter((table) => table.root === null && table.kind !== 'foreign')
    .map((table) => ({
      source: table.name,
      target: table.name,
      route: { kind: 'whole' },
      columns: table.columns.map((column) => ({
        source: column.name,
        target: column.name,
        type: column.type,
        generated: column.generated !== null,
        identity: column.identity,
      })),
      identity: keyOf(table),
      where: null,
      transform: null,
      binary: true,
      leaves: table.leaves,
      estimate: { rows: Math.max(0, table.rowsEstimate), bytes: table.bytes, pages: table.pages },
    }))
}

function keyOf(table: Table): ResolvedTable['identity'] {
  const primary = table.indexes.find((index) => index.primary)
  return primary ? { kind: 'key', columns: primary.columns as string[] } : { kind: 'full' }
}
