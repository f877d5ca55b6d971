// What one user, instance or service has used in this worker: a token bucket, calls under way, and quotas.
import { type QuotaWindow, windowEnd, windowStart } from './quota-windows.ts'
import type { ScopeLimits } from './settings.ts'

export type Scope = 'user' | 'instance' | 'service'

/** Calls counted in one window; `known` is what the database said of all workers, our own reported ones among them. */
export interface QuotaCount {
  readonly window: QuotaWindow
  readonly max: number
  startMs: number
  endMs: number
  known: number
  /** Calls of this worker that the database doesn't know yet, those being sent among them. */
  unreported: number
  /** Of those, the calls that are being sent. */
  sending: number
}

export interface Refusal {
  readonly reason: 'rate' | 'quota' | 'concurrency'
  readonly retryAfterMs: number
}

/** Nobody knows when a call ends; a client that comes back after this finds room or the same answer. */
const concurrencyRetryMs = 1_000

/**
 * Decides over the calls of one key. The token bucket is the generic cell rate algorithm (ITU-T I.371): one number, the time at which the bucket is full again,
 * so nothing has to be refilled and no timer runs. `refusal` only looks; `take` counts.
 */
export class Allowance {
  readonly scope: Scope
  readonly key: string
  readonly quotas: readonly QuotaCount[]
  usedMs = 0
  underWay = 0
  readonly #concurrentMax: number
  /** Between two calls at the steady rate; 0: no limit. */
  readonly #everyMs: number
  readonly #burstMs: number
  /** Times of the bucket count from here: since 1970 a double is only good for a quarter of a microsecond, and the errors add up. */
  readonly #beginMs: number
  #fullMs = 0

  constructor(scope: Scope, key: string, limits: ScopeLimits, nowMs: number) {
    this.scope = scope
    this.key = key
    this.#beginMs = nowMs
    this.#concurrentMax = limits.concurrentMax ?? Number.POSITIVE_INFINITY
    this.#everyMs = limits.callsPerSecond === null ? 0 : 1000 / limits.callsPerSecond
    this.#burstMs = this.#everyMs * Math.max(1, limits.burstCalls)
    const maxima = [
      ['minute', limits.callsPerMinuteMax],
      ['day', limits.callsPerDayMax],
      ['month', limits.callsPerMonthMax],
    ] as const
    this.quotas = maxima.flatMap(([window, max]) => (max === null ? [] : [emptyCount(window, max, nowMs)]))
  }

  /**
   * Begins the windows that hold `nowMs` where the counted ones don't: they are over, or the clock was set back. Calls that nobody was told of yet are handed to `late`.
   * Nor does the bucket take longer to fill than from empty, whatever the clock said before.
   */
  roll(nowMs: number, late: (quota: QuotaCount, calls: number) => void): void {
    this.#fullMs = Math.min(this.#fullMs, nowMs - this.#beginMs + this.#burstMs)
    for (const quota of this.quotas) {
      if (nowMs >= quota.startMs && nowMs < quota.endMs) continue
      const calls = quota.unreported - quota.sending
      if (calls > 0) late(quota, calls)
      Object.assign(quota, emptyCount(quota.window, quota.max, nowMs))
    }
  }

  /** Why a call can't go on now; null when it can. Only looks; it must have been rolled to `nowMs`. */
  refusal(nowMs: number): Refusal | null {
    if (this.underWay >= this.#concurrentMax) return { reason: 'concurrency', retryAfterMs: concurrencyRetryMs }
    // Full in `ahead` ms; one more call makes it `ahead + every`, which the burst must cover.
    const atMs = nowMs - this.#beginMs
    const shortMs = Math.max(this.#fullMs, atMs) + this.#everyMs - atMs - this.#burstMs
    // A millionth of a millisecond is what sums of fractions lose.
    if (this.#everyMs > 0 && shortMs > 1e-6) return { reason: 'rate', retryAfterMs: Math.ceil(shortMs) }
    for (const quota of this.quotas) {
      if (quota.known + quota.unreported >= quota.max)
        return { reason: 'quota', retryAfterMs: Math.ceil(quota.endMs - nowMs) }
    }
    return null
  }

  /** Counts a call that goes on. */
  take(nowMs: number): void {
    this.usedMs = nowMs
    this.underWay += 1
    if (this.#everyMs > 0) this.#fullMs = Math.max(this.#fullMs, nowMs - this.#beginMs) + this.#everyMs
    for (const quota of this.quotas) quota.unreported += 1
  }

  ended(): void {
    if (this.underWay > 0) this.underWay -= 1
  }

  /** Whether forgetting it changes nothing: nothing under way, nothing unreported, the bucket full. */
  isIdle(nowMs: number): boolean {
    return (
      this.underWay === 0 &&
      this.#fullMs <= nowMs - this.#beginMs &&
      this.quotas.every((quota) => quota.unreported === 0)
    )
  }
}

/** A count of the window that holds `nowMs`, at nothing. */
export function emptyCount(window: QuotaWindow, max: number, nowMs: number): QuotaCount {
  const startMs = windowStart(window, nowMs)
  return { window, max, startMs, endMs: windowEnd(window, startMs), known: 0, unreported: 0, sending: 0 }
}
