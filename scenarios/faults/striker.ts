import type { JournalEntry } from '@crossfade/engine/contract.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import { reasonOf } from '@crossfade/model/failure.ts'
import { type FaultContext, type FaultKind, type Struck, strike } from './kinds.ts'

export interface StrikerOptions extends FaultContext {
  readonly kinds: readonly FaultKind[]
  readonly say: (text: string) => void
}

/** An entry that a fault waits for and that does not come is not waited for any longer than this. */
const entryMsMax = 15_000
/** Entries pass by before the one that is struck. */
const entriesMax = 8
const jitterMsMax = 250
/** Between two faults the migration gets this long to move on. */
const restMsMin = 1_500
const restMsMax = 5_000

/** Lets faults strike at journaled transitions: at any entry, or at one of a cutover, with a little jitter; or just at some time. */
export class Striker {
  readonly #options: StrikerOptions
  readonly #listeners = new Set<(entry: JournalEntry) => void>()
  readonly struck: Struck[] = []
  /** Faults of our own that could not be done, in words; they are no findings about the product. */
  readonly failures: string[] = []
  #running: Promise<void> = Promise.resolve()
  #stopping = new AbortController()

  constructor(options: StrikerOptions) {
    this.#options = options
  }

  /** Told of every entry of the journal as it comes. */
  readonly see = (entry: JournalEntry): void => {
    for (const listener of [...this.#listeners]) listener(entry)
  }

  start(): void {
    this.#stopping = new AbortController()
    this.#running = this.#run(this.#stopping.signal)
  }

  /** Lets the fault that is under way end, and strikes no more until started again. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { random, kinds, say } = this.#options
    while (!signal.aborted) {
      const drawn = random()
      if (drawn < 0.35) await this.#entry((entry) => entry.kind === 'routing', signal)
      else if (drawn < 0.8) await this.#entry(countdown(1 + Math.floor(random() * entriesMax)), signal)
      else await pause(random() * restMsMax, signal)
      await pause(random() * jitterMsMax, signal)
      const kind = kinds[Math.floor(random() * kinds.length)]!
      if (signal.aborted) return
      try {
        say(`strikes: ${kind}`)
        const struck = await strike(kind, this.#options)
        this.struck.push(struck)
        say(`struck: ${kind} ${struck.what} ${struck.takeoversMs.join(' ')}`)
      } catch (error) {
        this.failures.push(`${kind}: ${reasonOf(error)}`)
        say(`could not strike: ${kind}: ${reasonOf(error)}`)
      }
      await pause(restMsMin + random() * (restMsMax - restMsMin), signal)
    }
  }

  #entry(wanted: (entry: JournalEntry) => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(limit)
        signal.removeEventListener('abort', end)
        this.#listeners.delete(listener)
        resolve()
      }
      const listener = (entry: JournalEntry) => {
        if (wanted(entry)) end()
      }
      const limit = setTimeout(end, entryMsMax)
      signal.addEventListener('abort', end, { once: true })
      this.#listeners.add(listener)
      if (signal.aborted) end()
    })
  }
}

function countdown(from: number): () => boolean {
  let left = from
  return () => {
    left -= 1
    return left <= 0
  }
}

/** Resolves after the time, or at once when the signal aborts. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return systemClock.sleep(milliseconds, signal).catch(() => undefined)
}
