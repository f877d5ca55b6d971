import type { ShardId } from '@crossfade/model/ids.ts'
import type { ThrottleLimits } from '@crossfade/pipeline/resolved-plan.ts'

/** Where the copy begins when a latency budget is set, and the least of all rates (bytes per second): the loop feels its way up from there. */
export const rateBytesMin = 1024 * 1024
/** So many looks are taken at the least rate first, so that there is something to compare with. */
export const listeningLooks = 5
/** Over this the loop lets go: nothing is gained by counting. */
export const rateBytesMax = 1024 * 1024 * 1024
const rateBytesStep = 4 * 1024 * 1024
const rateCutFactor = 0.6
/** Latencies are compared over this many looks, so that one slow answer changes nothing. */
const recentLooks = 5
/** The baseline is a low quantile of the last looks: what the system answers in when we hardly disturb it. */
const baselineLooksMax = 300
const baselineQuantile = 0.2
/** Under this a difference is noise of the clock and of the network. */
const noiseMsMax = 0.15

/** What is seen of the live system at one moment. Null: not known. */
export interface ThrottleLook {
  readonly latencyMs: number | null
  /** Probes whose figure is over their own limit, one line each. */
  readonly overLimit: readonly string[]
  /** Probes that gave nothing, one line each. */
  readonly silent: readonly string[]
  readonly activeBackends: number | null
  readonly replicaLagMs: number | null
  readonly walHeld: { readonly shard: ShardId; readonly bytes: number } | null
  readonly diskFreeBytes: number | null
  readonly inWindow: boolean
}

export interface ThrottleDecision {
  readonly state: 'open' | 'slowed' | 'paused'
  readonly reason: string
  readonly bytesPerSecondMax: number | null
  readonly latencyMs: number | null
  readonly baselineMs: number | null
  readonly budget: number | null
  /** The slot that holds back more write-ahead log than the plan allows: the migration must stop (D05). */
  readonly walExceeded: { readonly shard: ShardId; readonly bytes: number } | null
}

/**
 * The closed loop: additive increase while the live system's latency stays within the budget over its own baseline, multiplicative decrease when it does not. What pauses, pauses
 * before the rate is looked at. Pure but for what it remembers; `decide` is called about once a second.
 */
export class Throttle {
  readonly #limits: ThrottleLimits
  readonly #latencies: number[] = []
  #rate: number | null

  constructor(limits: ThrottleLimits) {
    this.#limits = limits
    this.#rate = limits.latencyBudget === null ? null : rateBytesMin
  }

  decide(look: ThrottleLook): ThrottleDecision {
    const { latencyBudget: budget } = this.#limits
    if (look.latencyMs !== null) {
      this.#latencies.push(look.latencyMs)
      if (this.#latencies.length > baselineLooksMax) this.#latencies.shift()
    }
    const latencyMs = quantile(this.#latencies.slice(-recentLooks), 0.5)
    const baselineMs = quantile(this.#latencies, baselineQuantile)
    const seen = { latencyMs, baselineMs, budget }
    const walExceeded = look.walHeld && look.walHeld.bytes > this.#limits.walBytesMax ? look.walHeld : null
    const pause = this.#reasonToPause(look)
    if (pause !== null) {
      // After a pause the loop begins low and feels its way up again.
      if (this.#rate !== null) this.#rate = rateBytesMin
      return { state: 'paused', reason: pause, bytesPerSecondMax: 0, ...seen, walExceeded }
    }
    if (budget === null)
      return { state: 'open', reason: 'no latency budget is set', bytesPerSecondMax: null, ...seen, walExceeded }
    if (latencyMs === null || baselineMs === null) {
      return {
        state: 'slowed',
        reason: `latency is not known: ${look.silent[0] ?? 'no probe has answered yet'}`,
        bytesPerSecondMax: this.#lower(1),
        ...seen,
        walExceeded,
      }
    }
    if (this.#latencies.length <= listeningLooks)
      return { state: 'slowed', reason: 'listens first', bytesPerSecondMax: this.#lower(1), ...seen, walExceeded }
    const limit = baselineMs * (1 + budget) + noiseMsMax
    const figures = `latency ${round(latencyMs)} ms, baseline ${round(baselineMs)} ms, budget ${round(budget * 100)} %`
    if (latencyMs > limit)
      return {
        state: 'slowed',
        reason: `slower: ${figures}`,
        bytesPerSecondMax: this.#lower(rateCutFactor),
        ...seen,
        walExceeded,
      }
    this.#rate = Math.min(rateBytesMax, this.#rate! + rateBytesStep)
    const open = this.#rate >= rateBytesMax
    return {
      state: open ? 'open' : 'slowed',
      reason: `within the budget: ${figures}`,
      bytesPerSecondMax: open ? null : this.#rate,
      ...seen,
      walExceeded,
    }
  }

  #lower(factor: number): number {
    this.#rate = Math.max(rateBytesMin, this.#rate! * factor)
    return this.#rate
  }

  #reasonToPause(look: ThrottleLook): string | null {
    const { walBytesPause, activeBackendsMax, replicaLagMsMax, diskFreeBytesMin } = this.#limits
    if (!look.inWindow) return 'outside of the hours that the plan allows'
    if (look.walHeld && look.walHeld.bytes > walBytesPause) {
      return `a slot of ${look.walHeld.shard} holds ${look.walHeld.bytes} bytes of write-ahead log, pauses over ${walBytesPause}`
    }
    if (diskFreeBytesMin !== null && look.diskFreeBytes !== null && look.diskFreeBytes < diskFreeBytesMin) {
      return `${look.diskFreeBytes} bytes of disk are free, at least ${diskFreeBytesMin}`
    }
    if (activeBackendsMax !== null && look.activeBackends !== null && look.activeBackends > activeBackendsMax) {
      return `${look.activeBackends} backends are active, at most ${activeBackendsMax}`
    }
    if (replicaLagMsMax !== null && look.replicaLagMs !== null && look.replicaLagMs > replicaLagMsMax) {
      return `a replica lags ${Math.round(look.replicaLagMs)} ms, at most ${replicaLagMsMax} ms`
    }
    return look.overLimit[0] ?? null
  }
}

function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
