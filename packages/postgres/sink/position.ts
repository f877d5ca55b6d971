import { asLsn, type Lsn, zeroLsn } from '@crossfade/model/lsn.ts'

/**
 * How far a stream has been applied. With `offset` 0 every transaction up to `lsn` is; otherwise every one before the transaction that ends
 * at `lsn`, and of that one the first `offset` row messages.
 */
export interface Position {
  readonly lsn: Lsn
  readonly offset: number
}

/** Nothing is applied yet. */
export const startPosition: Position = { lsn: zeroLsn, offset: 0 }

/** Negative when `a` is before `b`. */
export function comparePositions(a: Position, b: Position): number {
  if (a.lsn !== b.lsn) return a.lsn < b.lsn ? -1 : 1
  if (a.offset === b.offset) return 0
  if (a.offset === 0) return 1
  if (b.offset === 0) return -1
  return a.offset - b.offset
}

/** Up to where every transaction is applied whole. */
export function wholeLsn(position: Position): Lsn {
  return position.offset === 0 ? position.lsn : asLsn(position.lsn - 1n)
}
