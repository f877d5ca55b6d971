import type { NetRow } from './batch.ts'
import type { Layout } from './layout.ts'
import { arrayLiteral, linkSql, type OriginReader } from './origin-reader.ts'
import type { ParentRoute } from './parent-links.ts'
import type { RouteLookup } from './route-rows.ts'
import { settled } from './settled.ts'
import type { TargetSession } from './target-session.ts'

/** Looks parents up where they were applied to, and those that are not there at the followed shard. */
export function routeLookup(sessions: readonly TargetSession[], origin: OriginReader): RouteLookup {
  return {
    async links(
      from: ParentRoute,
      to: ParentRoute,
      values: readonly string[],
    ): Promise<ReadonlyMap<string, string | null>> {
      const found = new Map<string, string | null>()
      const sql = linkSql(to)
      // A parent that is ahead of the stream on one shard and not gone from another yet is found on both: either is right, since what hangs on it moves too.
      const answers = await settled(sessions.map((session) => session.select(sql, [arrayLiteral(values)])))
      for (const [value, link] of answers.flat()) found.set(value!, link!)
      const rest = values.filter((value) => !found.has(value))
      if (rest.length > 0) for (const [value, link] of await origin.links(from, rest)) found.set(value!, link!)
      return found
    },
    async present(layout: Layout, rows: readonly NetRow[]): Promise<ReadonlySet<NetRow>> {
      const found = await origin.read(
        layout,
        rows.map((row) => row.identity),
        [],
      )
      return new Set(rows.filter((_, index) => found[index] !== null))
    },
  }
}
