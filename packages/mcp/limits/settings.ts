// How much a user may do, as data. Null: no limit.
import { fail } from '@crossfade/model/failure.ts'
import type { ServiceType, UserId } from '@crossfade/model/platform-ids.ts'

/** Limits of one user, one instance (a user's one service), or one service (all its users). */
export interface ScopeLimits {
  /** Calls a second in the long run, in each worker. */
  readonly callsPerSecond: number | null
  /** Calls at once after a rest. Used with `callsPerSecond` alone. */
  readonly burstCalls: number
  /** Calls under way at the same time, in each worker. */
  readonly concurrentMax: number | null
  /** Calls in a minute, a day and a month of UTC's calendar, over all workers. */
  readonly callsPerMinuteMax: number | null
  readonly callsPerDayMax: number | null
  readonly callsPerMonthMax: number | null
}

/** What holds for everybody, and what holds instead for some. A call must satisfy all three scopes. */
export interface LimitSettings {
  readonly user: ScopeLimits
  readonly instance: ScopeLimits
  readonly service: ScopeLimits
  /** Other limits for users and services that are named; what is left out stays as it is for everybody. */
  readonly users: Readonly<Record<UserId, Partial<ScopeLimits>>>
  readonly services: Readonly<
    Record<ServiceType, { readonly instance?: Partial<ScopeLimits>; readonly service?: Partial<ScopeLimits> }>
  >
}

export const unlimited: ScopeLimits = {
  callsPerSecond: null,
  burstCalls: 1,
  concurrentMax: null,
  callsPerMinuteMax: null,
  callsPerDayMax: null,
  callsPerMonthMax: null,
}

/** No limit on anything. */
export const noLimits: LimitSettings = {
  user: unlimited,
  instance: unlimited,
  service: unlimited,
  users: {},
  services: {},
}

/** What holds when nobody says otherwise: generous to a person with several clients, and a stop to a loop that has run away. */
export const defaultLimits: LimitSettings = {
  ...noLimits,
  user: { ...unlimited, callsPerSecond: 100, burstCalls: 400, concurrentMax: 128, callsPerDayMax: 500_000 },
  instance: { ...unlimited, callsPerSecond: 50, burstCalls: 200, concurrentMax: 64, callsPerDayMax: 200_000 },
}

/** What a person may write; what is left out is taken from `defaultLimits`. */
export interface LimitOverrides {
  readonly user?: Partial<ScopeLimits>
  readonly instance?: Partial<ScopeLimits>
  readonly service?: Partial<ScopeLimits>
  readonly users?: LimitSettings['users']
  readonly services?: LimitSettings['services']
}

/** The defaults with `overrides` over them. Throws CF14501 when a number can't be a limit. */
export function limitSettings(overrides: LimitOverrides, base: LimitSettings = defaultLimits): LimitSettings {
  refuseUnknown(overrides)
  const checked = (where: string, limits: Partial<ScopeLimits>): void => {
    for (const [name, value] of Object.entries(limits)) {
      if (!(name in unlimited)) throw fail('CF14501', { where: `${where}.${name}`, reason: 'there is no such limit' })
      const isNumber = typeof value === 'number' && Number.isFinite(value) && value > 0
      if (!isNumber && (value !== null || name === 'burstCalls'))
        throw fail('CF14501', { where: `${where}.${name}`, reason: `${JSON.stringify(value)} is no number above 0` })
    }
  }
  for (const scope of ['user', 'instance', 'service'] as const) checked(scope, overrides[scope] ?? {})
  for (const [user, limits] of Object.entries(overrides.users ?? {})) checked(`users.${user}`, limits)
  for (const [service, limits] of Object.entries(overrides.services ?? {})) {
    checked(`services.${service}.instance`, limits.instance ?? {})
    checked(`services.${service}.service`, limits.service ?? {})
  }
  return {
    user: { ...base.user, ...overrides.user },
    instance: { ...base.instance, ...overrides.instance },
    service: { ...base.service, ...overrides.service },
    users: { ...base.users, ...overrides.users },
    services: { ...base.services, ...overrides.services },
  }
}

/** A name that nobody reads would be a limit that is not held. */
function refuseUnknown(overrides: unknown): void {
  const wrong = (where: string, reason: string) => fail('CF14501', { where, reason })
  const isTable = typeof overrides === 'object' && overrides !== null && !Array.isArray(overrides)
  if (!isTable) throw wrong('file', 'it is no object')
  for (const [scope, limits] of Object.entries(overrides)) {
    if (!scopes.includes(scope)) throw wrong(scope, `the scopes are ${scopes.join(', ')}`)
    if (typeof limits !== 'object' || limits === null || Array.isArray(limits)) throw wrong(scope, 'it is no object')
  }
}

const scopes: readonly string[] = ['user', 'instance', 'service', 'users', 'services']
