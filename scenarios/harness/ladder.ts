import { randomBytes } from 'node:crypto'
import type { MigrationDetail } from '@crossfade/engine/contract.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { rung, type Stage } from '@crossfade/model/stage.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Plan } from '@crossfade/plan/define.ts'
import { accept } from '@crossfade/plan/load.ts'
import { resolvePlan } from '@crossfade/plan/resolve.ts'
import { withSurvey } from '@crossfade/plan/survey.ts'
import { postgresCatalogs } from '@crossfade/postgres/source/catalog.ts'
import { type OpenCrossfade, openCrossfade } from 'crossfade/wiring/open.ts'

/** A rung that is not reached within this has failed. */
const rungMsMax = 240_000
/** Each look asks the control database nine questions. */
const lookMs = 200
const asker = { actor: 'scenario' }

/** One migration under test, on real databases, driven rung by rung. */
export class Ladder {
  readonly crossfade: OpenCrossfade
  readonly id: MigrationId

  private constructor(crossfade: OpenCrossfade, id: MigrationId) {
    this.crossfade = crossfade
    this.id = id
  }

  /** Opens Crossfade on the control database, and creates the migration of the plan; nothing moves yet. */
  static async set(controlUrl: string, plan: Plan): Promise<Ladder> {
    return Ladder.start(controlUrl, await resolved(plan))
  }

  /** The same, for a plan that is resolved. */
  static async start(controlUrl: string, plan: ResolvedPlan): Promise<Ladder> {
    const crossfade = await openCrossfade({ control: controlUrl })
    try {
      await crossfade.work()
      const id = await crossfade.service.create(plan, asker)
      return new Ladder(crossfade, id)
    } catch (error) {
      await crossfade.close()
      throw error
    }
  }

  /** Asks for the stage and waits until it is reached. Rejects with what stopped the migration. */
  async goTo(stage: Stage): Promise<MigrationDetail> {
    const { service } = this.crossfade
    const { stage: from } = await service.get(this.id)
    if (from === stage) return service.get(this.id)
    if (rung(stage) > rung(from)) await service.advance(this.id, asker, { to: stage })
    else await service.retreat(this.id, asker, { to: stage })
    return this.until((migration) => migration.stage === stage && migration.transition === null, stage)
  }

  /** Verifies every row and gives the number of those that differ. */
  async verify(options: { repair?: boolean } = {}): Promise<number> {
    const { service } = this.crossfade
    const report = await service.verify(this.id, asker, options)
    await this.until(
      (migration) => migration.verification.running === null && migration.verification.last?.id === report,
      'a verification',
    )
    return (await service.report(this.id, report)).mismatches
  }

  async abort(): Promise<void> {
    await this.crossfade.service.abort(this.id, asker)
    await this.until((migration) => migration.status === 'aborted', 'the end of the abort')
  }

  async until(reached: (migration: MigrationDetail) => boolean, what: string): Promise<MigrationDetail> {
    const deadline = Date.now() + rungMsMax
    for (;;) {
      const migration = await this.crossfade.service.get(this.id)
      if (reached(migration)) return migration
      if (migration.status === 'stopped') {
        const findings = migration.findings.map((finding) => `${finding.code} ${finding.subject}: ${finding.message}`)
        throw new Error(
          `stopped on the way to ${what}: ${migration.failure?.code} ${migration.failure?.message} ${findings.join('; ')}`,
        )
      }
      if (Date.now() > deadline) {
        const gates = migration.ladder.flatMap((each) => each.gates).filter((gate) => gate.verdict !== 'pass')
        throw new Error(
          `${what} was not reached within ${rungMsMax} ms: ${migration.status} at ${migration.stage}, ${gates.map((gate) => gate.detail).join('; ')}`,
        )
      }
      await systemClock.sleep(lookMs)
    }
  }

  close(): Promise<void> {
    return this.crossfade.close()
  }
}

/** A plan of one database to another, with a name of its own and gates that ask for proof but not for patience. */
export function quickPlan(source: string, target: string, more: Partial<Plan> = {}): Plan {
  return {
    name: `scenario-${randomBytes(4).toString('hex')}`,
    source,
    target,
    gates: { live: [{ kind: 'verified' }, { kind: 'lag', limit: 1_000 }], complete: [] },
    throttle: { latencyBudget: null },
    ...more,
  }
}

/** The plan, resolved against its databases. */
export async function resolved(plan: Plan): Promise<ResolvedPlan> {
  const loaded = accept(plan, { path: 'scenario.plan.ts', sha256: 'none', locate: () => 'the scenario' })
  return withSurvey(loaded, postgresCatalogs, async (survey) => resolvePlan(loaded, survey))
}
