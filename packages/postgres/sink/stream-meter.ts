import { type Lsn, maxLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import type { StreamObserver, StreamStatus } from '@crossfade/pipeline/data-plane.ts'
import type { MeasuredBatch } from './batcher.ts'
import type { TouchListener } from './touch-listener.ts'

/** Between two statuses, unless somebody waits for a position that is proven just now. */
const statusMs = 100
/** A status at least this often, also when nothing happens. */
const heartbeatMs = 1_000
/** How often it is looked whether somebody waits for a position: writers are held meanwhile, and nothing else may happen that would make us look. */
const expectedMs = 10
/** The rate is measured over this long. */
const rateMs = 2_000

/** Counts what a stream does and tells the observer: at most ten times a second, at once when an expected position is proven, at least once a second. */
export class StreamMeter {
  readonly #observer: StreamObserver
  readonly #listener: TouchListener
  readonly #timers: readonly NodeJS.Timeout[]
  #applied: Lsn = zeroLsn
  #rows = 0
  #transactions = 0
  #told = 0
  #pending: NodeJS.Timeout | null = null
  #expectedTold: Lsn | null = null
  /** Where a fence was met in the log and is not proven yet. */
  #fence: Lsn | null = null
  #marks: { readonly at: number; readonly rows: number }[] = []
  /** How far the server has sent, and when the oldest change was committed that is not applied. */
  source: { readonly received: () => Lsn; readonly oldestMs: () => number | null } = {
    received: () => zeroLsn,
    oldestMs: () => null,
  }

  constructor(observer: StreamObserver, listener: TouchListener) {
    this.#observer = observer
    this.#listener = listener
    const look = () => {
      if ((this.#observer.expected?.() ?? null) !== null) this.changed()
    }
    this.#timers = [setInterval(() => this.#tell(), heartbeatMs), setInterval(look, expectedMs)]
    listener.watch(() => this.changed())
  }

  get applied(): Lsn {
    return this.#applied
  }

  batch(batch: MeasuredBatch): void {
    this.#rows += batch.rows
    this.#transactions += batch.transactions
  }

  /** Everything up to here is applied and durable. */
  reached(lsn: Lsn): void {
    this.#applied = maxLsn(this.#applied, lsn)
    this.#listener.applied(this.#applied)
    this.changed()
  }

  /** The log has come to a fence: writers are held from here on, and somebody waits for us to pass it, though their word may not have arrived yet. */
  fenced(lsn: Lsn): void {
    this.#fence = lsn
    this.changed()
  }

  /** Something moved: tells it now if somebody waits for just that, or soon. */
  changed(): void {
    const expected = this.#fence ?? this.#observer.expected?.() ?? null
    if (expected === null) this.#expectedTold = null
    else if (expected !== this.#expectedTold) {
      if (this.#listener.proven() >= expected) {
        this.#expectedTold = expected
        this.#fence = null
        this.#tell()
        return
      }
      this.#listener.hurry?.()
    }
    if (this.#pending !== null) return
    const wait = this.#told + statusMs - performance.now()
    if (wait <= 0) this.#tell()
    else this.#pending = setTimeout(() => this.#tell(), wait)
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
    if (this.#pending !== null) clearTimeout(this.#pending)
    this.#listener.watch(() => {})
    this.#tell()
  }

  #tell(): void {
    if (this.#pending !== null) clearTimeout(this.#pending)
    this.#pending = null
    this.#told = performance.now()
    this.#observer.status(this.#status())
  }

  #status(): StreamStatus {
    const received = maxLsn(this.source.received(), this.#applied)
    const oldest = this.source.oldestMs()
    return {
      received,
      applied: this.#applied,
      proven: this.#listener.proven(),
      lagMs: oldest === null ? 0 : Math.max(0, Date.now() - oldest),
      lagBytes: Number(received - this.#applied),
      rowsPerSecond: this.#rate(),
      rowsApplied: this.#rows,
      transactionsApplied: this.#transactions,
      touched: this.#listener.pending(),
      mismatches: this.#listener.mismatches(),
    }
  }

  #rate(): number {
    const now = performance.now()
    this.#marks.push({ at: now, rows: this.#rows })
    while (this.#marks.length > 2 && this.#marks[1]!.at < now - rateMs) this.#marks.shift()
    const first = this.#marks[0]!
    const seconds = (now - first.at) / 1000
    return seconds > 0 ? Math.round((this.#rows - first.rows) / seconds) : 0
  }
}
