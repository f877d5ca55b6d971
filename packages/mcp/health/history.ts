import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { UsageDatabase } from '../usage/queries.ts'

export interface HealthPoint {
  /** Beginning of the hour. */
  readonly atMs: number
  readonly checks: number
  readonly failures: number
  readonly meanMs: number
}

/** Checks of a service per hour, oldest first; hours without a check are left out. Kept as long as roll-ups of usage. `database` may be of the api or the keeper role. */
export async function healthOverTime(
  database: UsageDatabase,
  serviceType: ServiceType,
  range: { readonly fromMs: number; readonly toMs: number },
): Promise<readonly HealthPoint[]> {
  const { rows } = await database.query<{ at_ms: number; checks: number; failures: number; mean_ms: number }>(
    `SELECT extract(epoch FROM hour)::float8 * 1000 AS at_ms, checks, failures, total_ms::float8 / checks AS mean_ms
     FROM service_health_hourly WHERE service_type = $1 AND hour >= $2 AND hour < $3 ORDER BY hour`,
    [serviceType, new Date(range.fromMs).toISOString(), new Date(range.toMs).toISOString()],
  )
  return rows.map(({ at_ms, checks, failures, mean_ms }) => ({ atMs: at_ms, checks, failures, meanMs: mean_ms }))
}
