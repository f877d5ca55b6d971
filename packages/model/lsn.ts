import type { Brand } from './brand.ts'

/** A place in one PostgreSQL server's write-ahead log, in bytes. Positions of two servers are never compared. */
export type Lsn = Brand<bigint, 'Lsn'>

export const zeroLsn = 0n as Lsn

/** Past every position there will be. */
export const endOfLog = (2n ** 64n - 1n) as Lsn

/** Reads PostgreSQL's `XXXXXXXX/XXXXXXXX`. Throws a RangeError on anything else. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text)
  if (!match) throw new RangeError(`not a write-ahead log position: ${JSON.stringify(text)}`)
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn
}

/** Writes a position the way PostgreSQL does. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`
}

export const asLsn = (value: bigint): Lsn => value as Lsn

/** The later of two positions of one server. */
export function maxLsn(a: Lsn, b: Lsn): Lsn {
  return a > b ? a : b
}

/** The earlier of two positions of one server. */
export function minLsn(a: Lsn, b: Lsn): Lsn {
  return a < b ? a : b
}
