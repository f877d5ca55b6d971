import { tableKey } from '@crossfade/model/table-name.ts'
import type { CatalogTable } from '@crossfade/pipeline/catalog.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import { compareTables } from './table-pattern.ts'

/**
 * Parents before children, by foreign keys and by the parents of routes; otherwise by name. Where foreign keys go round in a circle, the table with the fewest
 * parents left comes first (by name among equals), so the order is always the same. References of a table to itself do not count.
 */
export function orderTables(
  tables: readonly CatalogTable[],
  routes: ReadonlyMap<string, TableRoute>,
): readonly CatalogTable[] {
  const waiting = new Map<string, { table: CatalogTable; parents: Set<string> }>()
  const known = new Set(tables.map((table) => tableKey(table.name)))
  for (const table of [...tables].sort(compareTables)) {
    const key = tableKey(table.name)
    const parents = new Set(table.foreignKeys.map((foreign) => tableKey(foreign.parent)))
    const route = routes.get(key)
    if (route?.kind === 'parent') parents.add(tableKey(route.parent))
    parents.delete(key)
    waiting.set(key, { table, parents: new Set([...parents].filter((parent) => known.has(parent))) })
  }
  const ordered: CatalogTable[] = []
  while (waiting.size > 0) {
    let next: string | null = null
    for (const [key, { parents }] of waiting) {
      if (next === null || parents.size < waiting.get(next)!.parents.size) next = key
    }
    ordered.push(waiting.get(next!)!.table)
    waiting.delete(next!)
    for (const { parents } of waiting.values()) parents.delete(next!)
  }
  return ordered
}
