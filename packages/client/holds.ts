import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { type DurationFigures, Histogram } from './histogram.ts'

export interface HoldLimits {
  /** From the first refusal to the end of the statement or transaction; over it the program gets CF7103. */
  readonly holdMsMax: number
  /** Statements and transactions that are held at once; over it the next one gets CF7104. */
  readonly heldMax: number
  /** At the latest after this long one of those that are held is sent again, in case the fence was opened without a new routing. */
  readonly probeMs: number
}

/** One statement or transaction that met a fence, over all its attempts. */
export interface Hold {
  readonly unit: ShardId
  readonly since: number
  /** Refused after it had been let go: it goes back to the front. */
  again: boolean
}

interface Waiter {
  readonly hold: Hold
  readonly release: () => void
  readonly refuse: (error: Error) => void
}

export interface HoldFigures {
  readonly holds: number
  readonly held: number
  readonly holdMs: DurationFigures
}

/** The first of those attempts comes so soon after a hold or a new routing; each further one after twice as long, up to `probeMs`. */
const probeFirstMs = 5

/** What waits for a fence to open, in the order in which it came, per unit. */
export class Holds {
  readonly #limits: HoldLimits
  readonly #waiting = new Map<ShardId, Waiter[]>()
  readonly #durations = new Histogram()
  #held = 0
  #holds = 0
  #probe: NodeJS.Timeout | null = null
  #probeDelayMs = probeFirstMs
  #closed = false

  constructor(limits: HoldLimits) {
    this.#limits = limits
  }

  /** Begins to hold one. Throws CF7104 when too many are held. */
  begin(unit: ShardId): Hold {
    if (this.#held >= this.#limits.heldMax) throw fail('CF7104', { unit, limit: this.#limits.heldMax })
    if (this.#held === 0) this.#probeDelayMs = probeFirstMs
    this.#held += 1
    this.#holds += 1
    return { unit, since: performance.now(), again: false }
  }

  /** It came to its end, well or not. */
  end(hold: Hold): void {
    this.#held -= 1
    this.#durations.add(performance.now() - hold.since)
  }

  /** Resolves when it may be sent again. Rejects with CF7103 past its limit, CF7105 when the client is ended. */
  wait(hold: Hold): Promise<void> {
    const leftMs = hold.since + this.#limits.holdMsMax - performance.now()
    const { unit } = hold
    if (this.#closed) return Promise.reject(fail('CF7105'))
    if (leftMs <= 0) return Promise.reject(this.#tooLong(unit))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#remove(unit, waiter)
        reject(this.#tooLong(unit))
      }, leftMs)
      const waiter: Waiter = {
        hold,
        release: () => {
          clearTimeout(timer)
          resolve()
        },
        refuse: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      }
      const queue = this.#waiting.get(unit) ?? []
      this.#waiting.set(unit, queue)
      if (hold.again) queue.unshift(waiter)
      else queue.push(waiter)
      hold.again = true
      if (!this.#probe) this.#planProbe()
    })
  }

  /** Lets all that wait for the unit go on, in their order. */
  release(unit: ShardId): void {
    const queue = this.#waiting.get(unit) ?? []
    this.#waiting.delete(unit)
    for (const waiter of queue) waiter.release()
  }

  /** Something has changed: the next attempts come soon. */
  hurry(): void {
    this.#probeDelayMs = probeFirstMs
    if (!this.#probe) return
    clearTimeout(this.#probe)
    this.#planProbe()
  }

  /** Units that something waits for. */
  units(): readonly ShardId[] {
    return [...this.#waiting.keys()]
  }

  close(): void {
    this.#closed = true
    if (this.#probe) clearTimeout(this.#probe)
    for (const queue of this.#waiting.values()) for (const waiter of queue) waiter.refuse(fail('CF7105'))
    this.#waiting.clear()
  }

  figures(): HoldFigures {
    return { holds: this.#holds, held: this.#held, holdMs: this.#durations.figures() }
  }

  /** One of each unit is sent; the others follow when it gets through. */
  #sendProbes(): void {
    this.#probe = null
    for (const [unit, queue] of this.#waiting) {
      queue.shift()?.release()
      if (queue.length === 0) this.#waiting.delete(unit)
    }
    this.#probeDelayMs *= 2
    // Where nobody else waits, the next hold of those that were sent plans the next one.
    if (this.#waiting.size > 0) this.#planProbe()
  }

  #planProbe(): void {
    this.#probe = setTimeout(() => this.#sendProbes(), Math.min(this.#probeDelayMs, this.#limits.probeMs))
  }

  #remove(unit: ShardId, waiter: Waiter): void {
    const queue = this.#waiting.get(unit) ?? []
    const place = queue.indexOf(waiter)
    if (place >= 0) queue.splice(place, 1)
    if (queue.length === 0) this.#waiting.delete(unit)
  }

  #tooLong(unit: ShardId): Error {
    return fail('CF7103', { unit, milliseconds: this.#limits.holdMsMax })
  }
}
