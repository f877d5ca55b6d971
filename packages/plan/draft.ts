import { tableKey } from '@crossfade/model/table-name.ts'
import type { CatalogTable } from '@crossfade/pipeline/catalog.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import { identityOf } from './resolve-table.ts'
import { resolveRoutes } from './routes.ts'
import type { ShardKey, TopologySpec } from './schema.ts'
import { isMovable } from './selection.ts'
import { compareTables, writeTableName } from './table-pattern.ts'
import { detectShardKey, rootColumn } from './tenancy.ts'

/** What a database looks like to somebody who is about to write a plan for it. */
export interface Draft {
  readonly name: string
  readonly sources: readonly DraftShard[]
  /** How many databases the target has; the plan gets a line for each. */
  readonly targets: number
  /** Null when there is one source, or when no topology fits the keys that were found. */
  readonly sourceTopology: TopologySpec | null
  readonly shardKey: string | null
  /** Only those that the planner would not find by itself, and those a reader will want to see. */
  readonly shardKeys: readonly { readonly table: string; readonly key: ShardKey; readonly why: string }[]
  readonly reference: readonly { readonly table: string; readonly why: string }[]
  readonly exclude: readonly { readonly table: string; readonly why: string }[]
  readonly withoutKey: readonly string[]
  readonly tables: number
  readonly rows: number
  readonly bytes: number
}

export interface DraftShard {
  readonly name: string
  /** Without password; null when it had one, and then the plan names the environment variable. */
  readonly url: string | null
}

/** Looks at the tables of one source shard and decides what to write. Pure. */
export function draftPlan(
  given: Pick<Draft, 'name' | 'sources' | 'targets' | 'sourceTopology'>,
  tables: readonly CatalogTable[],
): Draft {
  const own = tables.filter(isMovable).sort(compareTables)
  const movable = own.filter((table) => table.kind !== 'foreign')
  const isSplit = given.sources.length > 1 || given.targets > 1
  const shardKey = isSplit ? detectShardKey(movable) : null
  const routes = isSplit
    ? resolveRoutes(movable, shardKey === null ? {} : { shardKey }, () => undefined)
    : new Map<string, TableRoute>()
  return {
    ...given,
    shardKey,
    shardKeys: shardKey === null ? [] : movable.flatMap((table) => explicitKey(table, movable, routes, shardKey)),
    reference: isSplit
      ? movable.filter((table) => !routes.has(tableKey(table.name))).map((table) => asReference(table, movable))
      : [],
    exclude: own
      .filter((table) => table.kind === 'foreign')
      .map((table) => ({ table: writeTableName(table.name), why: 'a foreign table; its rows live elsewhere' })),
    withoutKey: movable.filter((table) => identityOf(table).kind === 'full').map((table) => writeTableName(table.name)),
    tables: movable.length,
    rows: movable.reduce((sum, table) => sum + Math.max(0, table.rows), 0),
    bytes: movable.reduce((sum, table) => sum + table.heapBytes + table.toastBytes, 0),
  }
}

function explicitKey(
  table: CatalogTable,
  tables: readonly CatalogTable[],
  routes: ReadonlyMap<string, TableRoute>,
  shardKey: string,
): Draft['shardKeys'] {
  const route = routes.get(tableKey(table.name))
  const name = writeTableName(table.name)
  if (route?.kind === 'column' && route.column !== shardKey && rootColumn(table, tables, shardKey) === route.column) {
    return [{ table: name, key: route.column, why: `what ${shardKey} of the other tables refers to` }]
  }
  if (route?.kind !== 'parent') return []
  const key = { via: route.column, parent: writeTableName(route.parent) }
  return [{ table: name, key, why: 'found over its foreign key' }]
}

function asReference(table: CatalogTable, tables: readonly CatalogTable[]): { table: string; why: string } {
  const key = tableKey(table.name)
  const users = tables.filter((other) => other.foreignKeys.some((foreign) => tableKey(foreign.parent) === key))
  const why =
    users.length > 0
      ? `no way to the shard key; ${users.length} ${users.length === 1 ? 'table refers' : 'tables refer'} to it`
      : 'no way to the shard key was found: check this'
  return { table: writeTableName(table.name), why }
}
