import type { Clock } from '@crossfade/model/clock.ts'
import { asEpoch } from '@crossfade/model/ids.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { Json, Progress } from '@crossfade/tracks/contract/tasks.ts'
import { backoffMs, steadyMs, streamLongestMs } from './backoff.ts'
import type { Claim, ControlStore, Work, WorkKind } from './store.ts'
import { coded, retries } from './trouble.ts'

/** A lease lasts this long, and is prolonged each second; so another worker takes over within 6 s: lease, poll, and a second for the rest. */
export const leaseMs = 4_000
const renewMs = 1_000
const claimMs = 500
/** A holder that could not prolong its lease stops writing this long before the lease runs out. */
const leaseMarginMs = 500
/** How often the worker says that it is there. */
const seenMs = 1_000
/** How long running tasks may take to come to a safe point when the worker stops. */
const stopMsMax = 10_000
/** A chunk whose snapshot is not open gives its place to another for this long. */
const notReadyMs = 500

export interface WorkerOptions {
  readonly id: string
  readonly store: ControlStore
  readonly clock: Clock
  /** How many tasks of each kind this process runs at once; kinds that are missing are not claimed. */
  readonly places: Partial<Record<WorkKind, number>>
  /** `isHeld` says whether the lease is sure to be ours at this very moment, however long this process may have stood still. */
  readonly run: (work: Work, context: TaskContext, isHeld: () => boolean) => Promise<Json | null>
  readonly throttle: (work: Work, signal: AbortSignal) => TaskContext['throttle']
  readonly memoryBytes: () => number
}

/** Claims tasks and runs them, for as long as the signal lets it. One whose lease is lost is told to stop before anybody else can have it. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #running = new Map<string, Running>()
  #rush: AbortController = new AbortController()
  #urgent = false
  #stopped = false

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  /** Resolves once the signal has aborted and everything running has ended or given up. */
  async run(signal: AbortSignal): Promise<void> {
    const startedAt = this.#options.clock.now()
    const claiming = this.#claimLoop(signal).then(() => this.#stop())
    await Promise.all([claiming, this.#renewLoop(), this.#seenLoop(startedAt, signal)])
  }

  async #claimLoop(signal: AbortSignal): Promise<void> {
    const { store, clock, id } = this.#options
    while (!signal.aborted) {
      try {
        const asked = clock.now()
        const works = await store.tasks.claim(id, this.#free(), leaseMs)
        for (const work of works) this.#begin(work, asked + leaseMs)
        await store.bell.wait(null, 'work', claimMs, signal)
      } catch {
        await this.#pause(claimMs, signal)
      }
    }
  }

  /** Prolongs the leases once a second, at once when a task has something urgent to tell; stops the tasks whose lease could not be prolonged in time. */
  async #renewLoop(): Promise<void> {
    while (!this.#stopped) {
      const rush = new AbortController()
      this.#rush = rush
      if (!this.#urgent) await this.#options.clock.sleep(this.#untilExpiry(), rush.signal).catch(() => undefined)
      this.#urgent = false
      if (this.#running.size === 0) continue
      const begun = this.#options.clock.now()
      const renewing = this.#renew(begun)
      const expiring = new AbortController()
      const limit = this.#options.clock.sleep(this.#untilExpiry(), expiring.signal).catch(() => undefined)
      await Promise.race([renewing, limit])
      expiring.abort()
      this.#stopExpired()
    }
  }

  async #renew(begun: number): Promise<void> {
    const { store } = this.#options
    const claims = [...this.#running.values()].map((running) => ({
      ...running.claim,
      progress: running.takeProgress(),
    }))
    try {
      const { lost, cancelled } = await store.tasks.renew(claims, leaseMs)
      const lostKeys = new Set(lost.map(keyOf))
      for (const claim of claims) {
        const running = this.#running.get(keyOf(claim))
        if (!running || running.claim.epoch !== claim.epoch) continue
        if (lostKeys.has(keyOf(claim))) running.stop(leaseLost)
        else running.heldUntil = begun + leaseMs
      }
      for (const lease of cancelled) this.#running.get(keyOf(lease))?.stop(notWanted)
    } catch {
      // Out of reach: what was to be told is told with the next renewal, and the leases run towards their end.
      for (const claim of claims) if (claim.progress) this.#running.get(keyOf(claim))?.keepProgress(claim.progress)
    }
  }

  /** How long until the next renewal, or until the first lease must be given up, whichever comes first. */
  #untilExpiry(): number {
    const ends = [...this.#running.values()]
      .filter((running) => !running.signal.aborted)
      .map((running) => running.heldUntil - leaseMarginMs)
    return Math.max(0, Math.min(renewMs, ...ends.map((end) => end - this.#options.clock.now())))
  }

  #stopExpired(): void {
    const now = this.#options.clock.now()
    for (const running of this.#running.values()) if (now >= running.heldUntil - leaseMarginMs) running.stop(leaseLost)
  }

  async #seenLoop(startedAt: number, signal: AbortSignal): Promise<void> {
    const { store, clock, id, memoryBytes } = this.#options
    while (!signal.aborted) {
      await store.workers
        .seen({ id, startedAt, seenAt: clock.now(), memoryBytes: memoryBytes() })
        .catch(() => undefined)
      await this.#pause(seenMs, signal)
    }
    await store.workers.gone(id).catch(() => undefined)
  }

  #begin(work: Work, heldUntil: number): void {
    const { id } = this.#options
    const claim: Claim = { migration: work.migration, task: work.name, epoch: work.epoch, worker: id }
    const running = new Running(work, claim, heldUntil, () => this.#hurry())
    this.#running.set(keyOf(claim), running)
    running.done = this.#run(running).finally(() => {
      if (this.#running.get(keyOf(claim)) === running) this.#running.delete(keyOf(claim))
    })
  }

  async #run(running: Running): Promise<void> {
    const { store, clock, run, throttle } = this.#options
    const { work, claim, signal } = running
    const begun = clock.now()
    const context: TaskContext = {
      epoch: asEpoch(claim.epoch),
      lease: work.name,
      signal,
      report: (progress) => running.report(progress),
      throttle: throttle(work, signal),
    }
    try {
      const result = await run(work, context, () => !signal.aborted && clock.now() < running.heldUntil)
      if (signal.aborted) await store.tasks.release(claim, 0)
      else await store.tasks.finish(claim, result)
    } catch (error) {
      // An end that was asked for is nobody's failure. A lease that is lost can't be handed back either; the store refuses it.
      if (signal.aborted) {
        await store.tasks.release(claim, 0).catch(() => undefined)
        return
      }
      const failure = coded(error, work.name)
      if (failure.code === 'CF3001') {
        await store.tasks.release(claim, notReadyMs).catch(() => undefined)
        return
      }
      const attempts = clock.now() - begun > steadyMs ? 1 : work.attempts + 1
      // Without its reconciler a migration stands still and can't even be aborted: that one is taken up again whatever ended it.
      const again = work.kind === 'reconcile' || retries(failure, attempts)
      const told = { code: failure.code, message: failure.message, retry: again, at: clock.now() }
      const rest = backoffMs(attempts - 1, work.kind === 'stream' ? streamLongestMs : undefined)
      await store.tasks.fail(claim, told, attempts, again ? rest : null).catch(() => undefined)
    }
  }

  /** Something others wait for is told now rather than with the next renewal. */
  #hurry(): void {
    this.#urgent = true
    this.#rush.abort()
  }

  #free(): Partial<Record<WorkKind, number>> {
    const free = { ...this.#options.places }
    for (const { work } of this.#running.values()) free[work.kind] = (free[work.kind] ?? 0) - 1
    return free
  }

  async #stop(): Promise<void> {
    for (const running of this.#running.values()) running.stop(stopping)
    const all = Promise.all([...this.#running.values()].map((running) => running.done))
    const limit = new AbortController()
    await Promise.race([all, this.#options.clock.sleep(stopMsMax, limit.signal).catch(() => undefined)])
    limit.abort()
    this.#stopped = true
    this.#hurry()
  }

  async #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(milliseconds, signal).catch(() => undefined)
  }
}

const leaseLost = new Error('the lease was lost')
const notWanted = new Error('the task is not wanted any more')
const stopping = new Error('the worker stops')

class Running {
  readonly work: Work
  readonly claim: Claim
  heldUntil: number
  done: Promise<void> = Promise.resolve()
  readonly #stop = new AbortController()
  readonly #onUrgent: () => void
  #progress: Progress = {}
  #told = true

  constructor(work: Work, claim: Claim, heldUntil: number, onUrgent: () => void) {
    this.work = work
    this.claim = claim
    this.heldUntil = heldUntil
    this.#onUrgent = onUrgent
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  stop(reason: Error): void {
    if (!this.#stop.signal.aborted) this.#stop.abort(reason)
  }

  report(progress: Progress): void {
    this.#progress = { ...this.#progress, ...progress }
    this.#told = false
    // Others wait for what a stream says: which snapshot it holds.
    if (this.work.kind === 'stream') this.#onUrgent()
  }

  takeProgress(): Progress | null {
    if (this.#told) return null
    this.#told = true
    return this.#progress
  }

  keepProgress(progress: Progress): void {
    this.#progress = { ...progress, ...this.#progress }
    this.#told = false
  }
}

function keyOf(lease: { readonly migration: string; readonly task: string }): string {
  return `${lease.migration} ${lease.task}`
}
