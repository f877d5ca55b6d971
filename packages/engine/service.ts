import type { Clock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import { asMigrationId, type MigrationId, newMigrationId } from '@crossfade/model/ids.ts'
import { rung, type Stage } from '@crossfade/model/stage.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import { answer, type Command, refusals } from '@crossfade/stages/machine.ts'
import type { Track } from '@crossfade/tracks/contract/track.ts'
import type { Asker, JournalEntry, MigrationService } from './contract.ts'
import { type EntryBodies, entry } from './entries.ts'
import { JournaledState } from './journaled-state.ts'
import { LiveEvents } from './live-events.ts'
import { detailOf, summaryOf } from './migration-views.ts'
import { thinnedOut } from './samples.ts'
import type { ControlStore, MigrationRecord, NewEntry } from './store.ts'
import { isStale } from './trouble.ts'
import { chunkView, taskView, workerViews } from './views.ts'

const historyEntriesMax = 1_000
const reportsMax = 200
const mismatchesMax = 1_000
const seriesPointsMax = 600
/** A command that meets another one looks again; so often before it gives up. */
const commandTriesMax = 20

export interface ServiceOptions {
  readonly store: ControlStore
  readonly clock: Clock
  readonly track: Track
  readonly newId?: () => MigrationId
}

/** The service behind CLI, REST API and console. It only reads and journals; the reconciler, wherever it runs, does the rest. */
export function createMigrationService(options: ServiceOptions): MigrationService {
  const { store, clock, track } = options
  const newId = options.newId ?? newMigrationId
  const states = new Map<MigrationId, JournaledState>()
  const live = new LiveEvents(store, clock, (id) => detail(id))

  async function record(id: MigrationId): Promise<MigrationRecord> {
    const found = await store.migrations.get(id)
    if (!found) throw fail('CF6001', { migration: id })
    return found
  }

  function stateOf(id: MigrationId): JournaledState {
    let state = states.get(id)
    if (!state) {
      state = new JournaledState(store, id)
      states.set(id, state)
    }
    return state
  }

  async function detail(id: MigrationId) {
    return detailOf(store, clock, track, await record(id), await stateOf(id).refresh())
  }

  /** Journals what a command means at the place where the migration is at this moment. */
  async function command(id: MigrationId, name: Command, asker: Asker, to?: Stage): Promise<void> {
    await record(id)
    for (let tries = 1; ; tries += 1) {
      const state = await stateOf(id).refresh()
      // Asked before what is allowed now: the command itself may have led to where it is refused.
      if (await answeredBefore(id, name, asker)) return
      const given = answer(state.place, name, to)
      if (!given.allowed) throw fail('CF6002', { command: name, reason: refusals[given.refusal] })
      const { desired, paused, aborting } = given.place
      const revive = async () => name !== 'pause' && (await store.tasks.revive(id))
      // Before the entry that takes the failure back: whoever sees that one must not find the failed task and stop once more.
      if (state.failure !== null) await revive()
      try {
        await append(id, entry('commanded', { command: name, desired, paused, aborting }, asker.actor), asker, {
          expectedVersion: state.version,
          paused,
          part: name,
        })
        if (state.failure === null) await revive()
        return
      } catch (error) {
        if (!isStale(error) || tries >= commandTriesMax) throw error
      }
    }
  }

  /** What the same request did when it came the first time; null for a new one. */
  async function answeredBefore(id: MigrationId, part: string, asker: Asker): Promise<readonly JournalEntry[] | null> {
    const key = keyOf(asker, part)
    return key === undefined ? null : store.journal.appended(id, key)
  }

  async function append(
    id: MigrationId,
    what: NewEntry,
    asker: Asker,
    more: { expectedVersion?: number; paused?: boolean; part?: string } = {},
  ): Promise<void> {
    const { part = what.kind, ...options } = more
    await store.journal.append(id, [what], { ...options, idempotencyKey: keyOf(asker, part) })
    await stateOf(id).refresh()
  }

  async function create(plan: ResolvedPlan, asker: Asker): Promise<MigrationId> {
    const body = { name: plan.name, digest: plan.digest, routing: initialRouting(plan) }
    return store.migrations.create(newId(), plan, entry('created', body, asker.actor))
  }

  return {
    create,
    async apply(plan, asker, { to = 'dualwrite' } = {}) {
      const id = await create(plan, asker)
      const { place, failure } = await stateOf(id).refresh()
      if (place.paused || failure !== null) await command(id, 'resume', asker)
      if (rung(place.desired) < rung(to)) await command(id, 'advance', asker, to)
      return id
    },
    async list() {
      const records = await store.migrations.list()
      return Promise.all(records.map(async (each) => summaryOf(store, clock, each, await stateOf(each.id).refresh())))
    },
    get: detail,
    async find(idOrName) {
      const records = await store.migrations.list()
      const found = records.find((each) => each.id === idOrName) ?? records.find((each) => each.name === idOrName)
      if (!found) throw fail('CF6001', { migration: idOrName })
      return found.id
    },
    async lastPlan(name) {
      const records = await store.migrations.list()
      return records.find((each) => each.name === name)?.plan ?? null
    },
    advance: (id, asker, { to } = {}) => command(id, 'advance', asker, to),
    retreat: (id, asker, { to } = {}) => command(id, 'retreat', asker, to),
    abort: (id, asker) => command(id, 'abort', asker),
    pause: (id, asker) => command(id, 'pause', asker),
    resume: (id, asker) => command(id, 'resume', asker),
    async verify(id, asker, { repair = false } = {}) {
      await record(id)
      const { place, verification } = await stateOf(id).refresh()
      const before = await answeredBefore(id, 'verification-requested', asker)
      if (before) return (before[0]!.body as unknown as EntryBodies['verification-requested']).run.id
      if (place.stage === 'off' || place.stage === 'complete')
        throw fail('CF6002', { command: 'verify', reason: `there is nothing to compare at ${place.stage}` })
      // One that waits answers for this one too, unless it would leave unrepaired what this one is to repair.
      if (verification.requested && (verification.requested.repair || !repair)) return verification.requested.id
      const run = { id: `ver_${clock.now()}`, repair, startedAt: new Date(clock.now()).toISOString() }
      await append(id, entry('verification-requested', { run }, asker.actor), asker)
      return stateOf(id).seen.verification.requested?.id ?? run.id
    },
    async approve(id, gate, approved, asker) {
      const { plan } = await record(id)
      if (!plan.gates.some((each) => each.kind === 'manual' && each.name === gate)) {
        throw fail('CF6002', { command: 'approve', reason: `the plan has no manual gate ${gate}` })
      }
      await append(id, entry('approved', { gate, approved }, asker.actor), asker)
    },
    async history(id, { after, limit = historyEntriesMax } = {}) {
      await record(id)
      const most = Math.min(limit, historyEntriesMax)
      return after === undefined ? store.journal.newest(id, most) : store.journal.after(after, most, id)
    },
    async reports(id) {
      await record(id)
      return store.reports.list(id, reportsMax)
    },
    async report(id, reportId) {
      await record(id)
      const found = await store.reports.get(id, reportId)
      if (found) return found
      // One that was asked for and is not finished.
      const { running, requested } = (await stateOf(id).refresh()).verification
      const run = [running, requested].find((each) => each?.id === reportId)
      if (!run) throw fail('CF6010', { report: reportId, migration: id })
      return {
        id: run.id,
        startedAt: run.startedAt,
        finishedAt: null,
        scope: run.repair ? 'repair' : 'full',
        tables: [],
        rows: 0,
        bytes: 0,
        mismatches: 0,
        repaired: 0,
      }
    },
    async mismatches(id, { reportId, limit = mismatchesMax } = {}) {
      await record(id)
      const most = Math.min(limit, mismatchesMax)
      if (reportId === undefined) return store.reports.open(id, most)
      const report = await store.reports.get(id, reportId)
      if (!report) throw fail('CF6010', { report: reportId, migration: id })
      return report.tables.flatMap((table) => table.mismatches).slice(0, most)
    },
    async samples(id, names, { since, until = clock.now(), pointsMax = seriesPointsMax }) {
      const series = await store.samples.read(id, names, since, until)
      return Object.fromEntries(Object.entries(series).map(([name, each]) => [name, thinnedOut(each, pointsMax)]))
    },
    async chunks(id) {
      await record(id)
      return (await store.tasks.list(id, { kind: 'copy' })).map(chunkView)
    },
    async tasks(id) {
      await record(id)
      return (await store.tasks.list(id)).map(taskView)
    },
    async routing(id) {
      return (await store.journal.routing(id)) ?? initialRouting((await record(id)).plan)
    },
    async routingAfter(id, epoch, milliseconds) {
      const until = clock.now() + milliseconds
      const never = new AbortController().signal
      for (;;) {
        const routing = (await store.journal.routing(id)) ?? initialRouting((await record(id)).plan)
        const left = until - clock.now()
        if (routing.epoch > epoch || left <= 0) return routing
        await store.bell.wait(id, 'work', left, never)
      }
    },
    workers: () => workerViews(store, clock),
    async health() {
      const begun = clock.now()
      const [workers, records] = await Promise.all([workerViews(store, clock), store.migrations.list()])
      const migrations = records.filter((each) => each.endedAt === null).length
      return {
        workers: workers.filter((worker) => worker.alive).length,
        migrations,
        controlLatencyMs: clock.now() - begun,
      }
    },
    subscribe: (listener, migration) =>
      live.subscribe(listener, migration === undefined ? undefined : asMigrationId(migration)),
  }
}

/** A request may journal several things (`apply` resumes and advances): each part of it takes effect once. */
function keyOf({ idempotencyKey }: Asker, part: string): string | undefined {
  return idempotencyKey === undefined ? undefined : `${idempotencyKey} ${part}`
}

/** Before anything has moved: the source answers for every unit. */
export function initialRouting(plan: ResolvedPlan): Routing {
  return {
    epoch: 1,
    source: plan.source.topology,
    target: plan.target.topology,
    authority: Object.fromEntries(plan.source.shards.map((shard) => [shard.id, 'source' as const])),
    fenced: [],
  }
}
