import type { Clock } from '@crossfade/model/clock.ts'

/**
 * Simulated time. Whatever waits is an event with a moment; the earliest runs next, ties in an order the seed decides, and everything that follows from it without waiting runs
 * before the next. So a seed decides every interleaving, and gives the same run each time. No real timer is involved.
 */
export class Scheduler {
  readonly random: Random
  #now = Date.UTC(2026, 0, 1)
  #count = 0
  readonly #heap: SimulatedEvent[] = []

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  get now(): number {
    return this.#now
  }

  get events(): number {
    return this.#count
  }

  /** Runs `run` after `milliseconds` unless cancelled. */
  after(milliseconds: number, run: () => void): SimulatedEvent {
    const event: SimulatedEvent = {
      at: this.#now + Math.max(0, milliseconds),
      tie: this.random.next(),
      run,
      cancelled: false,
    }
    this.#push(event)
    return event
  }

  /** Runs events until `done` says so, or there are none, or the time is up. Returns whether `done` was reached. */
  async runUntil(done: () => boolean, milliseconds: number): Promise<boolean> {
    const end = this.#now + milliseconds
    while (!done()) {
      const event = this.#pop()
      if (!event || event.at > end) {
        if (event) this.#push(event)
        this.#now = end
        return done()
      }
      if (event.cancelled) continue
      this.#now = Math.max(this.#now, event.at)
      this.#count += 1
      event.run()
      await settled()
    }
    return true
  }

  #push(event: SimulatedEvent): void {
    const heap = this.#heap
    heap.push(event)
    let child = heap.length - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!before(heap[child]!, heap[parent]!)) break
      swap(heap, child, parent)
      child = parent
    }
  }

  #pop(): SimulatedEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (heap.length === 0 || !last) return first
    heap[0] = last
    let parent = 0
    for (;;) {
      const left = 2 * parent + 1
      let least = parent
      if (left < heap.length && before(heap[left]!, heap[least]!)) least = left
      if (left + 1 < heap.length && before(heap[left + 1]!, heap[least]!)) least = left + 1
      if (least === parent) return first
      swap(heap, parent, least)
      parent = least
    }
  }
}

export interface SimulatedEvent {
  readonly at: number
  readonly tie: number
  readonly run: () => void
  cancelled: boolean
}

/** One process under simulation: its clock, and whether it still lives. What a dead one waits for never comes. */
export class SimulatedProcess {
  readonly id: string
  readonly clock: Clock
  #alive = true
  #stalledUntil = 0
  readonly #scheduler: Scheduler

  constructor(scheduler: Scheduler, id: string) {
    this.id = id
    this.#scheduler = scheduler
    this.clock = { now: () => scheduler.now, sleep: (milliseconds, signal) => this.#sleep(milliseconds, signal) }
  }

  get alive(): boolean {
    return this.#alive
  }

  /** kill -9: nothing of it ever runs again. */
  crash(): void {
    this.#alive = false
  }

  /** Stands still (a long collection, a stopped machine) and then goes on as if nothing had been: a zombie, when its leases have run out. */
  stall(milliseconds: number): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.#scheduler.now + milliseconds)
  }

  /** Runs `then` after the time, when the process lives and does not stand still. */
  after(milliseconds: number, then: () => void): SimulatedEvent {
    const outer: SimulatedEvent = this.#scheduler.after(milliseconds, () => {
      if (!this.#alive || outer.cancelled) return
      const left = this.#stalledUntil - this.#scheduler.now
      if (left <= 0) then()
      else {
        this.after(left, () => {
          if (!outer.cancelled) then()
        })
      }
    })
    return outer
  }

  #sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = () => {
        event.cancelled = true
        reject(signal?.reason as Error)
      }
      const event = this.after(milliseconds, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }
}

/** xorshift128, seeded by splitmix. */
export class Random {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number) {
    let state = seed >>> 0
    const mix = () => {
      state = (state + 0x9e3779b9) >>> 0
      let z = state
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      return (z ^ (z >>> 16)) >>> 0
    }
    this.#a = mix()
    this.#b = mix()
    this.#c = mix()
    this.#d = mix() | 1
  }

  /** 0 ≤ x < 1. */
  next(): number {
    let t = this.#d
    const s = this.#a
    this.#d = this.#c
    this.#c = this.#b
    this.#b = s
    t ^= t << 11
    t ^= t >>> 8
    this.#a = (t ^ s ^ (s >>> 19)) >>> 0
    return this.#a / 0x1_0000_0000
  }

  /** 0 ≤ n < limit. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }
}

/** Everything that follows from what just ran, without waiting, has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function before(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.tie < b.tie)
}

function swap(heap: SimulatedEvent[], a: number, b: number): void {
  const kept = heap[a]!
  heap[a] = heap[b]!
  heap[b] = kept
}
