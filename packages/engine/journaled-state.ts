import type { MigrationId } from '@crossfade/model/ids.ts'
import type { JournalEntry } from './contract.ts'
import { emptyState, fold, type MigrationState } from './state.ts'
import type { AppendOptions, ControlStore, Lease, NewEntry } from './store.ts'

/** Entries read at once. */
const entriesPerPage = 1_000

/** One process's view of a migration's journal: reads only what is new, and appends under its lease. */
export class JournaledState {
  readonly #store: ControlStore
  readonly #migration: MigrationId
  readonly #lease: Lease | undefined
  #state: MigrationState = emptyState
  #reading: Promise<void> = Promise.resolve()

  constructor(store: ControlStore, migration: MigrationId, lease?: Lease) {
    this.#store = store
    this.#migration = migration
    this.#lease = lease
  }

  /** As last read; `refresh` reads on. */
  get seen(): MigrationState {
    return this.#state
  }

  /** Reads what was appended since, by anybody. */
  async refresh(): Promise<MigrationState> {
    const reading = this.#reading.then(() => this.#readOn())
    this.#reading = reading.catch(() => undefined)
    await reading
    return this.#state
  }

  /** Appends, refused with CF6006 when the lease is stale. `seen` holds the entries then, and everything before them. */
  async append(entries: readonly NewEntry[], options: Omit<AppendOptions, 'lease'> = {}): Promise<MigrationState> {
    const appended = await this.#store.journal.append(this.#migration, entries, { ...options, lease: this.#lease })
    const reading = this.#reading.then(() => this.#take(appended))
    this.#reading = reading.catch(() => undefined)
    await reading
    return this.#state
  }

  /** What follows on what is seen need not be read again: writers wait for every round trip of a cutover. */
  async #take(appended: readonly JournalEntry[]): Promise<void> {
    if (appended[0]?.version === this.#state.version + 1) this.#state = fold(this.#state, appended)
    else await this.#readOn()
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const entries: readonly JournalEntry[] = await this.#store.journal.read(
        this.#migration,
        this.#state.version,
        entriesPerPage,
      )
      this.#state = fold(this.#state, entries)
      if (entries.length < entriesPerPage) return
    }
  }
}
