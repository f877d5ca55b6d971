// Keeps what happened in a ring in memory and writes it in batches, off the request's path.
import { randomUUID } from 'node:crypto'
import type { Pool, QueryConfig } from 'pg'
import type { UsageRecord, UsageRecorder } from './usage.ts'

/** Records that wait for the database at most; what comes then is counted as dropped. About 200 bytes each. */
export const recordsMax = 50_000
/** Records of one write. */
export const batchRecordsMax = 1_000
/** A record waits no longer than this for its batch to fill. */
export const flushMsMax = 500
/** A write that takes longer is given up and tried again; the database knows batches by their numbers. */
export const writeMsMax = 10_000
/** Rest after a failed write: doubles from the first to the longest. */
export const restMsMin = 100
export const restMsMax = 10_000
/** `close` tries to write for so long; what is left then is dropped. */
export const closeMsMax = 5_000
/** Longest texts that the table takes. */
const endpointCharactersMax = 255
const methodCharactersMax = 64

export interface UsageRecorderOptions {
  /** Of the runtime role. */
  readonly pool: Pool
  readonly recordsMax?: number
  readonly batchRecordsMax?: number
  readonly flushMsMax?: number
  readonly writeMsMax?: number
  readonly restMsMin?: number
  readonly restMsMax?: number
  readonly closeMsMax?: number
}

/** What became of the records. `recorded = written + refused + dropped + waiting` at any moment. */
export interface UsageCounts {
  /** Given to `record`. */
  readonly recorded: number
  readonly written: number
  /** Not taken: there was no room, or the recorder was closed. */
  readonly dropped: number
  /** The database would not have them (a value it can't hold); not tried again. */
  readonly refused: number
  readonly waiting: number
  /** Writes that failed and are tried again. */
  readonly failures: number
}

export interface CountingUsageRecorder extends UsageRecorder {
  readonly counts: UsageCounts
}

/**
 * Records usage into the database by `record_usage_once`. Each record is written exactly once or counted in `dropped` or `counts.refused`:
 * a batch whose answer was lost is sent again under the same number. While the database is gone, up to `recordsMax` wait, the oldest first served.
 * `record` stores one reference and compares two numbers; `flush` and `close` never reject.
 */
export function createUsageRecorder(options: UsageRecorderOptions): CountingUsageRecorder {
  return new RingRecorder(options)
}

/** What the driver takes; its types leave the time limit out. */
type TimedQuery = QueryConfig & { query_timeout: number }

class RingRecorder implements CountingUsageRecorder {
  readonly #options: Required<UsageRecorderOptions>
  readonly #ring: (UsageRecord | undefined)[]
  readonly #size: number
  #oldest = 0
  #waiting = 0
  #recorded = 0
  #written = 0
  #dropped = 0
  #refused = 0
  #failures = 0
  #failuresInARow = 0
  #closed = false
  /** The oldest `length` records of the ring: kept until the database has them. */
  #batch: readonly UsageRecord[] = []
  readonly #reporter = randomUUID()
  /** Of the batch: the same for every try, so that it counts once. */
  #sequence = 1
  #writing: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(options: UsageRecorderOptions) {
    this.#options = {
      recordsMax,
      batchRecordsMax,
      flushMsMax,
      writeMsMax,
      restMsMin,
      restMsMax,
      closeMsMax,
      ...options,
    }
    this.#size = this.#options.recordsMax
    this.#ring = new Array<UsageRecord | undefined>(this.#size).fill(undefined)
  }

  record(record: UsageRecord): void {
    this.#recorded += 1
    const waiting = this.#waiting
    if (waiting >= this.#size || this.#closed) {
      this.#dropped += 1
      return
    }
    let at = this.#oldest + waiting
    if (at >= this.#size) at -= this.#size
    this.#ring[at] = record
    this.#waiting = waiting + 1
    if (waiting === 0) this.#wake(this.#options.flushMsMax)
    else if (waiting + 1 === this.#options.batchRecordsMax && this.#failuresInARow === 0) this.#wake(0)
  }

  get dropped(): number {
    return this.#dropped
  }

  get counts(): UsageCounts {
    return {
      recorded: this.#recorded,
      written: this.#written,
      dropped: this.#dropped,
      refused: this.#refused,
      waiting: this.#waiting,
      failures: this.#failures,
    }
  }

  /** Writes what is waiting now. Resolves when that is done, or when a write has failed (it is tried again later by itself). */
  async flush(): Promise<void> {
    const target = this.#recorded - this.#dropped
    const failures = this.#failures
    while (this.#written + this.#refused < target && this.#waiting > 0 && this.#failures === failures)
      await this.#writeNow()
  }

  /** Takes no more, and writes what waits for `closeMsMax` at most; what is left is dropped. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const deadline = performance.now() + this.#options.closeMsMax
    while (this.#waiting > 0 && performance.now() < deadline) {
      const failures = this.#failures
      const leftMs = deadline - performance.now()
      await before(leftMs, this.#writeNow()).catch(() => undefined)
      if (this.#failures > failures) await pause(Math.min(this.#restMs(), Math.max(0, deadline - performance.now())))
    }
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#dropped += this.#waiting
    this.#waiting = 0
    this.#batch = []
    this.#ring.fill(undefined)
  }

  #wake(ms: number): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.#writeNow()
    }, ms).unref()
  }

  /** One write at a time, so that the ring is emptied in order. */
  #writeNow(): Promise<void> {
    this.#writing ??= this.#writeBatch().finally(() => {
      this.#writing = null
      if (this.#waiting === 0 || this.#closed) return
      if (this.#failuresInARow > 0) this.#wake(this.#restMs())
      else {
        const isMore = this.#batch.length > 0 || this.#waiting >= this.#options.batchRecordsMax
        this.#wake(isMore ? 0 : this.#options.flushMsMax)
      }
    })
    return this.#writing
  }

  async #writeBatch(): Promise<void> {
    if (this.#batch.length === 0) this.#batch = this.#takeBatch()
    if (this.#batch.length === 0) return
    const outcome = await this.#write(this.#batch)
    // Closed while this was under way: the records are counted as dropped already.
    if (this.#batch.length === 0) return
    if (outcome === 'failed') {
      this.#failures += 1
      this.#failuresInARow += 1
      return
    }
    this.#failuresInARow = 0
    this.#sequence += 1
    if (outcome === 'written') this.#settle(this.#batch.length, 'written')
    else if (this.#batch.length === 1) this.#settle(1, 'refused')
    // One bad record must not cost the others: halve until it stands alone.
    else this.#batch = this.#batch.slice(0, Math.ceil(this.#batch.length / 2))
  }

  #settle(count: number, how: 'written' | 'refused'): void {
    for (let index = 0; index < count; index += 1) {
      this.#ring[this.#oldest] = undefined
      this.#oldest = this.#oldest + 1 === this.#size ? 0 : this.#oldest + 1
    }
    this.#waiting -= count
    if (how === 'written') this.#written += count
    else this.#refused += count
    this.#batch = []
  }

  #takeBatch(): UsageRecord[] {
    const count = Math.min(this.#waiting, this.#options.batchRecordsMax)
    return Array.from({ length: count }, (_, index) => rowOf(this.#ring[(this.#oldest + index) % this.#size]!))
  }

  async #write(rows: readonly UsageRecord[]): Promise<'written' | 'refused' | 'failed'> {
    try {
      const { pool, writeMsMax } = this.#options
      // The driver's own time limit ends the connection, so that a silent one goes back to no pool; ours covers the wait for a connection.
      const query: TimedQuery = {
        text: 'select record_usage_once($1, $2, $3::jsonb)',
        values: [this.#reporter, this.#sequence, JSON.stringify(rows)],
        query_timeout: writeMsMax,
      }
      await before(writeMsMax, pool.query(query))
      return 'written'
    } catch (trouble) {
      return isRefusal(trouble) ? 'refused' : 'failed'
    }
  }

  #restMs(): number {
    const { restMsMin, restMsMax } = this.#options
    const longest = Math.min(restMsMax, restMsMin * 2 ** Math.min(20, this.#failuresInARow - 1))
    return longest * (0.5 + Math.random() / 2)
  }
}

/** A record as the table takes it. */
function rowOf(record: UsageRecord): UsageRecord {
  const { endpoint, method, responseTimeMs } = record
  return {
    ...record,
    endpoint: endpoint.length > endpointCharactersMax ? endpoint.slice(0, endpointCharactersMax) : endpoint,
    method: method.length > methodCharactersMax ? method.slice(0, methodCharactersMax) : method,
    responseTimeMs: Math.max(0, Math.round(responseTimeMs)),
  }
}

/** Whether the rows themselves are the trouble: a value out of range (class 22) or a broken constraint (23). Everything else may heal. */
function isRefusal(trouble: unknown): boolean {
  const code = (trouble as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^2[23]/.test(code)
}

/** `work`, or a rejection after `ms`. */
async function before<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
