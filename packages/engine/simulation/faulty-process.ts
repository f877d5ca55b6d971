import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { MemoryBell } from '../memory-bell.ts'
import type { BellTopic, ControlStore } from '../store.ts'
import type { ModelDatabase } from './model-database.ts'
import type { ModelAccess } from './model-plane.ts'
import { type Scheduler, SimulatedProcess } from './scheduler.ts'

export interface Faults {
  /** Share of calls that fail, half of them after they took effect. */
  callFailure: number
  /** Share of calls that take long, and how long at most. */
  slowCall: number
  readonly slowMs: number
  /** Share of calls at which the process dies, and stands still. */
  crash: number
  stall: number
  readonly stallMs: number
  lostRing: number
  /** How likely a call in the middle of a cutover is the process's last, or makes it stand still. */
  critical: number
}

export const noFaults: Faults = {
  callFailure: 0,
  slowCall: 0,
  slowMs: 0,
  crash: 0,
  stall: 0,
  stallMs: 0,
  lostRing: 0,
  critical: 0,
}

const callMsMax = 4

/** A process whose every call to the control store and to the databases takes simulated time, and may fail, with or without effect, or be its last. */
export class FaultyProcess extends SimulatedProcess {
  readonly #scheduler: Scheduler
  readonly #faults: Faults
  readonly #onCrash: () => void
  readonly #isCritical: () => boolean

  constructor(
    scheduler: Scheduler,
    id: string,
    faults: Faults,
    onCrash: () => void = () => undefined,
    isCritical: () => boolean = () => false,
  ) {
    super(scheduler, id)
    this.#isCritical = isCritical
    this.#scheduler = scheduler
    this.#faults = faults
    this.#onCrash = onCrash
  }

  get access(): ModelAccess {
    return {
      clock: this.clock,
      alive: () => this.alive,
      act: async (database: ModelDatabase, effect) => {
        const result = effect()
        return this.call(
          () => result,
          () => fail('CF2001', { shard: database.id, reason: 'the connection broke' }),
        )
      },
      call: (database: ModelDatabase, effect) =>
        this.call(effect, () => fail('CF2001', { shard: database.id, reason: 'the connection broke' })),
    }
  }

  /** One call over a network: time passes before its effect and after it. */
  async call<T>(effect: () => T | Promise<T>, failure: () => Error): Promise<T> {
    const { random } = this.#scheduler
    await this.#pass()
    const breaks = random.chance(this.#faults.callFailure)
    const unanswered = breaks && random.chance(0.5)
    if (breaks && !unanswered) throw failure()
    const result = await effect()
    await this.#pass()
    if (unanswered) throw failure()
    return result
  }

  /** The store as this process sees it. */
  store(shared: ControlStore): ControlStore {
    const bell = new MemoryBell(this.clock)
    shared.bell.listen((migration: MigrationId, topic: BellTopic) => {
      if (this.alive && !this.#scheduler.random.chance(this.#faults.lostRing))
        this.after(1, () => bell.ring(migration, topic))
    })
    const over = <Port extends object>(port: Port): Port =>
      new Proxy(port, {
        get: (target, name) => {
          const method = target[name as keyof Port]
          if (typeof method !== 'function') return method
          return (...args: unknown[]) =>
            this.call(
              () => method.apply(target, args),
              () => fail('CF6003', { reason: 'the connection broke' }),
            )
        },
      })
    return {
      migrations: over(shared.migrations),
      journal: over(shared.journal),
      tasks: over(shared.tasks),
      board: over(shared.board),
      reports: over(shared.reports),
      samples: over(shared.samples),
      workers: over(shared.workers),
      bell,
      close: async () => undefined,
    }
  }

  #pass(): Promise<void> {
    const { random } = this.#scheduler
    const critical = this.#isCritical() ? this.#faults.critical : 0
    if (random.chance(this.#faults.crash + critical / 2)) {
      this.crash()
      this.#onCrash()
    } else if (random.chance(this.#faults.stall + critical / 2)) {
      this.stall(random.below(this.#faults.stallMs))
    }
    const slow = random.chance(this.#faults.slowCall)
    return new Promise((resolve) => {
      this.after(slow ? random.below(this.#faults.slowMs) : random.next() * callMsMax, resolve)
    })
  }
}
