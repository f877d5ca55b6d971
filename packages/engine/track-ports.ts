import type { Clock } from '@crossfade/model/clock.ts'
import { asEpoch, type MigrationId, type ShardId } from '@crossfade/model/ids.ts'
import { asLsn, type Lsn } from '@crossfade/model/lsn.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import type { DataPlane, StreamStatus } from '@crossfade/pipeline/data-plane.ts'
import type { StreamBoard, StreamReport, TrackPorts, VerificationBoard } from '@crossfade/tracks/contract/ports.ts'
import type { Json, TaskQueue } from '@crossfade/tracks/contract/tasks.ts'
import { entry } from './entries.ts'
import type { JournaledState } from './journaled-state.ts'
import type { ControlStore, Lease, MigrationRecord } from './store.ts'

/** The ports of one migration, over the control store. */
export function trackPorts(
  store: ControlStore,
  clock: Clock,
  record: MigrationRecord,
  plane: DataPlane,
  state: JournaledState,
  expected: ExpectedPoints,
  /** Of whoever changes the task queue through these ports. */
  lease?: Lease,
): TrackPorts {
  const migration = record.id
  return {
    migration,
    plan: record.plan,
    plane,
    clock,
    tasks: taskQueue(store, migration, lease),
    streams: streamBoard(store, migration, expected),
    verification: verificationBoard(store, migration, state),
    changed: (milliseconds, signal) => store.bell.wait(migration, 'work', milliseconds, signal),
  }
}

function taskQueue(store: ControlStore, migration: MigrationId, lease: Lease | undefined): TaskQueue {
  const { tasks } = store
  return {
    add: (added) => (added.length === 0 ? Promise.resolve() : tasks.add(migration, added, lease)),
    list: (filter) => tasks.list(migration, filter),
    unfinished: (filter) => tasks.unfinished(migration, filter),
    newEpoch: async () => asEpoch(await tasks.newEpoch()),
    cancel: (filter) => tasks.cancel(migration, filter, lease),
    remove: (filter) => tasks.remove(migration, filter, lease),
  }
}

function streamBoard(store: ControlStore, migration: MigrationId, expected: ExpectedPoints): StreamBoard {
  const { board } = store
  return {
    async get(shard) {
      const posted = await board.get(migration, 'stream', shard)
      return posted ? readStream(shard, posted.body, posted.at) : null
    },
    put: (shard, status) => board.put(migration, 'stream', shard, writeStream(status)),
    async expect(points) {
      if (points.length === 0) return board.clear(migration, 'expected')
      await Promise.all(
        points.map((point) => board.put(migration, 'expected', point.shard, { lsn: String(point.lsn) })),
      )
    },
    expected: (shard) => expected.of(shard),
    moved: (milliseconds, signal) => store.bell.wait(migration, 'stream', milliseconds, signal),
  }
}

/** A stream's status as the board keeps it: positions as text, for JSON has no whole numbers of that size. */
export function writeStream(status: StreamStatus): Json {
  const { received, applied, proven, ...rest } = status
  return { ...rest, received: String(received), applied: String(applied), proven: String(proven) }
}

/** What `writeStream` wrote. `at`: milliseconds since 1970. */
export function readStream(shard: ShardId, body: Json, at: number): StreamReport {
  const position = (name: string): Lsn => asLsn(BigInt(body[name] as string))
  return {
    ...(body as unknown as StreamStatus),
    shard,
    at,
    received: position('received'),
    applied: position('applied'),
    proven: position('proven'),
    mismatches: (body['mismatches'] as readonly Mismatch[] | undefined) ?? [],
  }
}

/** The fence points a cutover waits for, kept in memory for the streams of this process, read again at each ring of the bell. */
export class ExpectedPoints {
  readonly #store: ControlStore
  readonly #migration: MigrationId
  readonly #deaf: () => void
  #points = new Map<string, Lsn>()
  #reading = false
  #again = false

  constructor(store: ControlStore, migration: MigrationId) {
    this.#store = store
    this.#migration = migration
    this.#deaf = store.bell.listen((rang, topic) => {
      if (rang === migration && topic === 'stream') this.#read()
    })
  }

  of(shard: ShardId): Lsn | null {
    return this.#points.get(shard) ?? null
  }

  close(): void {
    this.#deaf()
  }

  #read(): void {
    if (this.#reading) {
      this.#again = true
      return
    }
    this.#reading = true
    void this.#store.board
      .list(this.#migration, 'expected')
      .then((posted) => {
        this.#points = new Map(posted.map((each) => [each.name, asLsn(BigInt(each.body['lsn'] as string))]))
      })
      // Streams report ten times a second anyhow; this only makes a cutover quicker.
      .catch(() => undefined)
      .finally(() => {
        this.#reading = false
        if (!this.#again) return
        this.#again = false
        this.#read()
      })
  }
}

function verificationBoard(store: ControlStore, migration: MigrationId, state: JournaledState): VerificationBoard {
  return {
    async running() {
      return (await state.refresh()).verification.running
    },
    async requested() {
      return (await state.refresh()).verification.requested
    },
    async begin(run) {
      const { running } = (await state.refresh()).verification
      if (running) return running
      await state.append([entry('verification-started', { run })])
      return run
    },
    async finish(run, report, open) {
      await store.reports.put(migration, report, open)
      const { rows, mismatches, repaired } = report
      await state.append([entry('verification-finished', { run: run.id, rows, mismatches, repaired })])
    },
    async last() {
      const [report] = await store.reports.list(migration, 1)
      return report ?? null
    },
  }
}
