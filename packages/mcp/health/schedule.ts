// When each service is checked next.
import type { ServiceType } from '@crossfade/model/platform-ids.ts'

export interface HealthIntervals {
  /** Between two checks of a service that somebody uses. */
  readonly usedMs: number
  /** Between two checks of one that nobody uses. */
  readonly unusedMs: number
}

/** A service that was just checked isn't checked again because somebody suspects it. */
export const suspicionRestMs = 10_000
/** Two checks of a service are apart by the interval and up to this share of it more or less, so that services drift apart. */
const jitterShare = 0.1

/**
 * Spreads checks over time: what was never checked comes up at a random moment of its first interval, and every interval is a little different.
 * Decides nothing else; the caller says when a check was done.
 */
export class Schedule {
  readonly #intervals: HealthIntervals
  readonly #random: () => number
  readonly #entries = new Map<ServiceType, { dueMs: number; used: boolean; checkedMs: number }>()

  constructor(intervals: HealthIntervals, random: () => number = Math.random) {
    this.#intervals = intervals
    this.#random = random
  }

  /** Takes over which services there are and which are used; what was known of others is forgotten. */
  update(
    services: Iterable<ServiceType>,
    used: ReadonlySet<ServiceType>,
    lastCheckMs: (serviceType: ServiceType) => number | null,
    nowMs: number,
  ): void {
    const known = new Set<ServiceType>()
    for (const serviceType of services) {
      known.add(serviceType)
      const isUsed = used.has(serviceType)
      const entry = this.#entries.get(serviceType)
      const intervalMs = isUsed ? this.#intervals.usedMs : this.#intervals.unusedMs
      const longestMs = intervalMs * (1 + jitterShare)
      if (!entry) {
        const lastMs = lastCheckMs(serviceType)
        const dueMs = lastMs === null ? nowMs + this.#random() * intervalMs : lastMs + this.#jittered(intervalMs)
        // What was missed while nobody checked is caught up with over some time, not all at once.
        const isMissed = dueMs < nowMs
        this.#entries.set(serviceType, {
          dueMs: isMissed ? nowMs + this.#random() * intervalMs * jitterShare : Math.min(dueMs, nowMs + longestMs),
          used: isUsed,
          checkedMs: Math.min(lastMs ?? Number.NEGATIVE_INFINITY, nowMs),
        })
        continue
      }
      // No check is further away than its interval: what is was planned, or written, by a clock that has been set back.
      entry.dueMs = Math.min(entry.dueMs, nowMs + longestMs)
      entry.checkedMs = Math.min(entry.checkedMs, nowMs)
      if (entry.used !== isUsed) {
        entry.used = isUsed
        entry.dueMs = Math.min(entry.dueMs, nowMs + this.#random() * intervalMs)
      }
    }
    for (const serviceType of this.#entries.keys()) if (!known.has(serviceType)) this.#entries.delete(serviceType)
  }

  /** Services to check now, the longest overdue first, at most `max`. */
  due(nowMs: number, max: number): ServiceType[] {
    return [...this.#entries]
      .filter(([, { dueMs }]) => dueMs <= nowMs)
      .sort(([, left], [, right]) => left.dueMs - right.dueMs)
      .slice(0, max)
      .map(([serviceType]) => serviceType)
  }

  /** When the next check is due; infinity without services. */
  nextDueMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { dueMs } of this.#entries.values()) next = Math.min(next, dueMs)
    return next
  }

  checked(serviceType: ServiceType, nowMs: number): void {
    const entry = this.#entries.get(serviceType)
    if (!entry) return
    entry.checkedMs = nowMs
    entry.dueMs = nowMs + this.#jittered(entry.used ? this.#intervals.usedMs : this.#intervals.unusedMs)
  }

  /** Makes it due as soon as `suspicionRestMs` after its last check allows. */
  suspect(serviceType: ServiceType, nowMs: number): void {
    const entry = this.#entries.get(serviceType)
    if (entry) entry.dueMs = Math.min(entry.dueMs, Math.max(nowMs, entry.checkedMs + suspicionRestMs))
  }

  #jittered(intervalMs: number): number {
    return intervalMs * (1 - jitterShare + 2 * jitterShare * this.#random())
  }
}
