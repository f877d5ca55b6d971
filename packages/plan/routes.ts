import { type Failure, fail } from '@crossfade/model/failure.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { CatalogForeignKey, CatalogTable } from '@crossfade/pipeline/catalog.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import type { PlanDocument, ShardKey } from './schema.ts'
import { findTable } from './table-pattern.ts'
import { detectShardKey, rootColumn } from './tenancy.ts'

/**
 * Finds the way from each table's row to its shard key. What the plan says comes first; else a column with the shard key's name; else, for the table that those columns
 * refer to, the column they refer to; else the shortest way over foreign keys of one column (not-null ones first).
 * Tables for which there is none are told to `report` (CF1013, CF1011, CF1012, CF1022) and are missing from the result.
 */
export function resolveRoutes(
  tables: readonly CatalogTable[],
  choices: Pick<NonNullable<PlanDocument['tables']>, 'shardKey' | 'shardKeys' | 'reference'>,
  report: (failure: Failure) => void,
): ReadonlyMap<string, TableRoute> {
  const explicit = new Map<string, ShardKey>()
  for (const [name, choice] of Object.entries(choices.shardKeys ?? {})) {
    const table = findTable(tables, name)
    if (table) explicit.set(tableKey(table.name), choice)
    else report(fail('CF1010', { table: name, place: 'tables.shardKeys' }))
  }
  const reference = new Set<string>()
  for (const name of choices.reference ?? []) {
    const table = findTable(tables, name)
    if (table) reference.add(tableKey(table.name))
    else report(fail('CF1010', { table: name, place: 'tables.reference' }))
  }
  const shardKey = choices.shardKey ?? detectShardKey(tables)
  return new RouteFinder(tables, explicit, reference, shardKey, report).all()
}

class RouteFinder {
  readonly #tables: ReadonlyMap<string, CatalogTable>
  readonly #explicit: ReadonlyMap<string, ShardKey>
  readonly #reference: ReadonlySet<string>
  readonly #shardKey: string | null
  readonly #report: (failure: Failure) => void
  readonly #found = new Map<string, TableRoute | null>()
  readonly #cyclesTold = new Set<string>()

  constructor(
    tables: readonly CatalogTable[],
    explicit: ReadonlyMap<string, ShardKey>,
    reference: ReadonlySet<string>,
    shardKey: string | null,
    report: (failure: Failure) => void,
  ) {
    this.#tables = new Map(tables.map((table) => [tableKey(table.name), table]))
    this.#explicit = explicit
    this.#reference = reference
    this.#shardKey = shardKey
    this.#report = report
  }

  all(): ReadonlyMap<string, TableRoute> {
    // Direct routes first, so that ways over foreign keys can be found by their length.
    for (const [key, table] of this.#tables) {
      const route = this.#direct(key, table)
      if (route) this.#found.set(key, route)
    }
    for (const key of this.#explicit.keys()) this.#follow(key, [])
    this.#overForeignKeys()
    const routes = new Map<string, TableRoute>()
    for (const key of this.#tables.keys()) {
      const route = this.#found.get(key)
      if (route) routes.set(key, route)
      else if (route === undefined) this.#report(fail('CF1013', { table: key }))
    }
    return routes
  }

  #direct(key: string, table: CatalogTable): TableRoute | null {
    if (this.#reference.has(key)) return { kind: 'reference' }
    const choice = this.#explicit.get(key)
    if (choice !== undefined) {
      if (typeof choice === 'object' && 'via' in choice) return null
      const column = typeof choice === 'string' ? choice : choice.column
      if (hasColumn(table, column)) return { kind: 'column', column }
      this.#report(fail('CF1011', { column, table: key, place: 'tables.shardKeys' }))
      this.#found.set(key, null)
      return null
    }
    if (this.#shardKey === null) return null
    if (hasColumn(table, this.#shardKey)) return { kind: 'column', column: this.#shardKey }
    const root = rootColumn(table, [...this.#tables.values()], this.#shardKey)
    return root === null ? null : { kind: 'column', column: root }
  }

  /** Resolves a `via` that the plan writes, and those it leads to. `path` is how we came here. */
  #follow(key: string, path: readonly string[]): TableRoute | null {
    const found = this.#found.get(key)
    if (found !== undefined) return found
    const choice = this.#explicit.get(key)
    if (typeof choice !== 'object' || !('via' in choice)) return null
    const from = path.indexOf(key)
    if (from >= 0) {
      this.#tellCycle(path.slice(from))
      return null
    }
    const table = this.#tables.get(key)!
    const parent = findTable([...this.#tables.values()], choice.parent)
    const refuse = (failure: Failure) => {
      this.#report(failure)
      this.#found.set(key, null)
      return null
    }
    if (!parent) return refuse(fail('CF1010', { table: choice.parent, place: `tables.shardKeys.${key}.parent` }))
    if (!hasColumn(table, choice.via)) {
      return refuse(fail('CF1011', { column: choice.via, table: key, place: 'tables.shardKeys' }))
    }
    const parentColumn = choice.parentColumn ?? referredColumn(table, choice.via, parent.name)
    const parentKey = tableKey(parent.name)
    if (!parentColumn) return refuse(fail('CF1022', { table: key, column: choice.via, parent: parentKey }))
    if (!hasColumn(parent, parentColumn)) {
      return refuse(fail('CF1011', { column: parentColumn, table: parentKey, place: 'tables.shardKeys' }))
    }
    const then = this.#follow(parentKey, [...path, key])
    // The parent may still get its route over foreign keys; then this table follows in a later pass.
    if (!then) {
      if (this.#cyclesTold.has(key)) this.#found.set(key, null)
      return null
    }
    if (then.kind === 'reference') return refuse(fail('CF1013', { table: key }))
    const route: TableRoute = { kind: 'parent', column: choice.via, parent: parent.name, parentColumn, then }
    this.#found.set(key, route)
    return route
  }

  #tellCycle(path: readonly string[]): void {
    if (path.some((key) => this.#cyclesTold.has(key))) return
    for (const key of path) {
      this.#cyclesTold.add(key)
      this.#found.set(key, null)
    }
    this.#report(fail('CF1012', { cycle: [...path, path[0]!].join(' → ') }))
  }

  /** Breadth first: every pass gives routes to the tables that are one foreign key further from a shard key. */
  #overForeignKeys(): void {
    for (;;) {
      const gained = new Map<string, TableRoute>()
      for (const [key, table] of this.#tables) {
        if (this.#found.has(key)) continue
        if (this.#explicit.has(key)) {
          if (this.#follow(key, [])) gained.set(key, this.#found.get(key)!)
          continue
        }
        const route = this.#overOneForeignKey(table)
        if (route) gained.set(key, route)
      }
      if (gained.size === 0) return
      for (const [key, route] of gained) this.#found.set(key, route)
    }
  }

  #overOneForeignKey(table: CatalogTable): TableRoute | null {
    const usable = table.foreignKeys.filter((foreign) => {
      const parent = this.#found.get(tableKey(foreign.parent))
      return foreign.columns.length === 1 && parent && parent.kind !== 'reference' && parent.kind !== 'whole'
    })
    const position = (foreign: CatalogForeignKey) => table.columns.findIndex(({ name }) => name === foreign.columns[0])
    const optional = (foreign: CatalogForeignKey) => (table.columns[position(foreign)]?.notNull ? 0 : 1)
    usable.sort((a, b) => optional(a) - optional(b) || position(a) - position(b))
    const [best] = usable
    if (!best) return null
    return {
      kind: 'parent',
      column: best.columns[0]!,
      parent: best.parent,
      parentColumn: best.parentColumns[0]!,
      then: this.#found.get(tableKey(best.parent))!,
    }
  }
}

/** `tenant_id`, or `channel_id → public.channels.id → tenant_id`; for people. */
export function describeRoute(route: TableRoute): string {
  switch (route.kind) {
    case 'whole':
      return 'whole'
    case 'reference':
      return 'reference'
    case 'column':
      return route.column
    case 'parent':
      return `${route.column} → ${tableKey(route.parent)}.${describeRoute(route.then)}`
  }
}

function hasColumn(table: CatalogTable, column: string): boolean {
  return table.columns.some(({ name }) => name === column)
}

function referredColumn(table: CatalogTable, column: string, parent: TableName): string | null {
  const key = tableKey(parent)
  const foreign = table.foreignKeys.find(
    (candidate) =>
      candidate.columns.length === 1 && candidate.columns[0] === column && tableKey(candidate.parent) === key,
  )
  return foreign?.parentColumns[0] ?? null
}
