// Usage over time, brought into the shape that plots want.
import type { Usage } from './contract.ts'

type Point = Usage['series'][number]

/** Every period of the usage's range, oldest first; milliseconds since 1970. Periods begin at whole hours or days of UTC. */
export function periodsOf(usage: Pick<Usage, 'from' | 'to' | 'by'>): number[] {
  const step = usage.by === 'day' ? 86_400_000 : 3_600_000
  const periods: number[] = []
  for (let at = Math.floor(Date.parse(usage.from) / step) * step; at < Date.parse(usage.to); at += step)
    periods.push(at)
  return periods
}

/** Requests and errors of all services together, one figure for each period. */
export function requestsOver(
  periods: readonly number[],
  series: readonly Point[],
): { readonly requests: number[]; readonly errors: number[] } {
  const requests = periods.map(() => 0)
  const errors = periods.map(() => 0)
  const places = new Map(periods.map((at, index) => [at, index]))
  for (const point of series) {
    const index = places.get(Date.parse(point.at))
    if (index === undefined) continue
    requests[index]! += point.requests
    errors[index]! += point.errors
  }
  return { requests, errors }
}

/** A percentile of one service, null where it had no requests. */
export function percentileOver(
  periods: readonly number[],
  series: readonly Point[],
  serviceType: string,
  which: 'p50Ms' | 'p95Ms' | 'p99Ms',
): (number | null)[] {
  const points = new Map(
    series.filter((point) => point.serviceType === serviceType).map((point) => [Date.parse(point.at), point[which]]),
  )
  return periods.map((at) => points.get(at) ?? null)
}
