import { type Clock, systemClock } from '@crossfade/model/clock.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { InstanceSession } from '../instances/session.ts'
import { Allowance, type Scope } from './allowance.ts'
import type { Admission, CallLimits } from './limits.ts'
import { createQuotaLedger, type QuotaLedger, type QuotaStore } from './quota-ledger.ts'
import { type LimitSettings, type ScopeLimits, unlimited } from './settings.ts'

/** Idle keys are looked for this often, and forgotten: they are remembered again when they come back. */
export const sweepMsMax = 60_000
/** A key that was not used for so long may be forgotten. Longer than a minute window, so that it is not counted anew. */
export const idleMsMax = 120_000

export interface CallLimitsOptions {
  readonly settings: LimitSettings
  /** Where quotas are counted over all workers; without it they hold in this worker alone. */
  readonly quotas?: QuotaStore
  /** What an upstream asks callers to keep to: each instance of the service is held to it. */
  readonly upstreamLimit?: (
    serviceType: ServiceType,
  ) => { readonly requestsMax: number; readonly windowMs: number } | undefined
  readonly clock?: Clock
  /** A worker tells the others what it counted, and hears of them, this often at most. */
  readonly reportMsMax?: number
}

/** Limits that can say what they count, for metrics and the console. */
export interface CountingCallLimits extends CallLimits {
  readonly keys: number
  readonly refused: Readonly<Record<'rate' | 'quota' | 'concurrency', number>>
  /** Tells the database what was counted, and learns the totals; rejects never. */
  report(): Promise<void>
}

/**
 * Limits per user, per instance and per service. Rates and calls under way are exact within this worker and decided at once, without waiting.
 * Quotas are exact within this worker and known over all workers after `reportMsMax`: with `w` workers they are overshot by at most what `w - 1` workers admit in that time plus one write;
 * while the database is gone each worker holds the quota by what it knows, and tells what it counted when the database is back.
 */
export function createCallLimits(options: CallLimitsOptions): CountingCallLimits {
  return new WorkerCallLimits(options)
}

const admitted: Admission = { admitted: true }

class WorkerCallLimits implements CountingCallLimits {
  readonly refused = { rate: 0, quota: 0, concurrency: 0 }
  readonly #settings: LimitSettings
  readonly #upstreamLimit: CallLimitsOptions['upstreamLimit']
  readonly #clock: Clock
  readonly #ledger: QuotaLedger | null
  readonly #users = new Map<string, Allowance | null>()
  readonly #instances = new Map<string, Allowance | null>()
  readonly #services = new Map<string, Allowance | null>()
  readonly #sweeper: NodeJS.Timeout

  constructor(options: CallLimitsOptions) {
    this.#settings = options.settings
    this.#upstreamLimit = options.upstreamLimit
    this.#clock = options.clock ?? systemClock
    this.#ledger = options.quotas ? createQuotaLedger(options.quotas, options.reportMsMax) : null
    this.#sweeper = setInterval(() => this.#sweep(), sweepMsMax).unref()
  }

  get keys(): number {
    return this.#users.size + this.#instances.size + this.#services.size
  }

  admit(session: InstanceSession): Admission {
    const now = this.#clock.now()
    const user = this.#users.get(session.userId) ?? this.#remember('user', session, now)
    const instance = this.#instances.get(session.instanceId) ?? this.#remember('instance', session, now)
    const service = this.#services.get(session.serviceType) ?? this.#remember('service', session, now)
    const refusal = this.#refusal(user, now) ?? this.#refusal(instance, now) ?? this.#refusal(service, now)
    if (refusal) {
      this.refused[refusal.reason] += 1
      return { admitted: false, reason: refusal.reason, retryAfterMs: refusal.retryAfterMs }
    }
    this.#take(user, now)
    this.#take(instance, now)
    this.#take(service, now)
    return admitted
  }

  ended(session: InstanceSession): void {
    this.#users.get(session.userId)?.ended()
    this.#instances.get(session.instanceId)?.ended()
    this.#services.get(session.serviceType)?.ended()
  }

  report(): Promise<void> {
    return this.#ledger?.report() ?? Promise.resolve()
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    await this.#ledger?.close()
  }

  #refusal(allowance: Allowance | null, now: number) {
    if (!allowance) return null
    allowance.roll(now, (quota, calls) => this.#ledger?.late(allowance, quota, calls))
    return allowance.refusal(now)
  }

  #take(allowance: Allowance | null, now: number): void {
    if (!allowance) return
    allowance.take(now)
    if (allowance.quotas.length > 0) this.#ledger?.counted(allowance)
  }

  /** Null is remembered too, for a key that nothing limits. */
  #remember(scope: Scope, session: InstanceSession, now: number): Allowance | null {
    const [keys, key] =
      scope === 'user'
        ? ([this.#users, session.userId] as const)
        : scope === 'instance'
          ? ([this.#instances, session.instanceId] as const)
          : ([this.#services, session.serviceType] as const)
    if (keys.has(key)) return null
    const limits = this.#limitsOf(scope, session)
    const allowance = isUnlimited(limits) ? null : new Allowance(scope, key, limits, now)
    keys.set(key, allowance)
    return allowance
  }

  #limitsOf(scope: Scope, session: InstanceSession): ScopeLimits {
    const { user, users, instance, service, services } = this.#settings
    if (scope === 'user') return { ...user, ...users[session.userId] }
    const ofService = services[session.serviceType]
    if (scope === 'service') return { ...service, ...ofService?.service }
    const limits = { ...instance, ...ofService?.instance }
    const asked = this.#upstreamLimit?.(session.serviceType)
    if (!asked) return limits
    const callsPerSecond = (asked.requestsMax * 1000) / asked.windowMs
    return {
      ...limits,
      callsPerSecond: Math.min(limits.callsPerSecond ?? callsPerSecond, callsPerSecond),
      burstCalls: limits.callsPerSecond === null ? asked.requestsMax : Math.min(limits.burstCalls, asked.requestsMax),
    }
  }

  #sweep(): void {
    const now = this.#clock.now()
    for (const keys of [this.#users, this.#instances, this.#services]) {
      for (const [key, allowance] of keys) {
        if (allowance === null || (now - allowance.usedMs > idleMsMax && allowance.isIdle(now))) keys.delete(key)
      }
    }
  }
}

function isUnlimited(limits: ScopeLimits): boolean {
  return (Object.keys(unlimited) as (keyof ScopeLimits)[]).every(
    (name) => name === 'burstCalls' || limits[name] === null,
  )
}
