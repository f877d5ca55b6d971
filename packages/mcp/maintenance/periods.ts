// When a job is due. All times are UTC's.

export type Period =
  | { readonly kind: 'every'; readonly ms: number }
  /** At a minute of every day. */
  | { readonly kind: 'daily'; readonly minute: number }
  /** At a minute of the first day of every month. */
  | { readonly kind: 'monthly'; readonly minute: number }

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** The latest moment at or before `nowMs` at which a job of this period was due. */
export function latestDueMs(period: Period, nowMs: number): number {
  if (period.kind === 'every') return Math.floor(nowMs / period.ms) * period.ms
  const offsetMs = period.minute * minuteMs
  if (period.kind === 'daily') return Math.floor((nowMs - offsetMs) / dayMs) * dayMs + offsetMs
  const now = new Date(nowMs)
  const thisMonth = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1) + offsetMs
  return thisMonth <= nowMs ? thisMonth : Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1) + offsetMs
}

/** The first moment after `nowMs` at which it is due. */
export function nextDueMs(period: Period, nowMs: number): number {
  const latest = latestDueMs(period, nowMs)
  if (period.kind === 'every') return latest + period.ms
  if (period.kind === 'daily') return latest + dayMs
  const at = new Date(latest)
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1) + period.minute * minuteMs
}
