import type { ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import { renameRoute, type SideNames } from '@crossfade/routing/table-key.ts'
import type { FencedTable, UnitRule } from './fence-ddl.ts'

/** One database on which a fence stands or falls. */
export interface FenceSite {
  readonly shard: ShardId
  readonly tables: readonly FencedTable[]
  readonly rule: UnitRule
  /** The units whose writes this database takes; the others concern it not. */
  readonly units: readonly ShardId[]
}

/**
 * The databases on which writes to the units' keys arrive. On the source a unit is a shard and lives nowhere else; on the target its rows are on every shard.
 */
export function fenceSites(plan: ResolvedPlan, side: Side, units: readonly ShardId[]): readonly FenceSite[] {
  const tables = plan.tables.map((table): FencedTable => {
    if (side === 'source') return { table: table.source, route: table.route }
    return { table: table.target, route: renameRoute(table.route, table.source, targetNames(plan)) }
  })
  if (side === 'source') {
    return units.map((unit) => ({ shard: unit, tables, rule: { kind: 'everything', unit }, units: [unit] }))
  }
  const all = plan.source.shards.map((shard) => shard.id)
  const rule: UnitRule = { kind: 'byKey', topology: plan.source.topology, units: all, keyless: all[0]! }
  return plan.target.shards.map((shard) => ({ shard: shard.id, tables, rule, units }))
}

/** How the target names what the plan names as the source does. A name outside the plan is the same on both sides. */
export function targetNames(plan: Pick<ResolvedPlan, 'tables'>): SideNames {
  const byName = new Map(plan.tables.map((table) => [tableKey(table.source), table]))
  return {
    table: (source: TableName) => byName.get(tableKey(source))?.target ?? source,
    column: (source: TableName, column: string) =>
      byName.get(tableKey(source))?.columns.find((each) => each.source === column)?.target ?? column,
  }
}
