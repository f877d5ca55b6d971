import { Allowance } from '@crossfade/mcp/limits/allowance.ts'
import { type ScopeLimits, unlimited } from '@crossfade/mcp/limits/settings.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'

/** Users who are counted at once; the one seen longest ago is forgotten. */
const countedMax = 20_000

export interface RequestLimits {
  readonly reads: Pick<ScopeLimits, 'callsPerSecond' | 'burstCalls'>
  readonly writes: Pick<ScopeLimits, 'callsPerSecond' | 'burstCalls'>
}

/** What a person with a console and a script never meets. What changes something leaves a row in the audit log, also when it is refused. */
export const requestLimits: RequestLimits = {
  reads: { callsPerSecond: 20, burstCalls: 400 },
  writes: { callsPerSecond: 1, burstCalls: 300 },
}

export interface RequestRates {
  /** Counts a request of a user. Throws CF12037 when there were too many, with the seconds to wait. */
  take(userId: UserId, writes: boolean): void
}

/** Bounds what one account can make the API do, in each worker. */
export function createRequestRates(
  limits: RequestLimits = requestLimits,
  nowMs = () => performance.now(),
): RequestRates {
  /** In the order of their last use. */
  const counted = new Map<string, Allowance>()
  return {
    take(userId, writes) {
      const at = nowMs()
      const key = `${userId} ${writes ? 'writes' : 'reads'}`
      const allowance =
        counted.get(key) ?? new Allowance('user', key, { ...unlimited, ...(writes ? limits.writes : limits.reads) }, at)
      counted.delete(key)
      counted.set(key, allowance)
      if (counted.size > countedMax) counted.delete(counted.keys().next().value!)
      const refusal = allowance.refusal(at)
      if (refusal !== null) {
        const what = writes ? 'changes' : 'questions'
        const seconds = Math.max(1, Math.ceil(refusal.retryAfterMs / 1_000))
        throw fail('CF12037', { reason: `this account sent more ${what} than one worker takes`, seconds })
      }
      allowance.take(at)
      allowance.ended()
    },
  }
}
