import type { MigrationStatus, MigrationSummary, Side, Stage } from './api/contract.ts'

/** Numbers, times and words the way people read them. */

const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const

/** A size in bytes, `–` when it is unknown. */
export function bytes(value: number | null): string {
  if (value === null) return '–'
  let amount = value
  let unit = 0
  // Up to where it would be rounded to 1000 of the smaller unit.
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000
    unit++
  }
  return `${amount >= 99.95 || unit === 0 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`
}

const grouped = new Intl.NumberFormat('en')
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

/** A number of things, shortened from a hundred thousand on. */
export function count(value: number | null): string {
  if (value === null) return '–'
  return value < 100_000 ? grouped.format(Math.round(value)) : compact.format(value)
}

/** A number of things to the last one. */
export function exact(value: number): string {
  return grouped.format(value)
}

/** A time in milliseconds, in the unit that people would use. */
export function milliseconds(value: number | null): string {
  if (value === null) return '–'
  if (value < 9.95 && value > 0) return `${value.toFixed(1)} ms`
  if (value < 999.5) return `${Math.round(value)} ms`
  return duration(value / 1_000)
}

/** A time in seconds, in the units that people would use. */
export function duration(seconds: number | null): string {
  if (seconds === null) return '–'
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  const hours = Math.round(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Never 100 % before it is all of it. */
export function percent(share: number): string {
  if (share >= 1) return '100 %'
  const tenths = Math.floor(share * 1_000) / 10
  return `${Number.isInteger(tenths) ? tenths : tenths.toFixed(1)} %`
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const dayOfYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })

/** Time of day; with the date when it is not today, and the year when it is another. */
export function moment(iso: string | null): string {
  if (iso === null) return '–'
  const at = new Date(iso)
  const now = new Date()
  if (at.toDateString() === now.toDateString()) return clock.format(at)
  const date = at.getFullYear() === now.getFullYear() ? day : dayOfYear
  return `${date.format(at)}, ${clock.format(at)}`
}

/** How long ago a moment was. `now`: milliseconds since 1970. */
export function ago(iso: string | null, now: number): string {
  if (iso === null) return 'never'
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1_000)
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${Math.floor(seconds)} s ago`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`
  return `${Math.floor(seconds / 86_400)} d ago`
}

export const stageOrder: readonly Stage[] = ['off', 'dualwrite', 'shadow', 'live', 'rampdown', 'complete']

export const stageMeaning: Record<Stage, string> = {
  off: 'Source alone; nothing runs',
  dualwrite: 'Snapshot copied, changes followed',
  shadow: 'Verified continuously, lag small',
  live: 'Target answers, source kept current',
  rampdown: 'Source kept current, but unread',
  complete: 'Streams gone, source archived',
}

export const statusWord: Record<MigrationStatus, { readonly text: string; readonly tone: Tone }> = {
  created: { text: 'created', tone: 'idle' },
  moving: { text: 'moving', tone: 'accent' },
  holding: { text: 'waiting for gates', tone: 'warn' },
  resting: { text: 'steady', tone: 'good' },
  paused: { text: 'paused', tone: 'warn' },
  stopped: { text: 'needs you', tone: 'bad' },
  complete: { text: 'complete', tone: 'good' },
  aborted: { text: 'aborted', tone: 'idle' },
}

/** The status in words, with where it is going. */
export function statusText({ status, stage, desiredStage }: MigrationSummary): string {
  const going = stage === desiredStage ? '' : ` ${desiredStage}`
  if (status === 'moving') return going ? `moving to${going}` : 'moving'
  if (status === 'holding') return `waiting for gates of${going}`
  return statusWord[status].text
}

export type Tone = 'good' | 'warn' | 'bad' | 'accent' | 'idle' | Side
