import type { Clock } from '@crossfade/model/clock.ts'
import { asMigrationId, type MigrationId } from '@crossfade/model/ids.ts'
import pg from 'pg'
import { MemoryBell } from './memory-bell.ts'
import type { Bell, BellTopic } from './store.ts'

const reconnectMs = 500

/** Rings by NOTIFY, so that it is heard in every process. While the connection is away nothing rings, and the waits' own limits do. */
export class PostgresBell implements Bell {
  readonly #url: string
  readonly #clock: Clock
  readonly #local: MemoryBell
  readonly #stop = new AbortController()
  #client: pg.Client | null = null

  private constructor(url: string, clock: Clock) {
    this.#url = url
    this.#clock = clock
    this.#local = new MemoryBell(clock)
  }

  static async listen(url: string, clock: Clock): Promise<PostgresBell> {
    const bell = new PostgresBell(url, clock)
    await bell.#connect()
    return bell
  }

  wait(migration: MigrationId | null, topic: BellTopic, milliseconds: number, signal: AbortSignal): Promise<void> {
    return this.#local.wait(migration, topic, milliseconds, signal)
  }

  /** The statements that change something ring by themselves; this one wakes those of this process. */
  ring(migration: MigrationId, topic: BellTopic): void {
    this.#local.ring(migration, topic)
  }

  listen(listener: (migration: MigrationId, topic: BellTopic) => void): () => void {
    return this.#local.listen(listener)
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('closed'))
    await this.#client?.end().catch(() => undefined)
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#url, application_name: 'crossfade bell', keepAlive: true })
    this.#client = client
    client.on('notification', ({ channel, payload }) => {
      const topic = channel === 'crossfade_stream' ? 'stream' : 'work'
      if (payload) this.#local.ring(asMigrationId(payload), topic)
    })
    let lost = false
    const onLost = () => {
      if (lost) return
      lost = true
      void this.#reconnect()
    }
    client.on('error', onLost)
    client.on('end', onLost)
    try {
      await client.connect()
      await client.query('LISTEN crossfade_work; LISTEN crossfade_stream')
    } catch {
      onLost()
    }
  }

  async #reconnect(): Promise<void> {
    await this.#clock.sleep(reconnectMs, this.#stop.signal).catch(() => undefined)
    if (!this.#stop.signal.aborted) await this.#connect()
  }
}
