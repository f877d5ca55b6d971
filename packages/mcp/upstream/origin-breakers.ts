// Leaves upstreams alone that fail again and again, per service and origin. What concerns one user (a refused key, a bad argument) never counts.
import {
  type CircuitBreakerPolicy,
  CircuitState,
  circuitBreaker,
  ExponentialBackoff,
  handleWhenResult,
  type IBreaker,
} from 'cockatiel'

/** Failures in a row that open a breaker. */
export const failuresToOpen = 8
const openMsFirst = 2_000
const openMsMax = 60_000
/** Breakers that are kept; beyond, those of the service that was seen first are forgotten. */
const breakersMax = 2_048

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerReport {
  readonly serviceType: string
  readonly origin: string
  readonly state: BreakerState
}

/**
 * How an attempt counts. `doubtful` troubles (a 500, a timeout) may be of one user's own making: they open a breaker only when two instances meet them,
 * so that nobody can take a service from the others.
 */
export type Verdict = 'good' | 'bad' | 'doubtful'

export interface OriginBreakers {
  /** Runs `attempt` for an instance unless the breaker is open; null when it is. A rejection (the caller went away) counts for nothing while closed. */
  run<T>(serviceType: string, origin: string, instance: string, attempt: () => Promise<T>): Promise<T> | null
  report(): readonly BreakerReport[]
}

interface Entry {
  readonly serviceType: string
  readonly origin: string
  readonly policy: CircuitBreakerPolicy
  readonly counter: FailureCounter
}

/** `judge` says how what an attempt resolved to counts; `onChange` is told of every breaker that opens, closes or tries. */
export function createOriginBreakers<R>(
  judge: (result: R) => Verdict,
  onChange: (report: BreakerReport) => void = () => {},
  openMs: { readonly first: number; readonly max: number } = { first: openMsFirst, max: openMsMax },
): OriginBreakers {
  const services = new Map<string, Map<string, Entry>>()
  let size = 0

  const open = (serviceType: string, origin: string): Entry => {
    const counter = new FailureCounter()
    const policy = circuitBreaker(
      handleWhenResult((result) => judge(result as R) !== 'good'),
      {
        breaker: counter,
        halfOpenAfter: new ExponentialBackoff({ initialDelay: openMs.first, maxDelay: openMs.max }),
      },
    )
    policy.onStateChange(() => onChange({ serviceType, origin, state: stateOf(policy) }))
    return { serviceType, origin, policy, counter }
  }

  const entryOf = (serviceType: string, origin: string): Entry => {
    let origins = services.get(serviceType)
    if (origins === undefined) {
      origins = new Map()
      services.set(serviceType, origins)
    }
    let entry = origins.get(origin)
    if (entry === undefined) {
      if (size >= breakersMax) {
        const [oldest] = services.values()
        size -= oldest?.size ?? 0
        oldest?.clear()
      }
      entry = open(serviceType, origin)
      origins.set(origin, entry)
      size++
    }
    return entry
  }

  return {
    run(serviceType, origin, instance, attempt) {
      const { policy, counter } = entryOf(serviceType, origin)
      // While one call tries whether the upstream is back, the others are answered at once instead of waiting with it.
      if (policy.state === CircuitState.HalfOpen) return null
      let isRunning = false
      const running = policy.execute(() => {
        isRunning = true
        return attempt().then((result) => {
          counter.note(judge(result as unknown as R), instance)
          return result
        })
      })
      // An open breaker rejects before the attempt is begun: `execute` runs up to it at once.
      if (isRunning) return running
      running.catch(() => undefined)
      return null
    },
    report() {
      return [...services.values()].flatMap((origins) => {
        return [...origins.values()].map(({ serviceType, origin, policy }) => {
          return { serviceType, origin, state: stateOf(policy) }
        })
      })
    },
  }
}

/** Counts failures in a row, and whose they were. */
class FailureCounter implements IBreaker {
  state: unknown = null
  #failures = 0
  #isCertain = false
  readonly #instances = new Set<string>()

  note(verdict: Verdict, instance: string): void {
    if (verdict === 'good') return
    this.#failures++
    if (verdict === 'bad') this.#isCertain = true
    else if (this.#instances.size < 2) this.#instances.add(instance)
  }

  success(): void {
    if (this.#failures === 0) return
    this.#failures = 0
    this.#isCertain = false
    this.#instances.clear()
  }

  failure(): boolean {
    return this.#failures >= failuresToOpen && (this.#isCertain || this.#instances.size > 1)
  }
}

function stateOf(policy: CircuitBreakerPolicy): BreakerState {
  if (policy.state === CircuitState.Closed) return 'closed'
  return policy.state === CircuitState.HalfOpen ? 'half-open' : 'open'
}
