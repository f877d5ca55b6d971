import { type Lsn, maxLsn } from '@crossfade/model/lsn.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { Relation, RowMessage } from '../changes/message.ts'
import type { StreamEvent, TransactionPiece } from '../changes/transaction.ts'
import type { Batch } from './apply-batch.ts'
import { NetEffect } from './batch.ts'
import type { DirectedTable } from './direction.ts'
import { type Layout, layoutOf, sameShape } from './layout.ts'
import { comparePositions, type Position } from './position.ts'
import type { Truncation } from './truncate.ts'

export interface BatcherOptions {
  /** The plan's table of a name on the followed side; null for one that this stream does not carry. */
  readonly tableOf: (name: TableName) => DirectedTable | null
  readonly rowsMax: number
  readonly bytesMax: number
  /** The least position over the targets: what is before it is skipped. */
  readonly start: Position
  /** The positions of targets that are ahead; no batch goes across one of them, so that each target takes a batch whole or not at all. */
  readonly cuts: readonly Position[]
  /** Copied rows may be as new as this. */
  readonly convergingUntil: Lsn
  /** Changes up to the snapshot of a table without identity are in the copy. */
  readonly copiedUntil: (table: DirectedTable) => Lsn
  readonly truncatedShard: Truncation['shard']
}

/** A batch with what is known about it for the status. */
export interface MeasuredBatch extends Batch {
  readonly rows: number
  readonly bytes: number
  readonly transactions: number
  /** When the oldest of its transactions was committed; milliseconds since 1970. */
  readonly oldestMs: number
}

export type StreamItem =
  | { readonly kind: 'batch'; readonly batch: MeasuredBatch }
  /** Nothing up to here is left to apply. */
  | { readonly kind: 'position'; readonly position: Position }
  | Extract<StreamEvent, { kind: 'relationChanged' }>

/** Cuts the stream into batches, in order. Pure; it nets changes as they come, so that this is done while the batch before is being applied. */
export class Batcher {
  readonly #options: BatcherOptions
  readonly #layouts = new Map<string, Layout>()
  readonly #layoutOf = new WeakMap<Relation, Layout | null>()
  readonly #closed: StreamItem[] = []
  #cuts: Position[]
  #open: OpenBatch | null = null
  /** While messages are looked at: how many of their transaction came before this one. */
  #nth = 0
  #lastRelation: Relation | null = null
  #lastLayout: Layout | null = null
  /** Nothing up to here is left to apply once everything before was. */
  #position: Position | null = null

  constructor(options: BatcherOptions) {
    this.#options = options
    this.#cuts = [...options.cuts].sort(comparePositions)
  }

  /** Whether the reader should wait until something was taken. */
  get full(): boolean {
    return this.#closed.length > 1 || (this.#closed.length > 0 && this.#open !== null && this.#isFull(this.#open))
  }

  /** When the oldest transaction that waits here was committed; null when there is none. */
  get oldestMs(): number | null {
    const first = this.#closed.find((item) => item.kind === 'batch') ?? null
    if (first?.kind === 'batch') return first.batch.oldestMs
    return this.#open?.oldestMs ?? null
  }

  add(event: StreamEvent): void {
    if (event.kind === 'piece') this.#piece(event.piece)
    else if (event.kind === 'position') this.#moveTo({ lsn: event.lsn, offset: 0 })
    else if (event.kind === 'relationChanged') {
      if (this.#options.tableOf(event) === null) return
      this.#close()
      this.#closed.push(event)
    }
  }

  /** The next item; undefined when there is none that is complete. */
  take(): StreamItem | undefined {
    if (this.#closed.length > 0) return this.#closed.shift()
    const open = this.#open
    if (open !== null && (open.end.offset === 0 || this.#isFull(open))) {
      this.#open = null
      return { kind: 'batch', batch: open.finish(this.#options) }
    }
    if (open !== null || this.#position === null) return undefined
    const position = this.#position
    this.#position = null
    return { kind: 'position', position }
  }

  #piece(piece: TransactionPiece): void {
    const { start } = this.#options
    const { commitLsn, rows, end } = piece
    if (commitLsn < start.lsn || (commitLsn === start.lsn && start.offset === 0)) return
    this.#position = null
    if (this.#open !== null && this.#open.truncation !== null) this.#close()
    let from = commitLsn === start.lsn ? Math.max(0, start.offset - piece.offset) : 0
    if (from > rows.length || (from === rows.length && !end)) return
    if (this.#open !== null && this.#open.rows + rows.length - from > this.#options.rowsMax) this.#close()
    for (;;) {
      const cut = this.#cuts[0]
      if (cut !== undefined && commitLsn > cut.lsn) {
        // Everything before the cut is complete; this transaction lies behind it.
        this.#close()
        this.#cuts.shift()
        continue
      }
      const stop =
        cut !== undefined && cut.lsn === commitLsn && cut.offset > 0 ? cut.offset - piece.offset : rows.length
      if (stop >= rows.length) break
      if (stop > from) this.#rows(piece, from, stop)
      from = Math.max(from, stop)
      this.#close()
      this.#cuts.shift()
    }
    this.#rows(piece, from, rows.length)
  }

  #rows(piece: TransactionPiece, from: number, to: number): void {
    if (this.#open !== null) this.#openBatch(piece)
    for (let index = from; index < to; index += 1) {
      const message = piece.rows[index]!
      this.#nth = piece.offset + index
      if (message.tag === 'truncate') this.#truncate(piece, message, index)
      else this.#row(piece, message)
    }
    this.#nth = 0
    const complete = piece.end && to === piece.rows.length
    const batch = this.#openBatch(piece)
    batch.end = complete ? { lsn: piece.commitLsn, offset: 0 } : { lsn: piece.commitLsn, offset: piece.offset + to }
    batch.bytes += piece.rows.length === 0 ? 0 : (piece.bytes * (to - from)) / piece.rows.length
    if (complete) batch.transactions += 1
    // A batch without rows only says how far we are.
    if (batch.rows === 0 && batch.truncation === null && complete) {
      this.#open = null
      this.#moveTo(batch.end)
    }
  }

  #row(piece: TransactionPiece, message: Exclude<RowMessage, { tag: 'truncate' }>): void {
    const layout = this.#layout(message.relation)
    if (layout === null) return
    if (layout.keyCells.length === 0 && piece.commitLsn <= this.#options.copiedUntil(layout.table)) return
    const batch = this.#open ?? this.#openBatch(piece)
    batch.net.add(layout, message)
    batch.rows += 1
  }

  /** A batch of its own: order matters on both sides of it. */
  #truncate(piece: TransactionPiece, message: Extract<RowMessage, { tag: 'truncate' }>, index: number): void {
    const names = new Set(
      message.relations.map((relation) => this.#options.tableOf(relation)).filter((table) => table !== null),
    )
    const tables = [...names].filter(
      (table) => table.key.length > 0 || piece.commitLsn > this.#options.copiedUntil(table),
    )
    if (tables.length === 0) return
    this.#close()
    const batch = this.#openBatch(piece)
    batch.truncation = { tables, shard: this.#options.truncatedShard }
    this.#nth = piece.offset + index + 1
    // The last message of its transaction: then the position is whole.
    if (piece.end && index === piece.rows.length - 1) return
    this.#close()
  }

  #moveTo(position: Position): void {
    if (this.#open !== null && this.#open.end.offset !== 0) return
    while (this.#cuts.length > 0 && comparePositions(this.#cuts[0]!, position) <= 0) {
      this.#close()
      this.#cuts.shift()
    }
    if (this.#open !== null) {
      this.#open.end = { lsn: maxLsn(this.#open.end.lsn, position.lsn), offset: 0 }
    } else if (comparePositions(position, this.#options.start) > 0) this.#position = position
  }

  #openBatch(piece: TransactionPiece): OpenBatch {
    if (this.#open === null) this.#open = new OpenBatch(piece)
    this.#open.xids.add(piece.xid)
    this.#open.lsn = piece.commitLsn
    return this.#open
  }

  #close(): void {
    const open = this.#open
    this.#open = null
    if (open === null) return
    // In the middle of a piece: it holds all messages before this one.
    if (this.#nth > 0) open.end = { lsn: open.lsn, offset: this.#nth }
    if (open.rows === 0 && open.truncation === null && open.end.offset === 0) {
      this.#position = open.end
      return
    }
    this.#closed.push({ kind: 'batch', batch: open.finish(this.#options) })
  }

  #isFull(batch: OpenBatch): boolean {
    return batch.truncation !== null || batch.rows >= this.#options.rowsMax || batch.bytes >= this.#options.bytesMax
  }

  #layout(relation: Relation): Layout | null {
    if (relation === this.#lastRelation) return this.#lastLayout
    const layout = this.#layoutFor(relation)
    this.#lastRelation = relation
    this.#lastLayout = layout
    return layout
  }

  #layoutFor(relation: Relation): Layout | null {
    const known = this.#layoutOf.get(relation)
    if (known !== undefined) return known
    const table = this.#options.tableOf(relation)
    let layout: Layout | null = null
    if (table !== null) {
      const key = tableKey(relation)
      const last = this.#layouts.get(key)
      if (last && last.table === table && sameShape(last.relation, relation)) layout = last
      else {
        // Rows of two shapes can't be put together.
        if (last) this.#close()
        layout = layoutOf(table, relation)
        this.#layouts.set(key, layout)
      }
    }
    this.#layoutOf.set(relation, layout)
    return layout
  }
}

class OpenBatch {
  readonly net = new NetEffect()
  readonly xids = new Set<number>()
  readonly oldestMs: number
  readonly firstLsn: Lsn
  truncation: Truncation | null = null
  end: Position
  lsn: Lsn
  rows = 0
  bytes = 0
  transactions = 0

  constructor(piece: TransactionPiece) {
    this.oldestMs = piece.committedAtMs
    this.firstLsn = piece.commitLsn
    this.lsn = piece.commitLsn
    this.end = { lsn: piece.commitLsn, offset: piece.offset }
  }

  finish(options: BatcherOptions): MeasuredBatch {
    const { net, xids, oldestMs, truncation, end, lsn, rows, bytes, transactions } = this
    return {
      net,
      xids,
      oldestMs,
      truncation,
      end,
      lsn,
      rows,
      bytes,
      transactions,
      // By its first transaction: one that starts before the copy's end and goes beyond it holds changes that the copy has already.
      converging: this.firstLsn <= options.convergingUntil,
    }
  }
}
