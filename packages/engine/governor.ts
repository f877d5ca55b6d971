import type { Clock } from '@crossfade/model/clock.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ControlStore, Work } from './store.ts'
import { leaseMs } from './worker.ts'

/** How old the throttle's word may be that this process acts on. */
const freshMsMax = 500
const pauseLookMs = 250

/** What a process's copies and verifications keep to: the throttle's decision for the migration, this process's share of it. */
export class Governor {
  readonly #store: ControlStore
  readonly #clock: Clock
  readonly #migrations = new Map<MigrationId, Share>()

  constructor(store: ControlStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** The `throttle` of a task's context. */
  of(work: Work, signal: AbortSignal): TaskContext['throttle'] {
    let share = this.#migrations.get(work.migration)
    if (!share) {
      share = new Share(this.#store, this.#clock, work.migration)
      this.#migrations.set(work.migration, share)
    }
    const own = share
    return (_kind, bytes) => own.spend(bytes, signal)
  }
}

class Share {
  readonly #store: ControlStore
  readonly #clock: Clock
  readonly #migration: MigrationId
  #bytesPerSecond: number | null = null
  #paused = false
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | null = null
  /** When what was spent so far is paid for. */
  #paidAt = 0

  constructor(store: ControlStore, clock: Clock, migration: MigrationId) {
    this.#store = store
    this.#clock = clock
    this.#migration = migration
  }

  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    await this.#read()
    while (this.#paused) {
      await this.#clock.sleep(pauseLookMs, signal)
      await this.#read()
    }
    if (this.#bytesPerSecond === null) return
    const now = this.#clock.now()
    this.#paidAt = Math.max(this.#paidAt, now) + (bytes / this.#bytesPerSecond) * 1_000
    if (this.#paidAt > now) await this.#clock.sleep(this.#paidAt - now, signal)
  }

  async #read(): Promise<void> {
    if (this.#clock.now() - this.#readAt < freshMsMax) return
    this.#reading ??= this.#readAfresh().finally(() => {
      this.#reading = null
    })
    await this.#reading
  }

  async #readAfresh(): Promise<void> {
    try {
      const posted = await this.#store.board.get(this.#migration, 'throttle', 'throttle')
      const workers = await this.#store.workers.list()
      const alive = workers.filter((worker) => this.#clock.now() - worker.seenAt <= leaseMs).length
      const most = (posted?.body['bytesPerSecondMax'] as number | null | undefined) ?? null
      this.#paused = posted?.body['state'] === 'paused'
      this.#bytesPerSecond = most === null ? null : most / Math.max(1, alive)
    } catch {
      // Out of reach: the last word stands, until the lease ends and with it the task.
    }
    this.#readAt = this.#clock.now()
  }
}
