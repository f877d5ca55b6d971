import { tableKey } from '@crossfade/model/table-name.ts'
import { describeInventory } from './describe.ts'
import { type DesiredSchema, routineIdentity } from './desired.ts'
import type { Inventory } from './inventory-types.ts'

/**
 * What stands in the way of creating the schema: relations of the same name, and types, collations and routines of the same name that are
 * not the same. Equal ones are used as they are.
 */
export function conflicts(desired: DesiredSchema, target: Inventory): string[] {
  const { inventory } = desired
  const relations = new Set(
    [...target.tables, ...target.sequences, ...target.views].map((relation) => tableKey(relation.name)),
  )
  const wanted = [
    ...inventory.tables.map((each) => ['table', tableKey(each.name)] as const),
    ...inventory.sequences.map((each) => ['sequence', tableKey(each.name)] as const),
    ...inventory.views.map((each) => ['view', tableKey(each.name)] as const),
  ]
  const there = describeInventory(target)
  const other = describeInventory(inventory)
  const shared = [
    ...inventory.types.map((each) => `${each.kind} ${tableKey(each.name)}`),
    ...inventory.collations.map((each) => `collation ${tableKey(each.name)}`),
    ...inventory.routines.map((each) => `${each.kind} ${routineIdentity(each)}`),
  ]
  return [
    ...wanted.filter(([, name]) => relations.has(name)).map(([kind, name]) => `${kind} ${name}`),
    ...shared.filter((key) => {
      const found = there.get(key)
      return found !== undefined && JSON.stringify(found.facets) !== JSON.stringify(other.get(key)?.facets)
    }),
  ]
}
