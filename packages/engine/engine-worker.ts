import type { Clock } from '@crossfade/model/clock.ts'
import { invariant } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { DataPlane, TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { CutoverHooks, TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import type { Json, Task } from '@crossfade/tracks/contract/tasks.ts'
import type { Track } from '@crossfade/tracks/contract/track.ts'
import { gateKeeper, type HttpGet } from './gates.ts'
import { heldPlane } from './held-plane.ts'
import { JournaledState } from './journaled-state.ts'
import { type ReconcilerParts, reconcile } from './reconciler.ts'
import type { ControlStore, MigrationRecord, Work, WorkKind } from './store.ts'
import { ExpectedPoints, trackPorts } from './track-ports.ts'
import { Worker } from './worker.ts'

export interface EngineOptions {
  readonly id: string
  readonly store: ControlStore
  readonly clock: Clock
  readonly track: Track
  /** Opens this process's data plane for a migration; called once per migration and process, closed when the migration or the process ends. */
  readonly openDataPlane: (record: MigrationRecord) => Promise<DataPlane>
  readonly hooks: CutoverHooks
  readonly httpGet: HttpGet
  readonly beside: ReconcilerParts['beside']
  readonly throttle: (work: Work, signal: AbortSignal) => TaskContext['throttle']
  readonly places: Partial<Record<WorkKind, number>>
  readonly memoryBytes: () => number
}

/** What a process that takes work runs: tasks of every kind and the reconcilers of the migrations whose lease it gets. Resolves once the signal has aborted and all has ended. */
export async function runEngineWorker(options: EngineOptions, signal: AbortSignal): Promise<void> {
  const workplaces = new Workplaces(options)
  const parts: ReconcilerParts = {
    store: options.store,
    clock: options.clock,
    track: options.track,
    hooks: options.hooks,
    gates: gateKeeper(options.store, options.httpGet),
    beside: options.beside,
  }
  const worker = new Worker({
    id: options.id,
    store: options.store,
    clock: options.clock,
    places: options.places,
    throttle: options.throttle,
    memoryBytes: options.memoryBytes,
    async run(work: Work, context: TaskContext, isHeld: () => boolean): Promise<Json | null> {
      const place = await workplaces.get(work.migration)
      if (work.kind !== 'reconcile') return options.track.handlers[work.kind](work as Task, place.ports, context)
      await reconcile(
        parts,
        place.record,
        heldPlane(place.plane, isHeld, work.name),
        { migration: work.migration, task: work.name, epoch: work.epoch },
        context,
      )
      await workplaces.close(work.migration)
      return null
    },
  })
  try {
    await worker.run(signal)
  } finally {
    await workplaces.closeAll()
  }
}

interface Workplace {
  readonly record: MigrationRecord
  readonly plane: DataPlane
  readonly ports: TrackPorts
  readonly expected: ExpectedPoints
}

/** What this process needs for each migration it works on; opened at first use, shared by all its tasks. */
class Workplaces {
  readonly #options: EngineOptions
  readonly #open = new Map<MigrationId, Promise<Workplace>>()

  constructor(options: EngineOptions) {
    this.#options = options
  }

  get(migration: MigrationId): Promise<Workplace> {
    let place = this.#open.get(migration)
    if (!place) {
      place = this.#make(migration)
      this.#open.set(migration, place)
      // One that could not be opened is tried again at the next task.
      place.catch(() => this.#open.delete(migration))
    }
    return place
  }

  async close(migration: MigrationId): Promise<void> {
    const opening = this.#open.get(migration)
    this.#open.delete(migration)
    const place = await opening?.catch(() => undefined)
    place?.expected.close()
    await place?.plane.close().catch(() => undefined)
  }

  async closeAll(): Promise<void> {
    for (const migration of [...this.#open.keys()]) await this.close(migration)
  }

  async #make(migration: MigrationId): Promise<Workplace> {
    const { store, clock, openDataPlane } = this.#options
    const record = await store.migrations.get(migration)
    invariant(record, `the task queue names the unknown migration ${migration}`)
    const plane = await openDataPlane(record)
    const expected = new ExpectedPoints(store, migration)
    return {
      record,
      plane,
      expected,
      ports: trackPorts(store, clock, record, plane, new JournaledState(store, migration), expected),
    }
  }
}
