import { asMigrationId } from '@crossfade/model/ids.ts'
import { authority, stages } from '@crossfade/model/stage.ts'
import { nextMove } from '@crossfade/stages/machine.ts'
import { dataTrack } from '@crossfade/tracks/data/track.ts'
import type { MigrationService } from '../contract.ts'
import { runEngineWorker } from '../engine-worker.ts'
import { JournaledState } from '../journaled-state.ts'
import { memoryStore } from '../memory-store.ts'
import { createMigrationService } from '../service.ts'
import type { MigrationState } from '../state.ts'
import type { ControlStore } from '../store.ts'
import { type Faults, FaultyProcess, noFaults } from './faulty-process.ts'
import { Ledger } from './ledger.ts'
import { runModelClient } from './model-client.ts'
import { ModelDatabase, type Sabotage } from './model-database.ts'
import { modelPlan } from './model-plan.ts'
import { type ModelWorld, modelPlane } from './model-plane.ts'
import { Scheduler } from './scheduler.ts'

export interface SimulationOptions {
  readonly seed: number
  readonly sabotage?: Sabotage | null
  readonly faults?: Partial<Faults>
  /** Sees what the engine kept, at the end. */
  readonly inspect?: (store: ControlStore) => Promise<void>
}

export interface SimulationResult {
  readonly seed: number
  readonly violations: readonly string[]
  /** A digest of everything that happened: the same seed gives the same. */
  readonly trace: string
  readonly events: number
  readonly stage: string
  readonly acknowledged: number
  readonly crashes: number
  readonly cutovers: number
  readonly undone: number
  readonly simulatedMs: number
}

const troubleMs = 40_000
const calmMsMax = 240_000
const fencedMsMax = 30_000
const drainMs = 20_000
const commandMsMax = 4_000
const restartMsMax = 3_000
const migration = asMigrationId('mig_simulated')

/**
 * One life of a migration: workers that crash, stand still and are cut off, clients that write all the time, and a person who changes their mind. Then calm: faults end, and what
 * must hold is looked at. The engine, its workers, the track and the machine are the code that runs in production; only time, databases and network are of the model.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { seed, sabotage = null } = options
  const scheduler = new Scheduler(seed)
  const { random } = scheduler
  const faults: Faults = {
    callFailure: random.pick([0, 0.005, 0.02]),
    slowCall: random.pick([0, 0.005, 0.02]),
    slowMs: random.pick([500, 3_000]),
    crash: random.pick([0, 0.0005, 0.003]),
    stall: random.pick([0, 0.0005, 0.002]),
    stallMs: 12_000,
    lostRing: random.pick([0, 0.2]),
    critical: random.pick([0, 0.01, 0.05]),
    ...options.faults,
  }
  const keys = random.pick([5, 20, 100])
  const plan = modelPlan({
    sources: 1 + random.below(2),
    targets: 1 + random.below(3),
    keys,
    grouped: random.chance(0.4),
  })
  const databases = new Map(
    (['source', 'target'] as const).flatMap((side) =>
      plan[side].shards.map(({ id }) => [id, new ModelDatabase(id, side, sabotage)] as const),
    ),
  )
  const world: ModelWorld = { plan, databases, sabotage, snapshots: 0 }
  const shared = sabotaged(
    memoryStore({ now: () => scheduler.now, sleep: () => new Promise(() => undefined) }),
    sabotage,
  )
  const ledger = new Ledger(seed)
  const stop = new AbortController()
  let writing = true
  let crashes = 0
  let critical = false
  shared.bell.listen((_migration, topic) => {
    if (topic === 'work')
      void shared.journal.routing(migration).then((routing) => {
        critical = (routing?.fenced.length ?? 0) > 0
      })
  })

  for (let index = 0; index < 2 + random.below(2); index += 1) startWorker(`worker ${index}`, 1)
  const bystander = new FaultyProcess(scheduler, 'operator', noFaults)
  const service = createMigrationService({
    store: bystander.store(shared),
    clock: bystander.clock,
    track: dataTrack,
    newId: () => migration,
  })
  void operate(service)
  for (let index = 0; index < 3; index += 1) startClient(`client ${index}`)

  await scheduler.runUntil(() => false, troubleMs)
  Object.assign(faults, noFaults)
  const state = new JournaledState(shared, migration)
  // Also a migration that is paused, or stopped for a person, must not leave clients behind a fence.
  await state.refresh()
  shared.bell.listen((_migration, topic) => {
    if (topic === 'work') void state.refresh()
  })
  if (!(await scheduler.runUntil(() => state.seen.routing.fenced.length === 0, fencedMsMax))) {
    ledger.violation(`fenced, and nobody opens: ${describe(state.seen)}`)
  }
  void calm(service, state)
  const rested = await scheduler.runUntil(() => ledger.violations.length > 0 || isAtRest(state.seen), calmMsMax)
  writing = false
  if (!rested) ledger.violation(`stuck: ${describe(state.seen)}`)
  // The last writes flow to the other side, where there is a stream.
  const streaming = rested && !['off', 'complete'].includes(state.seen.place.stage)
  await scheduler.runUntil(() => streaming && ledger.isEverywhere(world), drainMs)
  await state.refresh()
  checkRest(world, ledger, state.seen)
  await options.inspect?.(shared)
  stop.abort(new Error('the simulation is over'))
  const { cutovers, place } = state.seen
  return {
    seed,
    violations: ledger.violations,
    trace: `${scheduler.events} ${scheduler.now} ${state.seen.version} ${ledger.acknowledgedCount} ${random.next()}`,
    events: scheduler.events,
    stage: place.aborted ? 'aborted' : place.stage,
    acknowledged: ledger.acknowledgedCount,
    crashes,
    cutovers: cutovers.filter((cutover) => cutover.outcome === 'flipped').length,
    undone: cutovers.filter((cutover) => cutover.outcome === 'undone').length,
    simulatedMs: troubleMs,
  }

  function startWorker(name: string, life: number): void {
    const process = new FaultyProcess(
      scheduler,
      `${name}.${life}`,
      faults,
      () => {
        crashes += 1
        scheduler.after(random.below(restartMsMax), () => startWorker(name, life + 1))
      },
      () => critical,
    )
    void runEngineWorker(
      {
        id: process.id,
        store: process.store(shared),
        clock: process.clock,
        track: dataTrack,
        openDataPlane: async () => modelPlane(world, process.access),
        hooks: { run: async () => undefined },
        httpGet: async () => ({ status: 200, text: '' }),
        beside: [],
        throttle: () => async () => undefined,
        places: { reconcile: 1, stream: 4, copy: 2, 'schema-work': 1, verify: 1, repair: 1, backup: 1 },
        memoryBytes: () => 0,
      },
      stop.signal,
    )
  }

  function startClient(name: string): void {
    const clientFaults = {
      ...noFaults,
      callFailure: faults.callFailure,
      slowCall: faults.slowCall,
      slowMs: faults.slowMs,
    }
    const process = new FaultyProcess(scheduler, name, clientFaults)
    void runModelClient({
      world,
      process,
      store: process.store(shared),
      migration,
      ledger,
      keys,
      running: () => writing,
    })
  }

  /** Somebody who changes their mind. */
  async function operate(asked: MigrationService): Promise<void> {
    const asker = { actor: 'operator' }
    await asked.create(plan, asker)
    for (;;) {
      const what = random.below(60)
      await (what < 38
        ? asked.advance(migration, asker)
        : what < 48
          ? asked.retreat(migration, asker)
          : what < 49
            ? asked.abort(migration, asker)
            : what < 51
              ? asked.pause(migration, asker)
              : what < 54
                ? asked.advance(migration, asker, { to: random.pick(stages) })
                : asked.resume(migration, asker)
      ).catch(() => undefined)
      await bystander.clock.sleep(random.below(commandMsMax))
      if (scheduler.now >= Date.UTC(2026, 0, 1) + troubleMs) return
    }
  }

  /** Whatever stopped for a person goes on, once the trouble is over. */
  async function calm(asked: MigrationService, seen: JournaledState): Promise<void> {
    for (;;) {
      const now = await seen.refresh()
      if (now.failure || now.place.paused) await asked.resume(migration, { actor: 'operator' }).catch(() => undefined)
      await bystander.clock.sleep(2_000)
    }
  }
}

function isAtRest(state: MigrationState): boolean {
  const { place } = state
  return state.failure === null && !place.paused && place.moving === null && nextMove(place).kind === 'rest'
}

function checkRest(world: ModelWorld, ledger: Ledger, state: MigrationState): void {
  const { place, routing } = state
  if (place.moving) return
  const side = authority[place.stage]
  for (const [unit, holder] of Object.entries(routing.authority))
    if (holder !== side) ledger.violation(`at ${place.stage} the ${holder} has the authority over ${unit}`)
  if (routing.fenced.length > 0) ledger.violation(`at rest ${routing.fenced.join(', ')} are fenced`)
  for (const database of world.databases.values()) {
    for (const [unit, fence] of database.fences)
      if (fence.closed && database.side === side)
        ledger.violation(`${database.id} is closed for ${unit} and should be open`)
    if (place.stage === 'off' || place.stage === 'complete') {
      const left = [...database.leftovers(), ...(database.slot ? [`${database.id} slot`] : [])]
      if (place.stage === 'off' && database.createdTables) left.push(`${database.id} tables`)
      if (left.length > 0) ledger.violation(`left at ${place.stage}: ${left.join(', ')}`)
    }
    checkPositions(world, ledger, database)
  }
  ledger.check(world, side, place.stage !== 'off' && place.stage !== 'complete')
}

/** A position never runs ahead of what it stands for: what the slot has let go of is on the other side. */
function checkPositions(world: ModelWorld, ledger: Ledger, origin: ModelDatabase): void {
  if (!origin.slot) return
  for (const [stream, position] of [...world.databases.values()].flatMap((database) => [
    ...(database.control?.positions ?? []),
  ])) {
    if (stream === `stream ${origin.id}` && position > origin.lsn)
      ledger.violation(`the position of ${stream} is past the end of its log`)
  }
  if (origin.slot.confirmed > origin.lsn) ledger.violation(`the slot of ${origin.id} is past the end of its log`)
}

function sabotaged(store: ControlStore, sabotage: Sabotage | null): ControlStore {
  if (sabotage !== 'stale-journal') return store
  const { journal } = store
  return {
    ...store,
    journal: {
      ...journal,
      append: (id, entries, options = {}) => journal.append(id, entries, { ...options, lease: undefined }),
    },
  }
}

function describe(state: MigrationState): string {
  const { place, failure } = state
  const step = Object.entries(state.steps).find(([, each]) => each.finishedAt === null)
  return `at ${place.stage}, wants ${place.desired}, moving ${place.moving ? `${place.moving.from} to ${place.moving.to}` : 'nowhere'}, step ${step?.[0]}, ${failure?.message ?? step?.[1].failure?.message ?? 'no failure'}`
}
