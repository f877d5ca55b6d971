import type { ShardId } from '@crossfade/model/ids.ts'
import type { ThrottleLimits } from '@crossfade/pipeline/resolved-plan.ts'

/** Where the copy begins when a latency budget is set, and the steps of the loop (bytes per second). */
export const rateBytesFirst = 32 * 1024 * 1024
export const rateBytesMin = 512 * 1024
/** Over this the loop lets go: nothing is gained by counting. */
export const rateBytesMax = 1024 * 1024 * 1024
const rateBytesStep = 4 * 1024 * 1024
const rateCutFactor = 0.6
/** Latencies are compared over this many looks, so that one slow answer changes nothing. */
const recentLooks = 5
/** The baseline is a low quantile of the last looks: what the system answers in when we hardly disturb it. */
const baselineLooksMax = 300
const baselineQuantile = 0.2
/**
 * A system that is slow while the rate is at its least is so without us. Looks at the least rate count once what went on before has died down, and over so many of them; then
 * their median is a baseline too. Without it the spread of a busy system's own latency would hold the rate down for ever.
 */
const settlingLooks = 3
const quietLooks = 5
/** Under this a difference is noise of the clock and of the network. */
const noiseMsMax = 0.3

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
  /** Latencies at the least rate, without a break; and what they came to when there were last enough of them. */
  readonly #quiet: number[] = []
  #quietBaseline = 0
  #quietAge = 0
  #rate: number | null

  constructor(limits: ThrottleLimits) {
    this.#limits = limits
    this.#rate = limits.latencyBudget === null ? null : rateBytesFirst
  }

  decide(look: ThrottleLook): ThrottleDecision {
    const { latencyBudget: budget } = this.#limits
    if (look.latencyMs !== null) {
      this.#latencies.push(look.latencyMs)
      if (this.#latencies.length > baselineLooksMax) this.#latencies.shift()
      this.#listenAtLeast(look.latencyMs)
    }
    const latencyMs = quantile(this.#latencies.slice(-recentLooks), 0.5)
    const baselineMs = this.#baseline()
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

  #listenAtLeast(latencyMs: number): void {
    this.#quietAge += 1
    if (this.#quietAge > baselineLooksMax) this.#quietBaseline = 0
    if (this.#rate === null || this.#rate > rateBytesMin) {
      this.#quiet.length = 0
      return
    }
    this.#quiet.push(latencyMs)
    const settled = this.#quiet.slice(settlingLooks)
    if (settled.length < quietLooks) return
    this.#quietBaseline = quantile(settled.slice(-quietLooks), 0.5)!
    this.#quietAge = 0
  }

  #baseline(): number | null {
    const low = quantile(this.#latencies, baselineQuantile)
    return low === null ? null : Math.max(low, this.#quietBaseline)
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
