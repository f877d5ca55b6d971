// Counts requests where they happen: a few additions each. Prometheus' library is asked at scrapes only, for its counters cost more than the request's own record.
import { type CallOutcome, callOutcome } from '@crossfade/mcp/usage/call-outcome.ts'
import type { UsageRecord } from '@crossfade/mcp/usage/usage.ts'

/** Upper bounds of durations, in milliseconds. */
export const durationBoundsMs: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 60_000]

export interface RequestCount {
  readonly service: string
  readonly method: string
  readonly outcome: CallOutcome
  readonly count: number
}

export interface DurationCounts {
  readonly service: string
  readonly method: string
  /** Requests up to each bound, and in all. */
  readonly upTo: readonly number[]
  readonly count: number
  readonly totalMs: number
}

interface Row {
  readonly outcomes: Record<CallOutcome, number>
  readonly buckets: Float64Array
  totalMs: number
}

/** Methods that come from clients may be anything: beyond this many they are counted as one. */
const methodsMax = 40
const otherMethod = 'other'

export class RequestStats {
  readonly #services = new Map<string, Map<string, Row>>()
  readonly #codes = new Map<string, number>()
  readonly #methods = new Set<string>()

  /** About 100 ns. */
  add(record: UsageRecord): void {
    const row = this.#row(record.serviceType, record.method)
    row.outcomes[callOutcome(record)] += 1
    row.totalMs += record.responseTimeMs
    let bucket = 0
    while (bucket < durationBoundsMs.length && record.responseTimeMs > durationBoundsMs[bucket]!) bucket += 1
    row.buckets[bucket]! += 1
    if (record.errorCode !== null) this.#codes.set(record.errorCode, (this.#codes.get(record.errorCode) ?? 0) + 1)
  }

  *counts(): Iterable<RequestCount> {
    for (const [service, methods] of this.#services)
      for (const [method, { outcomes }] of methods)
        for (const [outcome, count] of Object.entries(outcomes) as [CallOutcome, number][])
          if (count > 0) yield { service, method, outcome, count }
  }

  *durations(): Iterable<DurationCounts> {
    for (const [service, methods] of this.#services)
      for (const [method, { buckets, totalMs }] of methods) {
        let count = 0
        const upTo = durationBoundsMs.map((_, index) => (count += buckets[index]!))
        yield { service, method, upTo, count: count + buckets[durationBoundsMs.length]!, totalMs }
      }
  }

  /** How often each code of ours was the answer. */
  codes(): Iterable<readonly [string, number]> {
    return this.#codes
  }

  #row(service: string, given: string): Row {
    let methods = this.#services.get(service)
    if (!methods) this.#services.set(service, (methods = new Map()))
    const found = methods.get(given)
    if (found) return found
    const isKnown = this.#methods.has(given) || this.#methods.size < methodsMax
    if (isKnown) this.#methods.add(given)
    const method = isKnown ? given : otherMethod
    let row = methods.get(method)
    if (!row) {
      const outcomes = { ok: 0, upstream: 0, refused: 0, error: 0 }
      row = { outcomes, buckets: new Float64Array(durationBoundsMs.length + 1), totalMs: 0 }
      methods.set(method, row)
    }
    return row
  }
}
