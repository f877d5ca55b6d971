import { webhookAlerts } from '@crossfade/engine/alerts.ts'
import { runEngine } from '@crossfade/engine/engine.ts'
import type { EngineOptions } from '@crossfade/engine/engine-worker.ts'
import type { ControlStore } from '@crossfade/engine/store.ts'
import { invariant } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { asEpoch } from '@crossfade/model/ids.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import { loadTransforms } from '@crossfade/plan/transform/lookup.ts'
import { runHooks } from '@crossfade/postgres/cutover/hooks.ts'
import { openPostgresPlane } from '@crossfade/postgres/plane.ts'

export interface RunningEngine {
  /** Resolves when every task has come to a safe point. Idempotent. */
  stop(): Promise<void>
}

export interface EngineSettings {
  /** Where alerts are posted as JSON; none are sent without it. */
  readonly alertUrl?: string | undefined
  readonly places?: EngineOptions['places'] | undefined
}

/** Takes work from the control database in this process, on the real databases of each migration's plan. */
export function startEngine(store: ControlStore, settings: EngineSettings = {}): RunningEngine {
  const stop = new AbortController()
  const { alertUrl, places } = settings
  const running = runEngine(
    {
      store,
      async openDataPlane({ id, plan }) {
        const transforms = await loadTransforms(plan)
        return openPostgresPlane({
          plan,
          migration: id,
          transforms: transforms.reversible,
          authority: () => authorityOf(store, id),
        })
      },
      hooks: {
        async run(_hooks, moment, { migration, units, to, epoch }) {
          const record = await store.migrations.get(migration)
          invariant(record, `the cutover of an unknown migration ${migration}`)
          await runHooks(moment, {
            plan: record.plan,
            migration,
            from: otherSide(to),
            to,
            units,
            epoch: asEpoch(epoch),
          })
        },
      },
      places,
      sendAlert: alertUrl === undefined ? undefined : webhookAlerts(alertUrl),
    },
    stop.signal,
  )
  return {
    async stop() {
      stop.abort(new Error('the worker stops'))
      await running
    },
  }
}

/** While only some units have moved, the source still answers for the others, and the comparison is made from its side. */
async function authorityOf(store: ControlStore, migration: MigrationId): Promise<Side> {
  const routing = await store.journal.routing(migration)
  const sides = Object.values(routing?.authority ?? {})
  return sides.length > 0 && sides.every((side) => side === 'target') ? 'target' : 'source'
}
