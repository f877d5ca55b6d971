import { fail } from '@crossfade/model/failure.ts'
import type { Tuple } from '../changes/message.ts'
import { nullCell, unchangedCell } from '../changes/message.ts'

/**
 * A cell's value as PostgreSQL prints it (`value::text`), null for SQL's NULL. Binary cells can be read only where `readableTypes` has their type:
 * keys and routes need text, and a plan whose keys are of other types is followed in text. Throws CF9001 for a cell that was not sent.
 */
export function cellText(tuple: Tuple, cell: number, typeOid: number): string | null {
  const length = tuple.lengths[cell]!
  if (length === nullCell) return null
  if (length === unchangedCell) throw fail('CF9001', { reason: 'a key cell was not sent' })
  const start = tuple.starts[cell]!
  if (!tuple.binary[cell]) return tuple.bytes.toString('utf8', start, start + length)
  const read = readers.get(typeOid)
  if (!read) throw fail('CF9001', { reason: `a binary cell of type ${typeOid} cannot be read as text` })
  return read(tuple.bytes, start, length)
}

type Reader = (bytes: Buffer, start: number, length: number) => string

const text: Reader = (bytes, start, length) => bytes.toString('utf8', start, start + length)

const readers = new Map<number, Reader>([
  [16, (bytes, start) => (bytes[start] ? 't' : 'f')],
  [17, (bytes, start, length) => `\\x${bytes.toString('hex', start, start + length)}`],
  [19, text],
  [20, (bytes, start) => int8(bytes, start)],
  [21, (bytes, start) => String(bytes.readInt16BE(start))],
  [23, (bytes, start) => String(bytes.readInt32BE(start))],
  [25, text],
  [26, (bytes, start) => String(bytes.readUInt32BE(start))],
  [1042, text],
  [1043, text],
  [1082, (bytes, start) => date(bytes.readInt32BE(start))],
  [2950, (bytes, start) => uuid(bytes.toString('hex', start, start + 16))],
])

/** Types, as `format_type` prints them without modifier, whose binary cells `cellText` can read. */
export const readableTypes: ReadonlySet<string> = new Set([
  'boolean',
  'bytea',
  'name',
  'bigint',
  'smallint',
  'integer',
  'text',
  'oid',
  'character',
  'character varying',
  'date',
  'uuid',
])

function int8(bytes: Buffer, start: number): string {
  const high = bytes.readInt32BE(start)
  const low = bytes.readUInt32BE(start + 4)
  // Within 53 bits plain numbers are exact, and ten times faster than bigint.
  if (high >= -0x200000 && high < 0x200000) return String(high * 0x100000000 + low)
  return bytes.readBigInt64BE(start).toString()
}

function uuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const dateInfinity = 0x7fffffff
const dateMinusInfinity = -0x80000000
/** Days from the Julian epoch (4714-11-24 BC) to 2000-01-01, from which PostgreSQL counts. */
const julianDaysTo2000 = 2451545

function date(days: number): string {
  if (days === dateInfinity) return 'infinity'
  if (days === dateMinusInfinity) return '-infinity'
  // Fliegel and Van Flandern: from a Julian day to the Gregorian calendar, exact far beyond what JavaScript's Date holds.
  let l = days + julianDaysTo2000 + 68569
  const n = Math.floor((4 * l) / 146097)
  l -= Math.floor((146097 * n + 3) / 4)
  const i = Math.floor((4000 * (l + 1)) / 1461001)
  l = l - Math.floor((1461 * i) / 4) + 31
  const j = Math.floor((80 * l) / 2447)
  const day = l - Math.floor((2447 * j) / 80)
  const rest = Math.floor(j / 11)
  const month = j + 2 - 12 * rest
  const year = 100 * (n - 49) + i + rest
  const text = (value: number, width: number) => String(value).padStart(width, '0')
  return year > 0
    ? `${text(year, 4)}-${text(month, 2)}-${text(day, 2)}`
    : `${text(1 - year, 4)}-${text(month, 2)}-${text(day, 2)} BC`
}
