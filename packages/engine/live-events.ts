import type { Clock } from '@crossfade/model/clock.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { LiveEvent, MigrationDetail, Subscription } from './contract.ts'
import type { EntryBodies } from './entries.ts'
import type { ControlStore } from './store.ts'

const entriesPerPage = 500
/** Progress is told at most this often, and looked at this often when nothing rings. */
const progressMs = 500

interface Subscriber {
  readonly listener: (event: LiveEvent) => void
  readonly migration: MigrationId | undefined
}

/** Reads the journal on behalf of all who listen, and looks at the progress of the migrations somebody looks at. Idle while nobody does. */
export class LiveEvents {
  readonly #store: ControlStore
  readonly #clock: Clock
  readonly #detail: (id: MigrationId) => Promise<MigrationDetail>
  readonly #subscribers = new Set<Subscriber>()
  readonly #told = new Map<MigrationId, string>()
  #stop: AbortController | null = null
  #following = Promise.withResolvers<void>()

  constructor(store: ControlStore, clock: Clock, detail: (id: MigrationId) => Promise<MigrationDetail>) {
    this.#store = store
    this.#clock = clock
    this.#detail = detail
  }

  subscribe(listener: (event: LiveEvent) => void, migration: MigrationId | undefined): Subscription {
    const subscriber = { listener, migration }
    this.#subscribers.add(subscriber)
    this.#told.clear()
    if (!this.#stop) {
      this.#stop = new AbortController()
      this.#following = Promise.withResolvers()
      void this.#followJournal(this.#stop.signal)
      void this.#followProgress(this.#stop.signal)
    }
    const end = () => {
      this.#subscribers.delete(subscriber)
      if (this.#subscribers.size > 0) return
      this.#stop?.abort(new Error('nobody listens'))
      this.#stop = null
    }
    return Object.assign(end, { ready: this.#following.promise })
  }

  async #followJournal(signal: AbortSignal): Promise<void> {
    const following = this.#following
    let position: number | null = null
    while (!signal.aborted) {
      try {
        position ??= await this.#store.journal.end()
        following.resolve()
        const entries = await this.#store.journal.after(position, entriesPerPage)
        for (const entry of entries) {
          position = entry.position
          this.#tell({ type: 'journal', migration: entry.migration, entry })
          if (entry.kind === 'routing')
            this.#tell({
              type: 'routing',
              migration: entry.migration,
              routing: (entry.body as EntryBodies['routing']).routing,
            })
        }
        if (entries.length < entriesPerPage) await this.#store.bell.wait(null, 'work', progressMs, signal)
      } catch {
        await this.#rest(signal)
      }
    }
  }

  async #followProgress(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for (const record of await this.#store.migrations.list()) {
          if (record.endedAt !== null || !this.#isWatched(record.id)) continue
          const { id, copy, streams, throttle, verification, transition } = await this.#detail(record.id)
          const event: LiveEvent = {
            type: 'progress',
            migration: id,
            copy,
            streams,
            throttle,
            verification,
            transition,
          }
          const text = JSON.stringify(event)
          if (this.#told.get(id) === text) continue
          this.#told.set(id, text)
          this.#tell(event)
        }
      } catch {
        // The control database is out of reach: the journal goes on from its position when it is back.
      }
      await this.#rest(signal)
    }
  }

  #isWatched(migration: MigrationId): boolean {
    return [...this.#subscribers].some(
      (subscriber) => subscriber.migration === undefined || subscriber.migration === migration,
    )
  }

  #tell(event: LiveEvent): void {
    for (const { listener, migration } of [...this.#subscribers])
      if (migration === undefined || migration === event.migration) listener(event)
  }

  async #rest(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(progressMs, signal).catch(() => undefined)
  }
}
