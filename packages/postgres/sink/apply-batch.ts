import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { Lsn } from '@crossfade/model/lsn.ts'
import { isConnectionLoss } from '../connection/transient.ts'
import { NetEffect, type NetRow } from './batch.ts'
import { type Evicted, makeRoom } from './conflicts.ts'
import type { Direction } from './direction.ts'
import type { Layout } from './layout.ts'
import { type Givers, type MoveContext, moveDependants, placeMissing } from './moves.ts'
import type { OriginReader } from './origin-reader.ts'
import { StepError } from './pipeline.ts'
import { comparePositions, type Position } from './position.ts'
import type { RowRouter } from './route-rows.ts'
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
  readonly evicted: readonly Evicted[]
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
        await Promise.all(this.#options.sessions.map((session) => session.open && session.rollback()))
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
    const context: MoveContext = {
      direction,
      router,
      sessions: new Map(active.map((session) => [session.shard, session])),
      origin,
      xids: batch.xids,
      begin: (session) => {
        if (!session.open) session.begin()
      },
    }
    const skip = new Set(sessions.filter((session) => !active.includes(session)).map((session) => session.shard))
    const givers: Givers = new Set()
    const evicted: Evicted[] = []
    if (active.length === 0) return { evicted }
    if (batch.truncation) {
      for (const session of active) addTruncate(session, batch.truncation)
      await settled(active.map((session) => session.flush()))
    } else if (way === 'net') await this.#net(context, batch.net, active, skip, tolerant, givers)
    else if (way === 'ordered') await this.#ordered(context, batch.net, active, skip, tolerant, givers)
    else await this.#careful(context, batch.net, active, skip, givers, evicted)
    const open = active.filter((session) => session.open)
    await settled(open.filter((session) => !givers.has(session)).map((session) => session.commit(batch.end)))
    await settled(open.filter((session) => givers.has(session)).map((session) => session.commit(batch.end)))
    return { evicted }
  }

  async #net(
    context: MoveContext,
    net: NetEffect,
    active: readonly TargetSession[],
    skip: ReadonlySet<ShardId>,
    tolerant: boolean,
    givers: Givers,
  ): Promise<void> {
    const shape = await shapeRows(net, active, context.origin, context.xids)
    const { work, moved } = await context.router.route(net, skip, shape)
    const missing = await settled(
      [...work].map(async ([shard, rows]) => {
        const session = context.sessions.get(shard)!
        await session.prepare(rows, tolerant)
        session.begin()
        session.add(rows, { tolerant, bulk: true })
        return session.flush()
      }),
    )
    await this.#finish(context, missing.flat(), moved, givers)
  }

  /** Runs of changes of the same kind to the same table go together; the rest is sent in order, still in few round trips. */
  async #ordered(
    context: MoveContext,
    net: NetEffect,
    active: readonly TargetSession[],
    skip: ReadonlySet<ShardId>,
    tolerant: boolean,
    givers: Givers,
  ): Promise<void> {
    const missing: MissingRow[] = []
    const allMoved = []
    for (const layout of net.counted.keys()) {
      for (const session of active) await session.prepareStage(session.writer(layout))
    }
    for (const run of runsOf(net)) {
      const shape = await shapeRows(run, active, context.origin, context.xids)
      const { work, moved } = await context.router.route(run, skip, shape)
      allMoved.push(...moved)
      for (const [shard, rows] of work) {
        const session = context.sessions.get(shard)!
        context.begin(session)
        session.add(rows, { tolerant, bulk: false })
        if (session.pipeline.bytes > orderedBytesMax) missing.push(...(await session.flush()))
      }
    }
    const open = active.filter((session) => session.open)
    missing.push(...(await settled(open.map((session) => session.flush()))).flat())
    await this.#finish(context, inTheEnd(net, missing), allMoved, givers)
  }

  async #careful(
    context: MoveContext,
    net: NetEffect,
    active: readonly TargetSession[],
    skip: ReadonlySet<ShardId>,
    givers: Givers,
    evicted: Evicted[],
  ): Promise<void> {
    for (const layout of [...net.keyed.keys(), ...net.counted.keys()]) {
      for (const session of active) await session.prepareStage(session.writer(layout))
    }
    for (const { layout, message, lsn } of net.messages) {
      const one = new NetEffect()
      one.add(layout, message, lsn)
      for (let attempt = 0; ; attempt += 1) {
        const shape = await shapeRows(one, active, context.origin, context.xids)
        const { work, moved } = await context.router.route(one, skip, shape)
        const marked: TargetSession[] = []
        try {
          const missing: MissingRow[] = []
          for (const [shard, rows] of work) {
            const session = context.sessions.get(shard)!
            context.begin(session)
            session.pipeline.execute('SAVEPOINT crossfade_row')
            await session.flush()
            marked.push(session)
            session.add(rows, { tolerant: true, bulk: false })
            missing.push(...(await session.flush()))
          }
          await this.#finish(context, missing, moved, givers)
          break
        } catch (error) {
          if (!(error instanceof StepError) || error.code !== uniqueViolation || attempt > 0) throw error
          const before = evicted.length
          for (const session of marked) {
            await session.rollbackTo('crossfade_row')
            for (const { inserts, updates, puts } of work.get(session.shard)!.keyed.values()) {
              for (const write of [...inserts, ...updates, ...puts]) {
                evicted.push(...(await makeRoom(session, session.writer(layout), write, this.#options.otherOrigins)))
              }
            }
          }
          if (evicted.length === before) throw error
        }
      }
    }
  }

  async #finish(
    context: MoveContext,
    missing: readonly MissingRow[],
    moved: Parameters<typeof moveDependants>[1],
    givers: Givers,
  ): Promise<void> {
    if (missing.length > 0) await placeMissing(context, missing, givers)
    if (moved.length > 0) await moveDependants(context, moved, givers)
  }
}

/** The changes in order, cut where the table or the kind changes or a key comes again. */
function* runsOf(net: NetEffect): Generator<NetEffect> {
  let run = new NetEffect()
  let kind = ''
  let current: Layout | null = null
  let count = 0
  for (const { layout, message, lsn } of net.messages) {
    const repeated =
      count > 0 && run.keyed.get(layout)?.rows.size !== undefined && run.keyed.get(layout)!.rows.size < count
    if (count > 0 && (layout !== current || message.tag !== kind || repeated)) {
      yield run
      run = new NetEffect()
      count = 0
    }
    current = layout
    kind = message.tag
    run.add(layout, message, lsn)
    count += 1
  }
  if (count > 0) yield run
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

/** Waits for all, also when one rejects: a session must not be used while it still works. */
async function settled<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work)
  const values: T[] = []
  for (const result of results) {
    if (result.status === 'rejected') throw result.reason
    values.push(result.value)
  }
  return values
}

/** What the database refused, coded; failures and lost connections as they are. */
export function applyFailure(error: unknown): unknown {
  if (error instanceof Failure) return error
  if (!(error instanceof StepError)) return error
  const cause = error.cause
  if (error.code === undefined || isConnectionLoss(cause)) return cause
  return fail('CF3206', { shard: error.shard, reason: reasonOf(cause), sqlstate: error.code }, cause)
}
