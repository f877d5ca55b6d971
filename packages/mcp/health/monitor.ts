import type { Catalog, Service } from '@crossfade/catalog/catalog.ts'
import { type Clock, systemClock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { Pool, PoolClient } from 'pg'
import { lead, locks } from '../maintenance/leader.ts'
import { type Check, checkService, healthUrl } from './check-service.ts'
import { NetworkDoubt } from './network-doubt.ts'
import type { Probe } from './probe.ts'
import { type HealthIntervals, Schedule } from './schedule.ts'
import { type HealthWrite, readCalls, readHealth, readUsedServices, writeHealth } from './store.ts'

export const defaultIntervals: HealthIntervals = { usedMs: 60_000, unusedMs: 12 * 3_600_000 }
/** Checks that run at the same time. */
export const concurrentMax = 8
/** Checks of one round: their results are written together. */
export const roundServicesMax = 32
/** Which services are used, and how real calls fared, is read this often. */
export const lookMs = 60_000
/** So many real calls say as much as a check: none of them failing makes one needless, half of them failing makes one due. */
export const tellingCallsMin = 3
/** Workers tell whoever checks of a service whose calls fail. */
const suspicionChannel = 'crossfade_mcp_suspected'

export interface HealthMonitorOptions {
  /** Of the keeper role. Takes one connection while this process is the one that checks. */
  readonly pool: Pool
  /** The catalog of the moment: it may be replaced. */
  readonly catalog: () => Catalog
  /** Where checks may go is decided by its connector. */
  readonly probe: Probe
  /** False: nothing is checked by itself; `checkNow` works. Default true. */
  readonly enabled?: boolean
  readonly intervals?: HealthIntervals
  readonly clock?: Clock
  readonly attemptMsMax?: number
  readonly attemptRestMs?: number
  readonly askMsMax?: number
  /** Told when checks can't be planned or written. */
  readonly onTrouble?: (error: unknown) => void
  /** Told of every service whose health changed, by the process that noticed. */
  readonly onChanged?: (serviceType: ServiceType, check: Check) => void
}

export interface HealthMonitor {
  /** Whether this process is the one that checks. */
  readonly leads: boolean
  /** Whether the last look found no way out of our own network: nothing is recorded then. */
  readonly offline: boolean
  /** Checks a service for somebody who asks, and records it. Null for one that has nothing to ask. Rejects with CF10002 for an unknown one. */
  checkNow(serviceType: ServiceType): Promise<Check | null>
  /** Real calls of it fail (its circuit breaker opened): it is checked soon, by whichever process checks. Never throws. */
  suspect(serviceType: ServiceType): void
  close(): Promise<void>
}

/**
 * Checks services in one process of all that run one of these (an advisory lock decides, and another takes over when that one dies). Services with an active instance are checked
 * every minute, unless real calls tell as much; others twice a day. A check is up to three attempts without a credential; every answer below 500 is healthy.
 * Results go to service_health_status; workers hear of changes by NOTIFY. Where no name can be resolved and no machine reached, one look every five minutes is all there is.
 */
export function createHealthMonitor(options: HealthMonitorOptions): HealthMonitor {
  return new Monitor(options)
}

/** For workers, which have no monitor: calls of the service fail, whichever process checks should look. `pool` may be of any role. Never throws. */
export function suspectService(pool: Pool, serviceType: string): void {
  pool.query('select pg_notify($1, $2)', [suspicionChannel, serviceType]).catch(() => undefined)
}

class Monitor implements HealthMonitor {
  readonly #options: HealthMonitorOptions
  readonly #clock: Clock
  readonly #doubt: NetworkDoubt
  readonly #leadership: ReturnType<typeof lead> | null
  readonly #closing = new AbortController()
  readonly #suspected = new Set<string>()
  #wake: (() => void) | null = null

  constructor(options: HealthMonitorOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#doubt = new NetworkDoubt(options.probe, this.#clock, () => this.#urls(), options.attemptMsMax)
    const { pool, askMsMax, onTrouble } = options
    const asks = askMsMax === undefined ? {} : { askMsMax }
    const work = (signal: AbortSignal, connection: PoolClient) => this.#lead(signal, connection)
    this.#leadership = options.enabled === false ? null : lead({ pool, lock: locks.health, work, onTrouble, ...asks })
  }

  get leads(): boolean {
    return this.#leadership?.leads ?? false
  }

  get offline(): boolean {
    return this.#doubt.offline
  }

  async checkNow(serviceType: ServiceType): Promise<Check | null> {
    const service = this.#options.catalog().services.get(serviceType)
    if (!service) throw fail('CF14510', { service: serviceType })
    const write = await this.#check(service, this.#closing.signal)
    if (!write) return null
    if (await this.#doubt.isTold(write.check, this.#closing.signal)) await this.#write([write])
    return write.check
  }

  suspect(serviceType: ServiceType): void {
    suspectService(this.#options.pool, serviceType)
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('closed'))
    await this.#leadership?.close()
  }

  async #lead(signal: AbortSignal, connection: PoolClient): Promise<void> {
    const schedule = new Schedule(this.#options.intervals ?? defaultIntervals)
    connection.on('notification', ({ payload }) => {
      this.#suspected.add(payload ?? '')
      this.#wake?.()
    })
    await connection.query(`listen ${suspicionChannel}`)
    let lookedMs = Number.NEGATIVE_INFINITY
    let sinceMs = this.#clock.now()
    while (!signal.aborted) {
      const now = this.#clock.now()
      // A clock that was set back would otherwise put the next look off for as long.
      if (now - lookedMs >= lookMs || now < lookedMs) {
        await this.#look(schedule, sinceMs)
        lookedMs = now
        sinceMs = now
      }
      for (const suspected of this.#suspected) schedule.suspect(suspected as ServiceType, now)
      this.#suspected.clear()
      await this.#round(schedule, signal)
      const untilMs = Math.min(schedule.nextDueMs(), lookedMs + lookMs, this.#clock.now() + lookMs)
      await this.#rest(Math.max(this.#doubt.restMs(), untilMs - this.#clock.now(), 1), signal)
    }
  }

  /** Reads what changed, and takes what real calls tell for checks. */
  async #look(schedule: Schedule, sinceMs: number): Promise<void> {
    const { pool } = this.#options
    const [used, health, calls] = await Promise.all([
      readUsedServices(pool),
      readHealth(pool),
      readCalls(pool, sinceMs),
    ])
    const lastChecks = new Map(health.map(({ serviceType, lastCheckMs }) => [serviceType, lastCheckMs]))
    const checkable = [...this.#urls().keys()].filter((serviceType) => lastChecks.has(serviceType))
    const now = this.#clock.now()
    schedule.update(checkable, used, (serviceType) => lastChecks.get(serviceType) ?? null, now)
    const writes: HealthWrite[] = []
    for (const [serviceType, { calls: count, failing, meanMs }] of calls) {
      if (count < tellingCallsMin) continue
      if (failing === 0) {
        const check: Check = { healthy: true, responseTimeMs: Math.round(meanMs), statusCode: 200 }
        writes.push({ serviceType, check, atMs: now })
        schedule.checked(serviceType, now)
        this.#doubt.answered()
      } else if (failing * 2 >= count) schedule.suspect(serviceType, now)
    }
    await this.#write(writes)
  }

  async #round(schedule: Schedule, signal: AbortSignal): Promise<void> {
    if (this.#doubt.restMs() > 0) return
    const due = schedule.due(this.#clock.now(), roundServicesMax)
    const { services } = this.#options.catalog()
    const writes: HealthWrite[] = []
    const next = due[Symbol.iterator]()
    const takeTurns = async () => {
      for (const serviceType of next) {
        const service = services.get(serviceType)
        const write = service && (await this.#check(service, signal))
        schedule.checked(serviceType, this.#clock.now())
        if (write && (await this.#doubt.isTold(write.check, signal))) writes.push(write)
        if (this.#doubt.offline) return
      }
    }
    // While cut off, one look is enough to see whether that has changed.
    const lanes = this.#doubt.offline ? 1 : concurrentMax
    const turns = await Promise.allSettled(Array.from({ length: lanes }, takeTurns))
    signal.throwIfAborted()
    await this.#write(writes)
    for (const turn of turns) if (turn.status === 'rejected') throw turn.reason
  }

  async #check(service: Service, signal: AbortSignal): Promise<HealthWrite | null> {
    const url = healthUrl(service)
    if (url === null) return null
    const { probe } = this.#options
    const check = await checkService(probe, url, this.#clock, signal, this.#options)
    return { serviceType: service.config.serviceType, check, atMs: this.#clock.now() }
  }

  async #write(writes: readonly HealthWrite[]): Promise<void> {
    const changed = await writeHealth(this.#options.pool, writes)
    for (const serviceType of changed) {
      const check = writes.find((write) => write.serviceType === serviceType)?.check
      if (check) this.#options.onChanged?.(serviceType, check)
    }
  }

  #urls(): ReadonlyMap<ServiceType, string> {
    const urls = new Map<ServiceType, string>()
    for (const [serviceType, service] of this.#options.catalog().services) {
      const url = healthUrl(service)
      if (url !== null) urls.set(serviceType, url)
    }
    return urls
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#suspected.size > 0) return
    const early = new AbortController()
    this.#wake = () => early.abort()
    await this.#clock.sleep(ms, AbortSignal.any([signal, early.signal])).catch(() => undefined)
    this.#wake = null
  }
}
