import type { UsageDatabase } from '../usage/queries.ts'
import type { Scope } from './allowance.ts'
import { type QuotaWindow, windowEnd, windowStart } from './quota-windows.ts'

export interface QuotaUsed {
  readonly scope: Exclude<Scope, 'service'>
  /** A user id, or an instance id. */
  readonly key: string
  readonly window: QuotaWindow
  readonly calls: number
  /** When the count begins anew. */
  readonly endsMs: number
}

const windows: readonly QuotaWindow[] = ['minute', 'day', 'month']

/**
 * What a user has used of the quotas in the windows of now, over all workers, up to a second ago: the user's own counts and those of the user's instances. Only windows that a
 * quota is set for are counted. `database` is the client that `asUser` hands out.
 */
export async function quotaUse(database: UsageDatabase, nowMs: number): Promise<readonly QuotaUsed[]> {
  const starts = windows.map((window) => new Date(windowStart(window, nowMs)).toISOString())
  const { rows } = await database.query<{ scope: QuotaUsed['scope']; key: string; period: QuotaWindow; calls: number }>(
    `SELECT c.scope, c.key, c.period, c.calls::float8 AS calls
     FROM quota_counters c
     JOIN unnest($1::text[], $2::timestamptz[]) AS w(period, start) ON c.period = w.period AND c.period_start = w.start
     WHERE c.scope IN ('user', 'instance') ORDER BY c.scope DESC, c.key, w.start DESC`,
    [windows, starts],
  )
  return rows.map(({ scope, key, period, calls }) => ({
    scope,
    key,
    window: period,
    calls,
    endsMs: windowEnd(period, windowStart(period, nowMs)),
  }))
}
