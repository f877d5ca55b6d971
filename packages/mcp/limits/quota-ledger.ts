// Tells the database how many calls this worker counted and learns how many all workers did, off the calls' path.
import type { Allowance, QuotaCount, Scope } from './allowance.ts'
import type { QuotaWindow } from './quota-windows.ts'

/** How long a counted call may go untold. */
export const reportMsMax = 1_000
/** A key that was not seen before is told of sooner: the other workers may have used it up. */
export const firstReportMsMax = 50
/** Keys of one write. */
export const reportKeysMax = 5_000
/** Rest after a write that failed: doubles from `reportMsMax` to this. */
export const restMsMax = 10_000
/** Counts of windows that are over wait for the database up to this number; the oldest are left out then. */
export const lateMax = 50_000

/** Calls to add to one window of one key. */
export interface QuotaUse {
  readonly scope: Scope
  readonly key: string
  readonly window: QuotaWindow
  readonly startMs: number
  readonly calls: number
}

/** The counts that all workers share. */
export interface QuotaStore {
  /**
   * Adds the uses and returns each one's total over all workers, in their order. A `sequence` that was added before is not added again, so that a lost answer can be asked for again.
   * Sequences of one worker grow by one.
   */
  add(sequence: number, uses: readonly QuotaUse[]): Promise<readonly number[]>
}

export interface QuotaLedger {
  /** The allowance has calls to tell of. */
  counted(allowance: Allowance): void
  /** Calls of a window that is over before they were told of. */
  late(allowance: Allowance, quota: QuotaCount, calls: number): void
  /** Tells now. Never rejects. */
  report(): Promise<void>
  /** Tells what is left, once. */
  close(): Promise<void>
}

interface Sent {
  readonly sequence: number
  readonly uses: readonly QuotaUse[]
  /** The count each use came from; null for late ones. */
  readonly counts: readonly (QuotaCount | null)[]
}

export function createQuotaLedger(store: QuotaStore, reportMs = reportMsMax): QuotaLedger {
  return new Ledger(store, reportMs)
}

class Ledger implements QuotaLedger {
  readonly #store: QuotaStore
  readonly #reportMsMax: number
  readonly #untold = new Set<Allowance>()
  #late: QuotaUse[] = []
  /** Kept until the database has answered, so that it is told again and counted once. */
  #sent: Sent | null = null
  #sequence = 0
  #failuresInARow = 0
  #timer: NodeJS.Timeout | null = null
  #dueMs = Number.POSITIVE_INFINITY
  #reporting: Promise<void> | null = null
  #closed = false

  constructor(store: QuotaStore, reportMs: number) {
    this.#store = store
    this.#reportMsMax = reportMs
  }

  counted(allowance: Allowance): void {
    if (this.#untold.has(allowance)) return
    this.#untold.add(allowance)
    const isNew = allowance.quotas.some((quota) => quota.known === 0)
    this.#wake(isNew ? Math.min(firstReportMsMax, this.#reportMsMax) : this.#reportMsMax)
  }

  late(allowance: Allowance, quota: QuotaCount, calls: number): void {
    if (this.#late.length >= lateMax) this.#late.shift()
    const { window, startMs } = quota
    this.#late.push({ scope: allowance.scope, key: allowance.key, window, startMs, calls })
  }

  report(): Promise<void> {
    this.#reporting ??= this.#reportOnce().finally(() => {
      this.#reporting = null
      const isMore = this.#sent !== null || this.#untold.size > 0 || this.#late.length > 0
      if (isMore) this.#wake(this.#failuresInARow > 0 ? this.#restMs() : this.#reportMsMax)
    })
    return this.#reporting
  }

  async close(): Promise<void> {
    await this.#reporting
    if (this.#sent || this.#untold.size > 0 || this.#late.length > 0) await this.report()
    this.#closed = true
    if (this.#timer) clearTimeout(this.#timer)
  }

  async #reportOnce(): Promise<void> {
    const sent = (this.#sent ??= this.#collect())
    if (sent.uses.length === 0) {
      this.#sent = null
      return
    }
    let totals: readonly number[]
    try {
      totals = await this.#store.add(sent.sequence, sent.uses)
    } catch {
      this.#failuresInARow += 1
      return
    }
    this.#failuresInARow = 0
    this.#sent = null
    for (const [index, use] of sent.uses.entries()) {
      const count = sent.counts[index]
      // A window that has begun since is counted from nothing.
      if (!count || count.startMs !== use.startMs) continue
      count.known = totals[index] ?? count.known
      count.unreported -= use.calls
      count.sending = 0
    }
  }

  #collect(): Sent {
    const uses: QuotaUse[] = this.#late.splice(0, reportKeysMax)
    const counts: (QuotaCount | null)[] = uses.map(() => null)
    for (const allowance of this.#untold) {
      if (uses.length >= reportKeysMax) break
      this.#untold.delete(allowance)
      for (const quota of allowance.quotas) {
        const { window, startMs, unreported: calls } = quota
        if (calls === 0) continue
        quota.sending = calls
        uses.push({ scope: allowance.scope, key: allowance.key, window, startMs, calls })
        counts.push(quota)
      }
    }
    this.#sequence += 1
    return { sequence: this.#sequence, uses, counts }
  }

  #wake(ms: number): void {
    if (this.#closed) return
    const dueMs = performance.now() + ms
    if (this.#timer && this.#dueMs <= dueMs) return
    // While the database rests, new keys don't hurry it.
    if (this.#timer && this.#failuresInARow > 0) return
    if (this.#timer) clearTimeout(this.#timer)
    this.#dueMs = dueMs
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.report()
    }, ms).unref()
  }

  #restMs(): number {
    const longest = Math.min(restMsMax, this.#reportMsMax * 2 ** Math.min(10, this.#failuresInARow))
    return longest * (0.5 + Math.random() / 2)
  }
}
