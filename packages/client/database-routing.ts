import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import pg from 'pg'
import { backoffMs, pause } from './backoff.ts'
import { type RoutingSource, readRouting } from './routing-source.ts'

/** The routing is read again so often even when nothing was announced. */
const pollMs = 5_000
const connectMsMax = 5_000
const retryFirstMs = 100
const retryMaxMs = 5_000

export interface DatabaseRoutingOptions {
  /** Of the control database. */
  readonly connectionString: string
  /** Null takes the migration whose routing has changed last. */
  readonly migration?: MigrationId | null
}

/** The routing from the control database itself: read once, then followed by its notifications. */
export function databaseRouting(options: DatabaseRoutingOptions): RoutingSource {
  return new DatabaseRouting(options)
}

interface OpenConnection {
  /** Resolves when the connection is gone. */
  readonly ended: Promise<void>
}

class DatabaseRouting implements RoutingSource {
  readonly #options: DatabaseRoutingOptions
  readonly #closed = new AbortController()
  #listener: (routing: Routing) => void = () => undefined
  #client: pg.Client | null = null
  #following: Promise<void> = Promise.resolve()
  #refreshing: Promise<void> | null = null

  constructor(options: DatabaseRoutingOptions) {
    this.#options = options
  }

  async start(listener: (routing: Routing) => void): Promise<void> {
    this.#listener = listener
    let connection: OpenConnection
    try {
      connection = await this.#open()
    } catch (error) {
      throw fail('CF7101', { reason: reasonOf(error) }, error)
    }
    this.#following = this.#follow(connection)
  }

  refresh(): Promise<void> {
    this.#refreshing ??= this.#read()
      .catch(() => undefined)
      .finally(() => {
        this.#refreshing = null
      })
    return this.#refreshing
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await this.#client?.end().catch(() => undefined)
    await this.#following
  }

  /** Resolves when connected, listening, and read once. */
  async #open(): Promise<OpenConnection> {
    const client = new pg.Client({
      connectionString: this.#options.connectionString,
      application_name: 'crossfade client',
      connectionTimeoutMillis: connectMsMax,
      keepAlive: true,
    })
    const ended = new Promise<void>((resolve) => {
      client.once('end', () => resolve())
      client.on('error', () => resolve())
    })
    client.on('notification', () => void this.refresh())
    try {
      await client.connect()
      this.#client = client
      await client.query('LISTEN crossfade_routing')
      await this.#read()
      return { ended }
    } catch (error) {
      this.#client = null
      await client.end().catch(() => undefined)
      throw error
    }
  }

  async #read(): Promise<void> {
    const { migration = null } = this.#options
    const result = await this.#client?.query<{ body: unknown }>(
      `SELECT body FROM crossfade_control.routing WHERE $1::text IS NULL OR migration = $1 ORDER BY epoch DESC LIMIT 1`,
      [migration],
    )
    const body = result?.rows[0]?.body
    if (body === undefined)
      throw new Error(`the control database holds no routing${migration ? ` of ${migration}` : ''}`)
    this.#listener(readRouting(typeof body === 'string' ? JSON.parse(body) : body))
  }

  async #follow(first: OpenConnection): Promise<void> {
    const { signal } = this.#closed
    let connection: OpenConnection | null = first
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      if (connection) {
        await this.#pollUntil(connection.ended)
        attempt = 0
      }
      if (signal.aborted) return
      await this.#client?.end().catch(() => undefined)
      this.#client = null
      await pause(backoffMs(attempt, retryFirstMs, retryMaxMs), signal)
      connection = signal.aborted ? null : await this.#open().catch(() => null)
    }
    if (connection) await this.#client?.end().catch(() => undefined)
  }

  async #pollUntil(ended: Promise<void>): Promise<void> {
    const { signal } = this.#closed
    let open = true
    const closed = ended.then(() => {
      open = false
    })
    while (open && !signal.aborted) {
      await Promise.race([closed, pause(pollMs, signal)])
      if (open && !signal.aborted) await this.refresh()
    }
  }
}
