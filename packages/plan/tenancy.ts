import { tableKey } from '@crossfade/model/table-name.ts'
import type { CatalogTable } from '@crossfade/pipeline/catalog.ts'

/** Names that usually mean "whose row this is", the most telling first. Only used where foreign keys say nothing. */
const usualNames = [
  'tenant_id',
  'organization_id',
  'organisation_id',
  'org_id',
  'account_id',
  'company_id',
  'customer_id',
  'workspace_id',
  'team_id',
  'shop_id',
  'store_id',
]
/** So many tables must have a name, or refer by it to the same table, before it is taken for the shard key; with a usual name one reference will do. */
const tablesMin = 2

/**
 * The column name that most looks like a shard key: the one that occurs in most tables, refers to the same table everywhere or has a usual name.
 * Null when nothing stands out.
 */
export function detectShardKey(tables: readonly CatalogTable[]): string | null {
  const candidates = new Map<string, { tables: number; parents: Map<string, number> }>()
  for (const table of tables) {
    for (const column of table.columns) {
      const candidate = candidates.get(column.name) ?? { tables: 0, parents: new Map<string, number>() }
      candidate.tables += 1
      candidates.set(column.name, candidate)
      for (const key of table.foreignKeys) {
        if (key.columns.length !== 1 || key.columns[0] !== column.name) continue
        const parent = tableKey(key.parent)
        candidate.parents.set(parent, (candidate.parents.get(parent) ?? 0) + 1)
      }
    }
  }
  let best: { name: string; score: number } | null = null
  for (const [name, { tables: count, parents }] of candidates) {
    const usual = usualNames.indexOf(name)
    const references = Math.max(0, ...parents.values())
    if (usual < 0 ? references < tablesMin : Math.max(count, 2 * references) < tablesMin) continue
    // A usual name outweighs any count of foreign keys; among equals the one in more tables wins.
    const score = (usual < 0 ? 0 : 1000 - usual) + count + references
    if (!best || score > best.score) best = { name, score }
  }
  return best?.name ?? null
}

/** The column of `table` that the shard key of other tables refers to: `tenants.id` for `tenant_id`; null when it is not such a root. */
export function rootColumn(table: CatalogTable, tables: readonly CatalogTable[], shardKey: string): string | null {
  const key = tableKey(table.name)
  for (const other of tables) {
    for (const foreign of other.foreignKeys) {
      if (foreign.columns.length === 1 && foreign.columns[0] === shardKey && tableKey(foreign.parent) === key) {
        return foreign.parentColumns[0]!
      }
    }
  }
  const isNamed = shardKey.endsWith('_id') && namesRoot(table.name.name, shardKey.slice(0, -'_id'.length))
  const single = table.primaryKey?.length === 1 ? table.primaryKey[0]! : null
  return isNamed ? single : null
}

/** `tenants`, `tenant` for `tenant`; `companies` for `company`. */
function namesRoot(table: string, word: string): boolean {
  return [word, `${word}s`, `${word}es`, word.replace(/y$/, 'ies')].includes(table)
}
