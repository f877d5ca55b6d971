import { EventEmitter } from 'node:events'
import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { type Owner, owner } from '@crossfade/routing/owner.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import pg from 'pg'
import { backoffMs, pause } from './backoff.ts'
import { type Hold, type HoldFigures, Holds } from './holds.ts'
import { isPlainWrite, isUnreachable, outcomeOf } from './outcome.ts'
import type { RoutingSource } from './routing-source.ts'
import {
  attemptTransaction,
  type Statement,
  type Transaction,
  type TransactionOptions,
  unknownOutcome,
} from './transaction.ts'

export const defaultLimits = {
  /** A write waits so long for its range to open, in milliseconds; well over the longest cutover. */
  holdMsMax: 10_000,
  /** Writes and transactions held at once. */
  heldMax: 10_000,
  /** After how long, at the latest, one held write is tried again without a new routing, in milliseconds. */
  probeMs: 100,
  /** How long a database that does not answer is tried again before its error reaches the program, in milliseconds. */
  unreachableMsMax: 5_000,
  /** How often a transaction that lost against a concurrent one, or whose connection broke before COMMIT, is done again. */
  retriesMax: 5,
}
export type ClientLimits = typeof defaultLimits

export interface ClientOptions {
  readonly routing: RoutingSource
  /** How each database of both sides is reached. */
  readonly shards: Readonly<Record<string, pg.PoolConfig>>
  readonly limits?: Partial<ClientLimits>
}

/** A shard key; its text form must be what PostgreSQL prints for the column. Null only where nothing is split. */
export type Key = string | number | bigint | null

/** A statement, as `pg` takes it, and what may be done when its connection breaks. */
export type QueryStatement = Statement | (pg.QueryConfig & { readonly idempotent?: boolean })

export interface ClientStats extends HoldFigures {
  /** Of the routing in use; 0 before the first. */
  readonly epoch: number
  /** How often authority moved between the sides while this client ran. */
  readonly switches: number
  /** Attempts that were made again for another reason than a fence. */
  readonly retries: number
  /** Statements and transactions that ended with CF7106. */
  readonly unknownOutcomes: number
}

export interface ClientEvents {
  /** A write met a fence and waits. */
  hold: [{ readonly unit: ShardId; readonly shard: ShardId; readonly epoch: number }]
  /** Authority over units moved. */
  switch: [{ readonly epoch: number; readonly units: readonly ShardId[] }]
}

/**
 * Connections by shard key. Statements go to the database that answers for their key; one that a fence refuses is held until the range is open again,
 * and then sent to whoever owns it. Errors of the database reach the program as `pg` gives them.
 */
export interface ShardClient {
  /**
   * One statement. Rejects with CF7103/CF7104 (held too long, too many held), and with CF7106 when the connection broke while it ran: whether it took effect is unknown then.
   * With `idempotent: true` it is sent again instead.
   */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    key: Key,
    statement: QueryStatement,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Row>>
  /**
   * Runs `work` in a transaction and commits it. When a fence refuses it, it loses against another transaction, or its connection breaks before COMMIT, nothing of it was
   * committed and `work` is run again as a whole: it must not do anything but through its transaction.
   * Rejects with CF7106 when the connection broke at COMMIT and no `committed` was given.
   */
  transaction<Result>(
    key: Key,
    work: (transaction: Transaction) => Promise<Result>,
    options?: TransactionOptions<Result>,
  ): Promise<Result>
  /** A connection to the key's owner, to be released by the caller. Nothing is held or retried on it: a fenced write rejects with SQLSTATE CF001. */
  connect(key: Key): Promise<pg.PoolClient>
  on<Event extends keyof ClientEvents>(event: Event, listener: (...values: ClientEvents[Event]) => void): this
  stats(): ClientStats
  /** Refuses what is held with CF7105, and closes everything. Idempotent. */
  end(): Promise<void>
}

/** Opens a client and waits for its first routing. Rejects with CF7101 when there is none. */
export async function createClient(options: ClientOptions): Promise<ShardClient> {
  const client = new RoutedClient(options)
  try {
    await options.routing.start((routing) => client.accept(routing))
    return client
  } catch (error) {
    await client.end()
    throw error
  }
}

class RoutedClient extends EventEmitter<ClientEvents> implements ShardClient {
  readonly #options: ClientOptions
  readonly #limits: ClientLimits
  readonly #pools = new Map<ShardId, pg.Pool>()
  readonly #holds: Holds
  readonly #closed = new AbortController()
  #routing: Routing | null = null
  #switches = 0
  #retries = 0
  #unknownOutcomes = 0
  #ending: Promise<void> | null = null

  constructor(options: ClientOptions) {
    super()
    this.#options = options
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#holds = new Holds(this.#limits)
  }

  /** Takes a routing unless a newer one is in use. */
  accept(routing: Routing): void {
    const before = this.#routing
    if (before && routing.epoch <= before.epoch) return
    this.#routing = routing
    this.#holds.hurry()
    for (const unit of this.#holds.units()) {
      if (!routing.fenced.includes(unit)) this.#holds.release(unit)
    }
    const units = (Object.keys(routing.authority) as ShardId[]).filter(
      (unit) => before && before.authority[unit] !== routing.authority[unit],
    )
    if (units.length === 0) return
    this.#switches += 1
    this.emit('switch', { epoch: routing.epoch, units })
  }

  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    key: Key,
    statement: QueryStatement,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Row>> {
    const text = typeof statement === 'string' ? statement : statement.text
    const idempotent = typeof statement !== 'string' && 'idempotent' in statement && statement.idempotent === true
    return this.#untilOpen(key, isPlainWrite(text), async (client) => {
      try {
        const result = await client.query<Row>(statement as string, values as unknown[])
        return { kind: 'committed', result }
      } catch (error) {
        const outcome = outcomeOf(error)
        if (outcome === 'fenced') return { kind: 'fenced', error }
        if (outcome === 'conflict' || (outcome === 'lost' && idempotent)) return { kind: 'again', error }
        if (outcome === 'lost') throw this.#unknown(error)
        throw error
      }
    })
  }

  async transaction<Result>(
    key: Key,
    work: (transaction: Transaction) => Promise<Result>,
    options: TransactionOptions<Result> = {},
  ): Promise<Result> {
    const { mode, committed } = options
    for (;;) {
      const done = await this.#untilOpen<{ result: Result; lost: unknown }>(key, false, async (client) => {
        const attempt = await attemptTransaction(client, mode, work)
        if (attempt.kind === 'committed') return { kind: 'committed', result: { result: attempt.result, lost: null } }
        if (attempt.kind !== 'unknown') return attempt
        return { kind: 'committed', result: { result: attempt.result, lost: attempt.error } }
      })
      if (done.lost === null) return done.result
      if (!committed) throw this.#unknown(done.lost)
      if (await this.#isThere(key, done.result, committed)) return done.result
      this.#retries += 1
    }
  }

  async connect(key: Key): Promise<pg.PoolClient> {
    return this.#pool(this.#owner(key).shard).connect()
  }

  stats(): ClientStats {
    return {
      epoch: this.#routing?.epoch ?? 0,
      switches: this.#switches,
      retries: this.#retries,
      unknownOutcomes: this.#unknownOutcomes,
      ...this.#holds.figures(),
    }
  }

  end(): Promise<void> {
    this.#ending ??= this.#end()
    return this.#ending
  }

  async #end(): Promise<void> {
    this.#closed.abort()
    this.#holds.close()
    await this.#options.routing.close()
    await Promise.all([...this.#pools.values()].map((pool) => pool.end()))
  }

  /** Sends one statement or transaction to the key's owner until it is through, or must not be sent again. */
  async #untilOpen<Result>(
    key: Key,
    write: boolean,
    attempt: (client: pg.PoolClient) => Promise<Sent<Result>>,
  ): Promise<Result> {
    let hold: Hold | null = null
    let retries = 0
    try {
      for (;;) {
        if (this.#closed.signal.aborted) throw fail('CF7105')
        const place = this.#owner(key)
        const { epoch } = this.#routing!
        // A write would only be refused; a read goes on at the old owner.
        const known = place.fenced && write && !hold?.again
        const sent: Sent<Result> = known ? { kind: 'fenced', error: null } : await this.#send(place.shard, attempt)
        if (sent.kind === 'committed') {
          // The fence is open, also when no routing has said so.
          if (hold) this.#holds.release(hold.unit)
          return sent.result
        }
        if (sent.kind === 'fenced') {
          hold ??= this.#beginHold(place, epoch)
          await this.#waitForFlip(hold, place, epoch, known)
        } else {
          retries += 1
          if (retries > this.#limits.retriesMax) throw sent.error
          this.#retries += 1
          await pause(backoffMs(retries, 5, 500), this.#closed.signal)
        }
      }
    } finally {
      if (hold) this.#holds.end(hold)
    }
  }

  #beginHold(place: Owner, epoch: number): Hold {
    const hold = this.#holds.begin(place.unit)
    this.emit('hold', { unit: place.unit, shard: place.shard, epoch })
    return hold
  }

  async #waitForFlip(hold: Hold, place: Owner, epoch: number, known: boolean): Promise<void> {
    // The routing moved on while the statement was on its way.
    const now = this.#routing!
    if (now.epoch !== epoch && !now.fenced.includes(place.unit)) return
    const waiting = this.#holds.wait(hold)
    // The fence knows more than this client does.
    if (!known) void this.#options.routing.refresh()
    await waiting
  }

  async #send<Result>(
    shard: ShardId,
    attempt: (client: pg.PoolClient) => Promise<Sent<Result>>,
  ): Promise<Sent<Result>> {
    const client = await this.#checkOut(shard)
    let broken = true
    try {
      const sent = await attempt(client)
      broken = 'error' in sent && outcomeOf(sent.error) === 'lost'
      return sent
    } catch (error) {
      broken = outcomeOf(error) === 'lost'
      throw error
    } finally {
      client.release(broken)
    }
  }

  /** Nothing was sent yet, so a server that is away for a moment is waited for. */
  async #checkOut(shard: ShardId): Promise<pg.PoolClient> {
    const until = performance.now() + this.#limits.unreachableMsMax
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#pool(shard).connect()
      } catch (error) {
        if (this.#closed.signal.aborted) throw fail('CF7105')
        if (!isUnreachable(error) || performance.now() >= until) throw error
        this.#retries += 1
        await pause(backoffMs(attempt, 20, 500), this.#closed.signal)
      }
    }
  }

  #isThere<Result>(
    key: Key,
    result: Result,
    committed: NonNullable<TransactionOptions<Result>['committed']>,
  ): Promise<boolean> {
    return this.#untilOpen(key, false, async (client) => {
      const attempt = await attemptTransaction(client, undefined, (transaction) => committed(transaction, result))
      // A look at the database may be repeated.
      return attempt.kind === 'unknown' ? { kind: 'again', error: attempt.error } : attempt
    })
  }

  #unknown(error: unknown): Error {
    this.#unknownOutcomes += 1
    return unknownOutcome(error)
  }

  #owner(key: Key): Owner {
    if (!this.#routing) throw fail('CF7101', { reason: 'none has arrived yet' })
    return owner(this.#routing, key === null ? null : String(key))
  }

  #pool(shard: ShardId): pg.Pool {
    let pool = this.#pools.get(shard)
    if (!pool) {
      const config = Object.hasOwn(this.#options.shards, shard) ? this.#options.shards[shard] : undefined
      if (!config) throw fail('CF7109', { shard })
      pool = new pg.Pool(config)
      // An idle connection that breaks is dropped; the next statement gets a new one.
      pool.on('error', () => undefined)
      pool.on('connect', (client) => client.on('error', () => undefined))
      this.#pools.set(shard, pool)
    }
    return pool
  }
}

type Sent<Result> =
  | { readonly kind: 'committed'; readonly result: Result }
  | { readonly kind: 'fenced' | 'again'; readonly error: unknown }
