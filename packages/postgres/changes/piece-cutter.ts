import { invariant } from '@crossfade/model/failure.ts'
import { asLsn, type Lsn } from '@crossfade/model/lsn.ts'
import type { RowMessage } from './message.ts'
import type { StreamEvent } from './transaction.ts'

export interface PieceLimits {
  readonly pieceRowsMax: number
  readonly pieceBytesMax: number
}

export interface TransactionHeader {
  /** Where the commit record starts. */
  readonly recordLsn: Lsn
  readonly committedAtMs: number
  readonly xid: number
}

/** Cuts one transaction into pieces of bounded size; what else happens in it keeps its place among them. */
export class PieceCutter {
  readonly #limits: PieceLimits
  readonly #header: TransactionHeader
  readonly #emit: (event: StreamEvent) => void
  readonly #commitLsn: Lsn
  #parts: ({ readonly rows: RowMessage[]; bytes: number } | StreamEvent)[] = []
  #last: { readonly rows: RowMessage[]; bytes: number } | null = null
  #heldRows = 0
  #heldBytes = 0
  #offset = 0
  #emitted = false

  constructor(limits: PieceLimits, header: TransactionHeader, emit: (event: StreamEvent) => void) {
    this.#limits = limits
    this.#header = header
    this.#emit = emit
    this.#commitLsn = asLsn(header.recordLsn + 1n)
  }

  /** Something was given out, so that the transaction can no longer be dropped. */
  get emitted(): boolean {
    return this.#emitted
  }

  row(message: RowMessage, bytes: number): void {
    if (
      this.#heldRows > 0 &&
      (this.#heldRows >= this.#limits.pieceRowsMax || this.#heldBytes + bytes > this.#limits.pieceBytesMax)
    )
      this.#give(false)
    if (this.#last === null) {
      this.#last = { rows: [], bytes: 0 }
      this.#parts.push(this.#last)
    }
    this.#last.rows.push(message)
    this.#last.bytes += bytes
    this.#heldRows += 1
    this.#heldBytes += bytes
  }

  event(event: StreamEvent, bytes: number): void {
    this.#last = null
    this.#parts.push(event)
    this.#heldBytes += bytes
    if (this.#heldBytes > this.#limits.pieceBytesMax) this.#give(false)
  }

  /** Forgets the rows; changes of shape are told all the same. */
  drop(): void {
    for (const part of this.#parts) if ('kind' in part && part.kind === 'relationChanged') this.#emit(part)
    this.#forget()
  }

  /** The transaction committed: gives the rest. */
  finish(): void {
    this.#give(true)
  }

  #give(end: boolean): void {
    const parts = this.#parts
    const last = parts.findLastIndex((part) => 'rows' in part)
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!
      if ('rows' in part) this.#piece(part.rows, part.bytes, end && i === last && i === parts.length - 1)
      else this.#emit(part)
    }
    // The last piece went out before something else in the transaction: an empty one says that it is over.
    if (end && this.#offset > 0 && (last < 0 || last < parts.length - 1)) this.#piece([], 0, true)
    this.#emitted ||= parts.length > 0
    this.#forget()
  }

  #forget(): void {
    this.#parts = []
    this.#last = null
    this.#heldRows = 0
    this.#heldBytes = 0
  }

  #piece(rows: readonly RowMessage[], bytes: number, end: boolean): void {
    invariant(rows.length > 0 || end, 'an empty piece in the middle of a transaction')
    const { committedAtMs, xid } = this.#header
    this.#emit({
      kind: 'piece',
      piece: { commitLsn: this.#commitLsn, committedAtMs, xid, offset: this.#offset, rows, bytes, end },
    })
    this.#offset += rows.length
  }
}
