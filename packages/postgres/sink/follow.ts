import { systemClock } from '@crossfade/model/clock.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { type Lsn, minLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { StreamObserver, TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan, ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import type { Client } from 'pg'
import type { ChangeStream } from '../changes/read.ts'
import type { StreamEvent } from '../changes/transaction.ts'
import { codeOf } from '../connection/connection-failure.ts'
import { isTransient } from '../connection/transient.ts'
import { fenceMessagePrefix } from '../cutover/fence-transaction.ts'
import { Applier, applyFailure } from './apply-batch.ts'
import { Batcher, type MeasuredBatch, type StreamItem } from './batcher.ts'
import { copiedPositions } from './copied-positions.ts'
import { carryDefinitions, DefinitionsChanged, type DefinitionsContext, withAddedColumns } from './definitions.ts'
import type { DirectedTable, Direction } from './direction.ts'
import { keyTexts } from './layout.ts'
import { OriginReader } from './origin-reader.ts'
import { comparePositions, type Position, wholeLsn } from './position.ts'
import { routeLookup } from './route-lookup.ts'
import { RowRouter } from './route-rows.ts'
import { StreamMeter } from './stream-meter.ts'
import { openTargetSession, type TargetSession } from './target-session.ts'
import type { TouchListener } from './touch-listener.ts'

/** Waits between attempts to go on after a connection was lost; the last one is repeated for as long as it takes. */
const reconnectMs = [50, 100, 250, 500, 1_000, 2_000]
/** Positions of targets that have nothing to apply are stored this often. */
const advanceMs = 500

export interface FollowOptions {
  readonly plan: ResolvedPlan
  readonly direction: Direction
  readonly from: ShardId
  readonly context: TaskContext
  readonly observer: StreamObserver
  readonly listener: TouchListener
  /** Opens a session on a database of the applied side, set up as the migration's writer. */
  readonly connectTarget: (shard: ResolvedShard) => Promise<Client>
  readonly connectOrigin: (shard: ResolvedShard) => Promise<Client>
  /** Starts reading the followed shard's slot after `startAt`; null: where the slot stands. */
  readonly read: (startAt: Lsn | null, direction: Direction, signal: AbortSignal) => ChangeStream
}

/**
 * Follows one shard until the context's signal is aborted, then returns. Lost connections and restarted servers on either side are ridden out: it goes on
 * at the positions stored on the targets. Rejects with CF6006 when another worker holds the lease, and with any failure that no retry helps.
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { signal } = options.context
  const meter = new StreamMeter(options.observer, options.listener)
  try {
    for (let attempt = 0; !signal.aborted; ) {
      const run = new FollowRun(options, meter)
      try {
        await run.untilAborted()
      } catch (thrown) {
        if (signal.aborted) return
        if (thrown instanceof DefinitionsChanged) continue
        const error = applyFailure(thrown)
        const outdated = codeOf(thrown) === undefinedColumn && attempt < outdatedMax
        if (isStale(error) || !(isTransient(error) || outdated)) throw error
        attempt = run.progressed ? 0 : attempt + 1
        await systemClock.sleep(reconnectMs[Math.min(attempt, reconnectMs.length - 1)]!, signal).catch(() => {})
      }
    }
  } finally {
    meter.stop()
  }
}

/** Another stream has just carried a dropped column over; the next run sees the tables as they are. */
const undefinedColumn = '42703'
const outdatedMax = 3

function isStale(error: unknown): boolean {
  return error instanceof Failure && error.code === 'CF6006'
}

/** One attempt: from opening the connections until one of them breaks. */
class FollowRun {
  readonly #options: FollowOptions
  readonly #meter: StreamMeter
  readonly #stop = new AbortController()
  /** Something was applied: the next attempt needs no patience. */
  progressed = false
  #sessions: TargetSession[] = []
  #origins: OriginReader[] = []
  #applier!: Applier
  #batcher!: Batcher
  #stream!: ChangeStream
  #definitions!: DefinitionsContext
  #applying: MeasuredBatch | null = null
  #advancedAt = 0
  /** What targets without rows to apply have not been told yet. */
  #owed: Position | null = null
  #timer: NodeJS.Timeout | null = null
  #taken = new Signal()
  #added = new Signal()

  constructor(options: FollowOptions, meter: StreamMeter) {
    this.#options = options
    this.#meter = meter
  }

  async untilAborted(): Promise<void> {
    const { signal } = this.#options.context
    const onAbort = () => this.#close(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await this.#open()
      signal.throwIfAborted()
      // When either ends, the other is stopped; its error is what matters.
      await Promise.all([this.#readAll(), this.#applyAll()])
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#close(new Error('the stream ended'))
      await this.#stream?.close().catch(() => {})
    }
  }

  async #open(): Promise<void> {
    const { plan, from, context, connectTarget, connectOrigin } = this.#options
    let { direction } = this.#options
    const opened = await Promise.allSettled(
      direction.toShards.map((shard) =>
        openTargetSession(
          { direction, shard, stream: from, lease: context.lease, epoch: context.epoch },
          connectTarget,
        ),
      ),
    )
    this.#sessions = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    for (const result of opened) if (result.status === 'rejected') throw result.reason
    this.#origins = direction.fromShards.map((shard) => new OriginReader(shard, connectOrigin))
    const origin = this.#origins.find((reader) => reader.shard.id === from)!
    const otherOrigins = this.#origins.filter((reader) => reader !== origin)
    const effective = await withAddedColumns({ plan, direction, sessions: this.#sessions, origin })
    for (const session of this.#sessions) session.redirect(direction, effective)
    direction = effective
    this.#definitions = { plan, direction, sessions: this.#sessions, origin }
    const router = new RowRouter(direction, routeLookup(this.#sessions, origin))
    this.#applier = new Applier({ direction, router, sessions: this.#sessions, origin, otherOrigins })

    const positions = this.#sessions.map((session) => session.position).sort(comparePositions)
    const start = positions[0]!
    const copied = await copiedPositions(this.#sessions, direction, from)
    this.#batcher = new Batcher({
      tableOf: this.#tableOf(direction),
      rowsMax: plan.changes.batchRowsMax,
      bytesMax: plan.changes.batchBytesMax,
      start,
      cuts: positions.filter((position) => comparePositions(position, start) > 0),
      convergingUntil: copied.newest,
      copiedUntil: copied.until,
      truncatedShard: direction.fromShards.length > 1 ? { id: from, topology: plan[direction.from].topology } : null,
    })
    const startAt = wholeLsn(start)
    this.#stream = this.#options.read(startAt === zeroLsn ? null : startAt, direction, this.#stop.signal)
    this.#meter.source = {
      received: () => this.#stream.received,
      oldestMs: () => this.#applying?.oldestMs ?? this.#batcher.oldestMs,
    }
    if (startAt !== zeroLsn) this.#meter.reached(startAt)
  }

  /** Tables that this stream carries: all of the plan, but reference tables only from the side's first shard. */
  #tableOf(direction: Direction): (name: TableName) => DirectedTable | null {
    const { from } = this.#options
    const first = direction.fromShards[0]!.id === from
    return (name) => {
      const table = direction.byName.get(tableKey(name)) ?? null
      return table !== null && table.plan.route.kind === 'reference' && !first ? null : table
    }
  }

  async #readAll(): Promise<void> {
    try {
      for await (const event of this.#stream) {
        if (event.kind === 'message' && event.prefix === fenceMessagePrefix) this.#meter.fenced(event.lsn)
        this.#batcher.add(event)
        this.#added.give()
        while (this.#batcher.full && !this.#stop.signal.aborted) await this.#taken.wait()
        if (this.#stop.signal.aborted) return
      }
      if (!this.#options.context.signal.aborted) throw fail('CF3011', { shard: this.#options.from, reason: 'it ended' })
    } catch (error) {
      this.#close(error)
      throw error
    }
  }

  async #applyAll(): Promise<void> {
    const { signal } = this.#stop
    try {
      while (!signal.aborted) {
        const item = this.#batcher.take()
        this.#taken.give()
        if (item !== undefined) await this.#handle(item)
        else {
          await this.#advance()
          await this.#added.wait()
        }
      }
    } catch (error) {
      this.#close(error)
      throw error
    }
  }

  async #handle(item: StreamItem): Promise<void> {
    if (item.kind === 'batch') await this.#apply(item.batch)
    else if (item.kind === 'position') await this.#reached(item.position)
    else await this.#redefine(item)
  }

  async #apply(batch: MeasuredBatch): Promise<void> {
    this.#applying = batch
    const { others } = await this.#applier.apply(batch)
    this.progressed = true
    const { listener } = this.#options
    for (const [layout, { rows }] of batch.net.keyed) {
      const keys: string[][] = []
      for (const row of rows.values()) keys.push(keyTexts(layout, row.identity))
      await listener.touched(layout.table.plan, keys, batch.lsn)
    }
    for (const layout of batch.net.counted.keys()) await listener.touched(layout.table.plan, [], batch.lsn)
    for (const table of batch.truncation?.tables ?? []) await listener.touched(table.plan, [], batch.lsn)
    for (const { layout, key } of others) {
      await listener.touched(layout.table.plan, key.length === 0 ? [] : [key], batch.lsn)
    }
    this.#applying = null
    this.#meter.batch(batch)
    await this.#reached(batch.end)
  }

  /** Everything up to `position` is applied. Targets that had nothing to do are told now and then, so that their stored positions follow (D04). */
  async #reached(position: Position): Promise<void> {
    this.#meter.reached(wholeLsn(position))
    this.#owed = position
    await this.#advance()
    this.#acknowledge()
  }

  /** Stores the position on targets that are behind, or sees to it that it is done in a while. */
  async #advance(): Promise<void> {
    if (this.#owed === null) return
    const wait = this.#advancedAt + advanceMs - performance.now()
    if (wait > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = null
        this.#added.give()
      }, wait)
      return
    }
    const position = this.#owed
    this.#owed = null
    this.#advancedAt = performance.now()
    await this.#applier.advance(position)
    this.#acknowledge()
  }

  /** The source may drop what is durable on every target, and proven. */
  #acknowledge(): void {
    let durable: Lsn | null = null
    for (const session of this.#sessions) {
      const lsn = wholeLsn(session.position)
      durable = durable === null ? lsn : minLsn(durable, lsn)
    }
    if (durable === null || durable === zeroLsn) return
    this.#stream.acknowledge({
      flushed: minLsn(durable, this.#options.listener.proven()),
      applied: this.#meter.applied,
    })
  }

  /** The table was altered on the followed side: carried over where the plan says so and it can be, otherwise the stream stops (CF3203). */
  async #redefine(event: Extract<StreamEvent, { kind: 'relationChanged' }>): Promise<void> {
    await carryDefinitions(event, this.#definitions)
  }

  #close(reason: unknown): void {
    // Called again at the end: what was still being opened when the first call came must not stay open.
    this.#stop.abort(reason)
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const session of this.#sessions) session.close()
    for (const origin of this.#origins) origin.close()
    this.#taken.give()
    this.#added.give()
  }
}

/** Lets one wait for another without losing a call that came before. */
class Signal {
  #given = false
  #wake: (() => void) | null = null

  give(): void {
    this.#given = true
    this.#wake?.()
    this.#wake = null
  }

  async wait(): Promise<void> {
    if (!this.#given) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#given = false
  }
}
