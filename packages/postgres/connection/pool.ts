import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import pg from 'pg'
import { type ConnectionOptions, cutOff, prepareSession, type ShardConnection, shardConnection } from './connect.ts'
import { connectionFailure } from './connection-failure.ts'
import { isConnectionLoss } from './transient.ts'

/** Connections of one pool, unless the caller says otherwise. */
export const poolConnectionsMax = 4
/** How long a caller waits for a connection to become free before CF2017. */
export const poolWaitMs = 60_000
/** A connection unused for this long is closed. */
const poolIdleMs = 30_000

export interface PoolOptions extends ConnectionOptions {
  readonly connectionsMax?: number
  readonly waitMs?: number
}

export interface WorkOptions {
  /** When it aborts, the connection is cut at once (the server rolls back) and the call rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface TransactionOptions extends WorkOptions {
  /** What follows BEGIN, e.g. `ISOLATION LEVEL REPEATABLE READ READ ONLY`. */
  readonly mode?: string
}

/**
 * At most `connectionsMax` sessions on one shard, opened when needed. SQL errors pass through untouched (look at their `code`);
 * a connection that breaks gives CF2016 (may be tried again; after a COMMIT nobody knows whether it happened).
 */
export interface ShardPool {
  readonly shard: ShardId
  withConnection<T>(work: (client: pg.PoolClient) => Promise<T>, options?: WorkOptions): Promise<T>
  /** Commits what `work` did, or rolls all of it back when it rejects. Not retried: see `retrying`. */
  withTransaction<T>(work: (client: pg.PoolClient) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Closes idle connections and those in use as soon as they are given back. Idempotent. */
  end(): Promise<void>
}

/** Makes a pool; nothing is opened before it is used. Throws CF1003 or CF2015 when secret or URL can't be used. */
export function createPool(options: PoolOptions): ShardPool {
  return new BoundedPool(options, shardConnection(options))
}

class BoundedPool implements ShardPool {
  readonly shard: ShardId
  readonly #pool: pg.Pool
  readonly #connection: ShardConnection
  readonly #waitMs: number
  #ended: Promise<void> | undefined

  constructor(options: PoolOptions, connection: ShardConnection) {
    this.shard = options.shard.id
    this.#connection = connection
    this.#waitMs = options.waitMs ?? poolWaitMs
    // The client is given its configuration here and not by the pool, whose time limit means something else (waiting for a free one).
    class ShardClient extends pg.Client {
      constructor() {
        super(connection.config)
        this.on('error', () => {})
      }
    }
    this.#pool = new pg.Pool({
      Client: ShardClient,
      max: options.connectionsMax ?? poolConnectionsMax,
      idleTimeoutMillis: poolIdleMs,
      connectionTimeoutMillis: this.#waitMs,
      onConnect: (client) => prepareSession(client, options.writer),
    } as pg.PoolConfig)
    // An idle connection that breaks is dropped by the pool; the next caller gets a new one.
    this.#pool.on('error', () => {})
  }

  async withConnection<T>(work: (client: pg.PoolClient) => Promise<T>, options: WorkOptions = {}): Promise<T> {
    const { signal } = options
    const client = await this.#acquire(signal)
    const onAbort = () => cutOff(client)
    signal?.addEventListener('abort', onAbort, { once: true })
    let broken = true
    try {
      const result = await work(client)
      broken = !isIdle(client)
      return result
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      broken = isConnectionLoss(error) || !isIdle(client)
      throw isConnectionLoss(error) ? fail('CF2016', { shard: this.shard, reason: reasonOf(error) }, error) : error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      client.release(broken || signal?.aborted === true)
    }
  }

  withTransaction<T>(work: (client: pg.PoolClient) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.withConnection(async (client) => {
      await client.query(options.mode ? `BEGIN ${options.mode}` : 'BEGIN')
      let result: T
      try {
        result = await work(client)
      } catch (error) {
        // When even this fails the connection is thrown away, and the server rolls back.
        if (!isConnectionLoss(error)) await client.query('ROLLBACK').catch(() => {})
        throw error
      }
      await client.query('COMMIT')
      return result
    }, options)
  }

  end(): Promise<void> {
    this.#ended ??= this.#pool.end()
    return this.#ended
  }

  async #acquire(signal: AbortSignal | undefined): Promise<pg.PoolClient> {
    signal?.throwIfAborted()
    const acquired = this.#pool.connect()
    try {
      const client = await (signal ? abortable(acquired, signal) : acquired)
      if (!signal?.aborted) return client
      client.release()
    } catch (error) {
      if (signal?.aborted) {
        // Nobody waits for it any more: given back as soon as it comes.
        acquired.then(
          (client) => client.release(),
          () => {},
        )
        throw signal.reason
      }
      if (reasonOf(error) === 'timeout exceeded when trying to connect') {
        throw fail('CF2017', { shard: this.shard, milliseconds: this.#waitMs }, error)
      }
      throw connectionFailure(this.#connection.subject, error)
    }
    throw signal?.reason
  }
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** No statement runs and no transaction is open: the session may be given to somebody else. */
function isIdle(client: pg.PoolClient): boolean {
  const state = client as unknown as { readyForQuery: boolean; getTransactionStatus(): string | null }
  return state.readyForQuery && state.getTransactionStatus() === 'I'
}
