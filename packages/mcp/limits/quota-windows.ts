// Windows of quotas: minutes, days and months of UTC's calendar, the same in every worker.

export type QuotaWindow = 'minute' | 'day' | 'month'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** When the window that holds `nowMs` began, in milliseconds since 1970. */
export function windowStart(window: QuotaWindow, nowMs: number): number {
  if (window === 'minute') return nowMs - (nowMs % minuteMs)
  if (window === 'day') return nowMs - (nowMs % dayMs)
  const now = new Date(nowMs)
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)
}

/** When the window that began at `startMs` ends: the first millisecond of the next. */
export function windowEnd(window: QuotaWindow, startMs: number): number {
  if (window === 'minute') return startMs + minuteMs
  if (window === 'day') return startMs + dayMs
  const start = new Date(startMs)
  return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1)
}
