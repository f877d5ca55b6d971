// Timestamps as PostgreSQL prints them under DateStyle ISO and TimeZone UTC.

const microsecondsPerDay = 86_400_000_000n
const form = /^(\d{4,6})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d(?::?\d\d)?(?::?\d\d)?)?$/

export interface ParsedTimestamp {
  /** Microseconds since 1970 of the written clock time, as if it were UTC. */
  readonly clock: bigint
  /** Seconds east of UTC; null when none is written. */
  readonly offset: number | null
}

/** Reads `2024-03-01 12:30:00.5+02`. Null for anything else, `infinity` and years before Christ included. */
export function parseTimestamp(text: string): ParsedTimestamp | null {
  const match = form.exec(text)
  if (!match) return null
  const [, year, month, day, hour, minute, second, fraction = '', zone] = match
  // Date.UTC would take the years 0 to 99 for those of the twentieth century.
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const milliseconds = date.setUTCHours(Number(hour), Number(minute), Number(second))
  if (!Number.isFinite(milliseconds)) return null
  const clock = BigInt(milliseconds) * 1000n + BigInt(fraction.padEnd(6, '0'))
  return { clock, offset: zone === undefined ? null : zoneSeconds(zone) }
}

/** Prints microseconds since 1970 as PostgreSQL prints a `timestamp`; with `zone` as it prints a `timestamptz` in UTC. */
export function formatTimestamp(microseconds: bigint, zone: boolean): string {
  const fraction = ((microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n
  const date = new Date(Number((microseconds - fraction) / 1000n))
  const pad = (value: number, length = 2) => String(value).padStart(length, '0')
  const day = `${pad(date.getUTCFullYear(), 4)}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`
  const time = `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`
  const parts = fraction === 0n ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`
  return `${day} ${time}${parts}${zone ? '+00' : ''}`
}

/** Microseconds since 1970 of a clock time in a zone. At a change of the clock the earlier of two moments; in a gap the moment after it. */
export function momentOf(clock: bigint, timezone: string): bigint {
  const day = microsecondsPerDay
  const before = BigInt(offsetAt(clock - day, timezone)) * 1_000_000n
  const after = BigInt(offsetAt(clock + day, timezone)) * 1_000_000n
  const first = clock - (before > after ? before : after)
  if (clockAt(first, timezone) === clock) return first
  const second = clock - (before > after ? after : before)
  return clockAt(second, timezone) === clock ? second : clock - before
}

/** What the clock of a zone shows at a moment. */
export function clockAt(moment: bigint, timezone: string): bigint {
  return moment + BigInt(offsetAt(moment, timezone)) * 1_000_000n
}

const formats = new Map<string, Intl.DateTimeFormat>()
/** Zones change their offset at quarters of an hour at the finest. */
const quarterMicroseconds = 900_000_000n
const offsets = new Map<string, Map<bigint, number>>()
const offsetsKeptMax = 100_000

/** Seconds east of UTC in a zone at a moment. Throws a RangeError for an unknown zone. */
function offsetAt(moment: bigint, timezone: string): number {
  const quarter = moment / quarterMicroseconds - (moment < 0n ? 1n : 0n)
  let known = offsets.get(timezone)
  if (!known || known.size > offsetsKeptMax) {
    known = new Map()
    offsets.set(timezone, known)
  }
  let offset = known.get(quarter)
  if (offset === undefined) {
    offset = computeOffset(Number((quarter * quarterMicroseconds) / 1000n), timezone)
    known.set(quarter, offset)
  }
  return offset
}

function computeOffset(milliseconds: number, timezone: string): number {
  let format = formats.get(timezone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    })
    formats.set(timezone, format)
  }
  const parts = Object.fromEntries(format.formatToParts(milliseconds).map(({ type, value }) => [type, value]))
  const at = (name: string) => Number(parts[name])
  const clock = new Date(0)
  clock.setUTCFullYear(at('year'), at('month') - 1, at('day'))
  return Math.round((clock.setUTCHours(at('hour'), at('minute'), at('second')) - milliseconds) / 1000)
}

function zoneSeconds(zone: string): number {
  if (zone === 'Z') return 0
  const [hours, minutes = 0, seconds = 0] = zone.slice(1).match(/\d\d/g)!.map(Number) as [number, number?, number?]
  return (zone[0] === '-' ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds)
}
