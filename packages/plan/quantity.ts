const millisecondsIn: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }
const bytesIn: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** Milliseconds of `1500`, `'5 s'`, `'2 min'` or `'8 h'`. Throws a RangeError on anything else. */
export function milliseconds(value: number | string): number {
  return quantity(value, millisecondsIn)
}

/** Bytes of `1048576` or `'64 MiB'` (B, KiB, MiB, GiB, TiB). Throws a RangeError on anything else. */
export function bytes(value: number | string): number {
  return quantity(value, bytesIn)
}

/** `1.5 GiB`, `12 MiB`, `512 B`: three significant digits at most. */
export function formatBytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let amount = value
  let unit = 0
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024
    unit++
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : Number(amount.toPrecision(3))} ${units[unit]}`
}

/** `350 ms`, `12 s`, `4 min 5 s`, `3 h 20 min`, `2 d 4 h`. */
export function formatDuration(value: number): string {
  if (value < 1000) return `${Math.round(value)} ms`
  const seconds = Math.round(value / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return join(minutes, 'min', seconds % 60, 's')
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return join(hours, 'h', minutes % 60, 'min')
  return join(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

/** `12,345,678`. */
export function formatCount(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',')
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
}

function quantity(value: number | string, units: Record<string, number>): number {
  if (typeof value === 'number') return value
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(value.trim())
  const factor = match ? units[match[2]!] : undefined
  if (!match || factor === undefined) throw new RangeError(`not a quantity: ${JSON.stringify(value)}`)
  return Math.round(Number(match[1]) * factor)
}
