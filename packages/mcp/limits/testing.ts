// For tests: sessions, a clock that is set by hand, and quota counts that several workers of one process share.
import type { Clock } from '@crossfade/model/clock.ts'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import { defaultSettings, type InstanceSession } from '../instances/session.ts'
import type { QuotaStore } from './quota-ledger.ts'

/** A session of user number `user` with a service; the instance follows from both. */
export function sessionOf(user: number, service: string): InstanceSession {
  const digits = user.toString(16).padStart(8, '0')
  return {
    userId: `${digits}-0000-4000-8000-000000000000` as UserId,
    instanceId: `${service.slice(0, 3)}_user_${digits}_${service.length.toString(16).padStart(6, '0')}` as InstanceId,
    serviceType: service as ServiceType,
    tokenId: null,
    scopes: new Set(['read', 'call']),
    settings: defaultSettings,
    credentialVersion: 1,
    credential: () => ({ kind: 'none' }),
    credentialRefused: () => undefined,
  }
}

export interface SetClock extends Clock {
  set(nowMs: number): void
  advance(ms: number): void
}

/** Stands still until it is set. */
export function setClock(nowMs: number): SetClock {
  let now = nowMs
  return {
    now: () => now,
    sleep: (ms) => {
      now += ms
      return Promise.resolve()
    },
    set: (ms) => {
      now = ms
    },
    advance: (ms) => {
      now += ms
    },
  }
}

/** Counts as the database does; `down` makes it refuse, `loseAnswer` count without telling. */
export class SharedQuotas {
  readonly totals = new Map<string, number>()
  down = false
  loseAnswer = false

  /** The store of one worker. */
  store(): QuotaStore {
    let latest = 0
    return {
      add: async (sequence, uses) => {
        await Promise.resolve()
        if (this.down) throw new Error('the database is gone')
        const keyOf = (use: (typeof uses)[number]) => `${use.scope} ${use.key} ${use.window} ${use.startMs}`
        if (sequence > latest) {
          latest = sequence
          for (const use of uses) this.totals.set(keyOf(use), (this.totals.get(keyOf(use)) ?? 0) + use.calls)
        }
        if (this.loseAnswer) throw new Error('the answer was lost')
        return uses.map((use) => this.totals.get(keyOf(use)) ?? 0)
      },
    }
  }
}
