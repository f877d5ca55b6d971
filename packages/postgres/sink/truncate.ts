import type { ShardId } from '@crossfade/model/ids.ts'
import { routeSql } from '@crossfade/routing/route-sql.ts'
import { keyExpressionSql } from '@crossfade/routing/table-key.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import { quoteLiteral, quoteTable } from '../connection/quote.ts'
import type { DirectedTable } from './direction.ts'
import type { TargetSession } from './target-session.ts'

/** Tables that were emptied on one shard. */
export interface Truncation {
  /** Parents before children. */
  readonly tables: readonly DirectedTable[]
  /** The followed shard, when it is one of several: the applied side holds rows of the others too, which must stay. */
  readonly shard: { readonly id: ShardId; readonly topology: Topology } | null
}

/**
 * Adds a transaction that empties the tables as the followed shard did. Where rows of several shards come together only those are deleted that belong to
 * that shard. Sequences are left alone: they are carried at the cutover.
 */
export function addTruncate(session: TargetSession, truncation: Truncation): void {
  const { tables, shard } = truncation
  session.begin()
  const whole = tables.filter(
    (table) => shard === null || table.toRoute.kind === 'reference' || table.toRoute.kind === 'whole',
  )
  if (shard !== null) {
    // Children first: they find their shard through parents that are emptied too.
    for (const table of [...tables].reverse()) {
      if (whole.includes(table)) continue
      const key = keyExpressionSql(table.toRoute, 't')
      session.pipeline.execute(
        `DELETE FROM ${quoteTable(table.to)} AS t WHERE ${routeSql(shard.topology, key)} = ${quoteLiteral(shard.id)}`,
      )
    }
  }
  if (whole.length > 0) {
    const names = whole.map(
      (table) => `${session.tables.get(table)?.partitioned ? '' : 'ONLY '}${quoteTable(table.to)}`,
    )
    session.pipeline.execute(`TRUNCATE ${names.join(', ')}`)
  }
}
