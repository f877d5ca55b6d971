import type { Clock } from '@crossfade/model/clock.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { Bell, BellTopic } from './store.ts'

/** A bell inside one process. Waiters are woken in the order in which they came. */
export class MemoryBell implements Bell {
  readonly #clock: Clock
  readonly #listeners = new Set<(migration: MigrationId, topic: BellTopic) => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async wait(
    migration: MigrationId | null,
    topic: BellTopic,
    milliseconds: number,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted()
    const rung = new AbortController()
    const onAbort = () => rung.abort(signal.reason)
    const listener = (rang: MigrationId, about: BellTopic) => {
      if (about === topic && (migration === null || rang === migration)) rung.abort(wake)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#listeners.add(listener)
    try {
      await this.#clock.sleep(milliseconds, rung.signal)
    } catch (reason) {
      if (reason !== wake) throw reason
    } finally {
      this.#listeners.delete(listener)
      signal.removeEventListener('abort', onAbort)
    }
  }

  ring(migration: MigrationId, topic: BellTopic): void {
    for (const listener of [...this.#listeners]) listener(migration, topic)
  }

  listen(listener: (migration: MigrationId, topic: BellTopic) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

const wake = new Error('the bell rang')
