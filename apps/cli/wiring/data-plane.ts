import type { ControlStore, MigrationRecord } from '@crossfade/engine/store.ts'
import { fail } from '@crossfade/model/failure.ts'
import { asEpoch } from '@crossfade/model/ids.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import type { DataPlane } from '@crossfade/pipeline/data-plane.ts'
import { loadTransforms } from '@crossfade/plan/transform/lookup.ts'
import { runHooks } from '@crossfade/postgres/cutover/hooks.ts'
import { openPostgresPlane } from '@crossfade/postgres/plane.ts'
import type { CutoverHooks } from '@crossfade/tracks/contract/ports.ts'

/** The real databases of a migration's plan. CF1006 when the plan's file, and so its transforms, is no longer the one that was planned. */
export async function openDataPlane(store: ControlStore, record: MigrationRecord): Promise<DataPlane> {
  const { reversible } = await loadTransforms(record.plan)
  return openPostgresPlane({
    plan: record.plan,
    migration: record.id,
    transforms: reversible,
    authority: () => authorityOf(store, record),
  })
}

/** The source, until every unit's authority has moved. */
async function authorityOf(store: ControlStore, record: MigrationRecord): Promise<Side> {
  const routing = await store.journal.routing(record.id)
  const sides = Object.values(routing?.authority ?? {})
  return sides.length > 0 && sides.every((side) => side === 'target') ? 'target' : 'source'
}

/** PgBouncer, webhooks and commands, as each migration's plan names them. */
export function cutoverHooks(store: ControlStore): CutoverHooks {
  return {
    async run(_hooks, moment, { migration, units, to, epoch }) {
      const record = await store.migrations.get(migration)
      if (!record) throw fail('CF6001', { migration })
      await runHooks(moment, {
        plan: record.plan,
        migration,
        from: otherSide(to),
        to,
        units,
        epoch: asEpoch(epoch),
      })
    },
  }
}
