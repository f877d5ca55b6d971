import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { Lsn } from '@crossfade/model/lsn.ts'
import type { RowMessage } from '../changes/message.ts'
import { isConnectionLoss } from '../connection/transient.ts'
import { NetEffect, type NetRow } from './batch.ts'
import { makeRoom, type TouchedRow } from './conflicts.ts'
import type { Direction } from './direction.ts'
import type { Layout } from './layout.ts'
import { type MoveContext, moveDependants, placeMissing } from './moves.ts'
import type { OriginReader } from './origin-reader.ts'
import { StepError } from './pipeline.ts'
import { comparePositions, type Position } from './position.ts'
import type { RoutedBatch, RowRouter } from './route-rows.ts'
import { settled } from './settled.ts'
import { shapeRows } from './shape-rows.ts'
import type { MissingRow, TargetSession } from './target-session.ts'
import { addTruncate, type Truncation } from './truncate.ts'
import { cellsKey } from './tuple.ts'

/** Some whole transactions, or a piece of one: what is applied in one transaction on each target. */
export interface Batch {
  readonly net: NetEffect
  /** Set when the batch is a truncate and nothing else. */
  readonly truncation: Truncation | null
  /** Where the targets stand once it is applied. */
  readonly end: Position
  /** The transactions it holds changes of. */
  readonly xids: ReadonlySet<number>
  /** The commit of the last of them. */
  readonly lsn: Lsn
  /** Rows may be on the target already, because the copy is newer than these changes. */
  readonly converging: boolean
}

/**
 * How carefully a batch is applied. Each way costs about ten times the one before, so the next is only tried when unique values are in the way:
 * - `net`: one write per key, in bulk, in any order.
 * - `ordered`: every change in the source's order; needed where foreign keys or triggers look on, and where values are swapped between rows.
 * - `careful`: the same, change by change, evicting rows that are ahead of the stream.
 */
type Way = 'net' | 'ordered' | 'careful'

/** Bytes gathered before an ordered batch is sent; the rest follows in the same transaction. */
const orderedBytesMax = 1024 * 1024
/** How often a batch is tried again after a deadlock with another session. */
const deadlocksMax = 5

/** How often sessions that can't switch foreign keys and triggers off look whether there are some now. */
const watchersMs = 2_000

const savepoint = 'crossfade_row'
/** How often room is made for one change: each unique index it is in may have another row in the way. */
const evictionsMax = 3

const uniqueViolation = '23505'
const exclusionViolation = '23P01'
const foreignKeyViolation = '23503'
const deadlock = new Set(['40P01', '40001'])

export interface ApplierOptions {
  readonly direction: Direction
  readonly router: RowRouter
  readonly sessions: readonly TargetSession[]
  readonly origin: OriginReader
  /** Readers of the other shards of the followed side. */
  readonly otherOrigins: readonly OriginReader[]
}

/** What a batch did beyond its own rows. */
export interface Applied {
  readonly others: readonly TouchedRow[]
}

/** Applies one batch after the other to all targets. Not to be used again after it rejected. */
export class Applier {
  readonly #options: ApplierOptions
  #mustOrder: boolean
  #lookedAt = performance.now()

  constructor(options: ApplierOptions) {
    this.#options = options
    this.#mustOrder = options.sessions.some((session) => session.ordered)
  }

  /**
   * Applies the batch on every target that does not have it yet: rows and position commit together, on each target in one transaction. Targets that the batch
   * has no rows for keep their position; see `advance`. Rejects with a coded failure, or with a connection's error; then nothing more may be applied through
   * this applier, and whoever goes on starts from the positions stored in the targets.
   */
  async apply(batch: Batch): Promise<Applied> {
    await this.#lookForWatchers()
    const ways: { way: Way; tolerant: boolean }[] = this.#mustOrder
      ? [
          { way: 'ordered', tolerant: batch.converging },
          { way: 'careful', tolerant: true },
        ]
      : [
          { way: 'net', tolerant: batch.converging },
          { way: 'net', tolerant: true },
          { way: 'ordered', tolerant: true },
          { way: 'careful', tolerant: true },
        ]
    let foreignKeys = false
    for (let attempt = 0, deadlocks = 0; ; ) {
      const { way, tolerant } = ways[attempt]!
      try {
        const applied = await this.#applyOnce(batch, way, tolerant)
        if (foreignKeys) this.#mustOrder = true
        return applied
      } catch (error) {
        this.#options.router.forget()
        await Promise.all(this.#options.sessions.filter((session) => session.open).map((session) => session.rollback()))
        const code = error instanceof StepError ? error.code : undefined
        if (code !== undefined && deadlock.has(code) && ++deadlocks <= deadlocksMax) continue
        const conflict = code === uniqueViolation || code === exclusionViolation || code === foreignKeyViolation
        foreignKeys ||= code === foreignKeyViolation
        attempt += way === 'net' && !tolerant && foreignKeys ? 2 : 1
        if (!conflict || attempt >= ways.length) throw applyFailure(error)
      }
    }
  }

  /** Foreign keys and triggers come after the copy, while the stream runs: where they will fire for us, order matters from then on. */
  async #lookForWatchers(): Promise<void> {
    const now = performance.now()
    if (this.#mustOrder || now - this.#lookedAt < watchersMs) return
    this.#lookedAt = now
    try {
      const watched = await settled(this.#options.sessions.map((session) => session.lookForWatchers()))
      this.#mustOrder = watched.includes(true)
    } catch (error) {
      throw applyFailure(error)
    }
  }

  /** Brings every target's stored position to at least `position`, when nothing before it is left to apply. */
  async advance(position: Position): Promise<void> {
    const behind = this.#options.sessions.filter((session) => comparePositions(session.position, position) < 0)
    try {
      await settled(behind.map((session) => session.advance(position)))
    } catch (error) {
      throw applyFailure(error)
    }
  }

  async #applyOnce(batch: Batch, way: Way, tolerant: boolean): Promise<Applied> {
    const { sessions, router, direction, origin } = this.#options
    const active = sessions.filter((session) => comparePositions(session.position, batch.end) < 0)
    const evicted: TouchedRow[] = []
    if (active.length === 0) return { others: [] }
    const attempt: Attempt = {
      direction,
      router,
      origin,
      active,
      sessions: new Map(active.map((session) => [session.shard, session])),
      skip: new Set(sessions.filter((session) => !active.includes(session)).map((session) => session.shard)),
      xids: batch.xids,
      converging: batch.converging,
      givers: new Set(),
      relocated: [],
      begin: (session) => {
        if (!session.open) session.begin()
      },
    }
    if (batch.truncation) {
      for (const session of active) addTruncate(session, batch.truncation)
      await settled(active.map((session) => session.flush()))
    } else if (way === 'net') await this.#net(attempt, batch.net, tolerant)
    else if (way === 'ordered') await this.#ordered(attempt, batch.net, tolerant)
    else await this.#careful(attempt, batch.net, evicted)
    const open = active.filter((session) => session.open)
    const { givers } = attempt
    await settled(open.filter((session) => !givers.has(session)).map((session) => session.commit(batch.end)))
    await settled(open.filter((session) => givers.has(session)).map((session) => session.commit(batch.end)))
    return { others: [...evicted, ...attempt.relocated] }
  }

  async #net(attempt: Attempt, net: NetEffect, tolerant: boolean): Promise<void> {
    const { skip } = attempt
    const shape = await shapeRows(net, attempt.active, attempt.origin, attempt.xids)
    const { work, moved } = await attempt.router.route(net, {
      skip,
      shape,
      inPlace: false,
      converging: attempt.converging,
    })
    const busy = [...work].map(([shard, rows]) => ({ session: attempt.sessions.get(shard)!, rows }))
    await settled(busy.map(({ session, rows }) => session.prepare(rows, tolerant)))
    // First, so that the rows are where this batch's own changes to them go.
    await moveDependants(attempt, moved)
    const missing = await settled(
      busy.map(({ session, rows }) => {
        attempt.begin(session)
        session.add(rows, { tolerant, bulk: true })
        return session.flush()
      }),
    )
    await placeMissing(attempt, missing.flat())
  }

  /** Runs of changes of the same kind to the same table go together; the rest is sent in order, still in few round trips. */
  async #ordered(attempt: Attempt, net: NetEffect, tolerant: boolean): Promise<void> {
    const { router, active, skip } = attempt
    let missing: MissingRow[] = []
    for (const layout of net.counted.keys()) {
      for (const session of active) await session.prepareStage(session.writer(layout))
    }
    for (const run of runsOf(net)) {
      const shape = await shapeRows(run, active, attempt.origin, attempt.xids)
      const routed = await router.route(run, { skip, shape, inPlace: true, converging: attempt.converging })
      for (const [shard, rows] of routed.work) {
        const session = attempt.sessions.get(shard)!
        attempt.begin(session)
        session.add(rows, { tolerant, bulk: false })
        if (session.pipeline.bytes > orderedBytesMax) missing.push(...(await session.flush()))
      }
      // What comes next may refer to rows that are on another shard yet.
      const mayMove =
        [...run.keyed.keys()].some((layout) => router.mayMove(layout)) && run.messages[0]!.tag === 'update'
      if (mayMove || routed.crossing.length > 0 || routed.moved.length > 0) {
        missing.push(...(await this.#flush(attempt)))
        await this.#settle(attempt, inTheEnd(run, missing), routed)
        missing = []
      }
    }
    missing.push(...(await this.#flush(attempt)))
    await placeMissing(attempt, inTheEnd(net, missing))
  }

  async #careful(attempt: Attempt, net: NetEffect, evicted: TouchedRow[]): Promise<void> {
    const { router } = attempt
    for (const layout of [...net.keyed.keys(), ...net.counted.keys()]) {
      for (const session of attempt.active) await session.prepareStage(session.writer(layout))
    }
    for (const [index, message] of net.messages.entries()) {
      for (let tries = 0; ; tries += 1) {
        for (const session of attempt.active) {
          attempt.begin(session)
          session.pipeline.execute(`SAVEPOINT ${savepoint}`)
        }
        await this.#flush(attempt)
        const one = new NetEffect()
        one.add(net.layouts[index]!, message)
        const shape = await shapeRows(one, attempt.active, attempt.origin, attempt.xids)
        // A key that is taken already, by the row itself as it is later, can't be changed in place.
        const routed = await router.route(one, {
          skip: attempt.skip,
          shape,
          inPlace: tries === 0,
          converging: attempt.converging,
        })
        try {
          for (const [shard, rows] of routed.work)
            attempt.sessions.get(shard)!.add(rows, { tolerant: true, bulk: false })
          await this.#settle(attempt, await this.#flush(attempt), routed)
          for (const session of attempt.active) session.pipeline.execute(`RELEASE SAVEPOINT ${savepoint}`)
          break
        } catch (error) {
          if (!(error instanceof StepError) || error.code !== uniqueViolation || tries >= evictionsMax) throw error
          for (const session of attempt.active) await session.rollbackTo(savepoint)
          // It saw parents move that did not: they would not be seen to move when this is tried again.
          router.forget()
          const before = evicted.length
          await this.#makeRoom(attempt, routed, evicted)
          if (evicted.length === before && tries > 0) throw error
        }
      }
    }
    await this.#flush(attempt)
  }

  /** Deletes the rows that are in the way of one change. */
  async #makeRoom(attempt: Attempt, routed: RoutedBatch, evicted: TouchedRow[]): Promise<void> {
    const writes = routed.crossing.map(({ shard, layout, write }) => ({ shard, layout, write }))
    for (const [shard, { keyed }] of routed.work) {
      for (const [layout, { inserts, updates, puts, rekeys }] of keyed) {
        for (const write of [...inserts, ...updates, ...puts, ...rekeys]) writes.push({ shard, layout, write })
      }
    }
    for (const { shard, layout, write } of writes) {
      const session = attempt.sessions.get(shard)
      if (session) evicted.push(...(await makeRoom(session, session.writer(layout), write, this.#options.otherOrigins)))
    }
  }

  async #flush(attempt: Attempt): Promise<MissingRow[]> {
    const open = attempt.active.filter((session) => session.open)
    return (await settled(open.map((session) => session.flush()))).flat()
  }

  async #settle(attempt: Attempt, missing: readonly MissingRow[], routed: RoutedBatch): Promise<void> {
    const crossing = routed.crossing.flatMap(({ shard, layout, write }) => {
      const session = attempt.sessions.get(shard)
      return session ? [{ session, writer: session.writer(layout), write }] : []
    })
    for (const { session } of crossing) attempt.begin(session)
    await placeMissing(attempt, [...missing, ...crossing])
    await moveDependants(attempt, routed.moved)
  }
}

/** One try to apply one batch. */
interface Attempt extends MoveContext {
  readonly active: readonly TargetSession[]
  /** Shards that have the batch already. */
  readonly skip: ReadonlySet<ShardId>
  readonly converging: boolean
}

/** The changes in order, cut where the table or the kind changes or a key comes again. */
function* runsOf(net: NetEffect): Generator<NetEffect> {
  let run = new NetEffect()
  let kind = ''
  let current: Layout | null = null
  for (const [index, message] of net.messages.entries()) {
    const layout = net.layouts[index]!
    const own = kindOfRun(layout, message)
    if (run.messages.length > 0 && (layout !== current || own !== kind || own === 'rekey' || isRepeated(run, layout))) {
      yield run
      run = new NetEffect()
    }
    current = layout
    kind = own
    run.add(layout, message)
  }
  if (run.messages.length > 0) yield run
}

function kindOfRun(layout: Layout, message: RowMessage): string {
  if (message.tag !== 'update' || message.before === null || layout.keyCells.length === 0) return message.tag
  const { keyCells } = layout
  return cellsKey(message.before.tuple, keyCells) === cellsKey(message.after, keyCells) ? 'update' : 'rekey'
}

/** The last change was to a key that the run had already: no more may follow. */
function isRepeated(run: NetEffect, layout: Layout): boolean {
  const keyed = run.keyed.get(layout)
  return keyed !== undefined && keyed.rows.size < run.messages.length
}

/** Missing rows as the whole batch leaves them, each once; those that are deleted later in the batch are left out. */
function inTheEnd(net: NetEffect, missing: readonly MissingRow[]): MissingRow[] {
  const last = new Map<NetRow, MissingRow>()
  for (const row of missing) {
    const { layout } = row.writer
    const key = cellsKey(row.write.row.identity, layout.keyCells)
    const final = key === null ? undefined : net.keyed.get(layout)?.rows.get(key)
    if (!final || final.after === null) continue
    const write = layout.table.transform === null ? { tuple: final.after, cells: layout.cells } : row.write
    last.set(final, { ...row, write: { ...row.write, ...write, row: final } })
  }
  return [...last.values()]
}

/** What the database refused, coded; failures and lost connections as they are. */
export function applyFailure(error: unknown): unknown {
  if (error instanceof Failure) return error
  if (!(error instanceof StepError)) return error
  const cause = error.cause
  if (error.code === undefined || isConnectionLoss(cause)) return cause
  return fail('CF3206', { shard: error.shard, reason: reasonOf(cause), sqlstate: error.code }, cause)
}
