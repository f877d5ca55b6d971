import { type Failure, fail } from '@crossfade/model/failure.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { Selection } from './selection.ts'
import type { ShardSurvey } from './survey.ts'
import { quoteTable } from './table-pattern.ts'

/** The catalog counts up to so many large objects. */
const largeObjectsCountedMax = 1000

/**
 * What would be lost without a word, so that no plan is made of it (CF2110, CF2111 to `report`): a table that is not in the log is published and never heard of, also when it
 * is a partition; large objects belong to no table. Of a migration that is under way already, large objects that came meanwhile are left to the doctor.
 */
export function reportLosses(
  shards: readonly ShardSurvey[],
  selection: Selection,
  largeObjectsIgnored: boolean,
  report: (failure: Failure) => void,
): void {
  for (const { id, tables, objects } of shards) {
    const moved = new Set<string>()
    for (const { onShards } of selection.tables) {
      const table = onShards.find(({ shard }) => shard === id)?.table
      if (table) for (const name of [table.name, ...table.leaves]) moved.add(tableKey(name))
    }
    for (const { name, persistence } of tables) {
      if (persistence === 'unlogged' && moved.has(tableKey(name)))
        report(fail('CF2110', { table: tableKey(name), tableQuoted: quoteTable(name) }))
    }
    if (objects.largeObjects === 0 || largeObjectsIgnored || objects.crossfadeMigrations.length > 0) continue
    report(fail('CF2111', { shard: id, count: countedLargeObjects(objects.largeObjects) }))
  }
}

/** For people: `12`, or `1,000 or more`. */
export function countedLargeObjects(count: number): string {
  return count >= largeObjectsCountedMax ? '1,000 or more' : String(count)
}
