import type { Lsn } from '@crossfade/model/lsn.ts'
import type { RowMessage } from './message.ts'

/**
 * What the assembler gives to the applier: whole committed transactions, in commit order, cut into pieces of bounded size.
 * A transaction larger than one piece arrives as several; only the last has `end: true`.
 */
export interface TransactionPiece {
  /** End position of the transaction's commit record: what is acknowledged once it is applied. */
  readonly commitLsn: Lsn
  /** Milliseconds since 1970, the source's clock. */
  readonly committedAtMs: number
  readonly xid: number
  /** How many row messages of this transaction came before this piece. */
  readonly offset: number
  readonly rows: readonly RowMessage[]
  readonly bytes: number
  readonly end: boolean
}

/** Things the stream says between transactions. */
export type StreamEvent =
  | { readonly kind: 'piece'; readonly piece: TransactionPiece }
  /** Nothing up to here is left to apply (keepalive on an idle source: D04). */
  | { readonly kind: 'position'; readonly lsn: Lsn }
  /** A table of the plan changed its shape on the source. */
  | {
      readonly kind: 'relationChanged'
      readonly schema: string
      readonly name: string
      readonly before: readonly string[]
      readonly after: readonly string[]
    }
  /** A logical message that is not the applier's own mark. */
  | { readonly kind: 'message'; readonly lsn: Lsn; readonly prefix: string; readonly content: Buffer }
