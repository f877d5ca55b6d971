import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { CutoverPlane } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import { CriticalConnections, type OpenSession } from './critical-connections.ts'
import { type FenceObserver, Fences } from './fence.ts'
import { fenceSites } from './fence-site.ts'
import { longTransactions } from './long-transactions.ts'

export interface CutoverPlaneOptions {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  /** Opens an ordinary session (one that does *not* carry `crossfade.writer`) on a shard of either side. */
  readonly open: OpenSession
  /** Sets the sequences of one side past those of the other; see `schema/sequences.ts`. */
  readonly carrySequences: (from: Side, to: Side) => Promise<void>
  readonly observe?: FenceObserver
}

export interface PostgresCutover extends CutoverPlane {
  /** Removes triggers and functions of the fences on a side. Idempotent; called before the control schema is removed. */
  removeFences(side: Side): Promise<void>
  /** Ends the sessions that `prepare` opened. */
  close(): Promise<void>
}

/** The moves of a cutover on PostgreSQL. Holds one session per database from the first `prepare` on. */
export function createCutoverPlane(options: CutoverPlaneOptions): PostgresCutover {
  const { plan, migration } = options
  const connections = new CriticalConnections(options.open)
  const fences = new Fences({ plan, migration, connections, ...(options.observe ? { observe: options.observe } : {}) })
  const shardsOf = (side: Side, units: readonly ShardId[]) => fenceSites(plan, side, units).map((site) => site.shard)

  return {
    async prepare(from, units) {
      const other: Side = from === 'source' ? 'target' : 'source'
      await connections.warm([...new Set([...shardsOf(from, units), ...shardsOf(other, units)])])
      await fences.prepare(from, units)
    },
    async longTransactions(from, units) {
      const lines = await Promise.all(
        fenceSites(plan, from, units).map((site) =>
          connections.use(site.shard, (client) =>
            longTransactions(client, site.shard, site.tables, plan.cutover.transactionMsMax),
          ),
        ),
      )
      // Nothing keeps the cutover from starting, so the fence is next.
      if (lines.every((each) => each.length === 0)) await fences.preArm(from, units)
      return lines.flat()
    },
    fence: (from, units, epoch, owner) => fences.fence(from, units, epoch, owner),
    unfence: (side, units, epoch) => fences.unfence(side, units, epoch),
    carrySequences: options.carrySequences,
    removeFences: (side) => fences.remove(side),
    async close() {
      await fences.settled()
      await connections.close()
    },
  }
}
