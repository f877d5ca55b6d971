import { fail, reasonOf } from '@crossfade/model/failure.ts'
import pg from 'pg'
import { connectionOptions } from './connection.ts'

/** Something that workers hold in memory was changed by a transaction that has committed. */
export type Change =
  | { readonly kind: 'instance'; readonly instanceId: string }
  | { readonly kind: 'token'; readonly tokenId: string; readonly instanceId: string }
  | { readonly kind: 'user'; readonly userId: string }
  | { readonly kind: 'catalog'; readonly digest: string }
  | { readonly kind: 'service'; readonly serviceType: string }

const channel = 'crossfade_mcp_changed'
/** A connection that died without a word is noticed by this. */
const heartbeatMs = 5_000
const heartbeatTimeoutMs = 5_000
const reconnectMsMin = 100
const reconnectMsMax = 5_000

/**
 * Tells of every change from now on, in the order of their commits. When the connection breaks, `onLost` is called at once, and again when it is back:
 * whatever was held or read in between may be out of date, so caches must be dropped both times. Reconnects by itself until closed.
 * Rejects with CF12502 when the first connection can't be made.
 */
export async function listenToChanges(
  url: string,
  onChange: (change: Change) => void,
  onLost: () => void,
): Promise<ChangeListening> {
  const listener = new ChangeListener(url, onChange, onLost)
  try {
    await listener.connect()
  } catch (error) {
    throw fail('CF12502', { reason: reasonOf(error) }, error)
  }
  return listener
}

export interface ChangeListening {
  /** Whether changes are heard of now; what it is may be asked within `onLost`. */
  readonly listening: boolean
  close(): Promise<void>
}

class ChangeListener implements ChangeListening {
  readonly #url: string
  readonly #onChange: (change: Change) => void
  readonly #onLost: () => void
  #client: pg.Client | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #reconnectMs = reconnectMsMin
  #closed = false

  constructor(url: string, onChange: (change: Change) => void, onLost: () => void) {
    this.#url = url
    this.#onChange = onChange
    this.#onLost = onLost
  }

  get listening(): boolean {
    return this.#client !== undefined
  }

  async connect(): Promise<void> {
    const client = new pg.Client({
      ...connectionOptions(this.#url),
      application_name: 'crossfade mcp changes',
      query_timeout: heartbeatTimeoutMs,
      keepAlive: true,
    })
    let lost = false
    const lose = () => {
      if (lost) return
      lost = true
      if (this.#client === client) this.#lost()
      client.end().catch(() => undefined)
    }
    client.on('error', lose)
    client.on('end', lose)
    client.on('notification', ({ payload }) => this.#tell(payload ?? ''))
    try {
      await client.connect()
      await client.query(`LISTEN ${channel}`)
      if (lost || this.#closed) throw new Error('the connection broke at once')
    } catch (error) {
      lost = true
      await client.end().catch(() => undefined)
      throw error
    }
    this.#client = client
    this.#reconnectMs = reconnectMsMin
    this.#heartbeat = setInterval(() => client.query('SELECT 1').catch(lose), heartbeatMs)
    this.#heartbeat.unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#heartbeat)
    clearTimeout(this.#retry)
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }

  #lost(): void {
    clearInterval(this.#heartbeat)
    this.#client = undefined
    if (this.#closed) return
    this.#onLost()
    this.#reconnectLater()
  }

  #reconnectLater(): void {
    const waitMs = this.#reconnectMs
    this.#reconnectMs = Math.min(waitMs * 2, reconnectMsMax)
    this.#retry = setTimeout(() => {
      this.connect().then(
        // Changes between the break and now were told to nobody.
        () => this.#onLost(),
        () => {
          if (!this.#closed) this.#reconnectLater()
        },
      )
    }, waitMs)
    this.#retry.unref()
  }

  #tell(payload: string): void {
    let change: Change
    try {
      change = JSON.parse(payload) as Change
    } catch {
      // Not from our triggers: any role of the database may notify. What is cached is dropped, which is always right.
      this.#onLost()
      return
    }
    this.#onChange(change)
  }
}
