// What is kept of the services' health. The pool is of the keeper role.
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { Pool } from 'pg'
import { upstreamAnswerPattern, upstreamTroublePattern } from '../usage/call-outcome.ts'
import type { Check } from './check-service.ts'

/** Uptime is told over so many hours. */
export const uptimeWindowHours = 7 * 24

export interface HealthWrite {
  readonly serviceType: ServiceType
  readonly check: Check
  readonly atMs: number
}

export interface HealthStatus {
  readonly serviceType: ServiceType
  readonly isHealthy: boolean
  readonly lastCheckMs: number | null
  readonly consecutiveFailures: number
}

/** How every service of the registry was when it was last checked; one that never was is healthy, with no time. */
export async function readHealth(pool: Pool): Promise<readonly HealthStatus[]> {
  const { rows } = await pool.query<{ s: ServiceType; healthy: boolean | null; at: number | null; failures: number }>(
    `SELECT r.service_type AS s, h.is_healthy AS healthy, coalesce(h.consecutive_failures, 0) AS failures,
       -- A row that came with the registry was never checked: it has no response time and no failure.
       CASE WHEN h.response_time_ms IS NULL AND h.error_message IS NULL THEN NULL
         ELSE extract(epoch FROM h.last_health_check)::float8 * 1000 END AS at
     FROM service_registry r LEFT JOIN service_health_status h USING (service_type)`,
  )
  return rows.map(({ s, healthy, at, failures }) => ({
    serviceType: s,
    isHealthy: healthy ?? true,
    lastCheckMs: at === null ? null : Math.round(at),
    consecutiveFailures: failures,
  }))
}

/** Services with an active instance: somebody uses them. */
export async function readUsedServices(pool: Pool): Promise<ReadonlySet<ServiceType>> {
  const { rows } = await pool.query<{ service_type: ServiceType }>(
    'SELECT DISTINCT service_type FROM user_service_instances WHERE is_active',
  )
  return new Set(rows.map((row) => row.service_type))
}

/** What real calls met since `sinceMs`: how many there were, and how many the upstream did not answer or answered with 500 or more. */
export async function readCalls(
  pool: Pool,
  sinceMs: number,
): Promise<ReadonlyMap<ServiceType, { readonly calls: number; readonly failing: number; readonly meanMs: number }>> {
  const { rows } = await pool.query<{ s: ServiceType; calls: number; failing: number; mean_ms: number }>(
    `SELECT service_type AS s, count(*)::integer AS calls, (count(*) FILTER (WHERE failing))::integer AS failing,
       coalesce(avg(response_time_ms) FILTER (WHERE NOT failing), 0)::float8 AS mean_ms
     FROM (
       SELECT service_type, response_time_ms, status_code >= 500 OR coalesce(error_message ~ $2, false) AS failing,
         status_code BETWEEN 1 AND 499 AND (error_message IS NULL OR error_message ~ $3) AS answered
       FROM service_usage_analytics WHERE "timestamp" >= $1 AND method = 'tools/call'
     ) calls
     WHERE failing OR answered GROUP BY 1`,
    [new Date(sinceMs).toISOString(), upstreamTroublePattern, upstreamAnswerPattern],
  )
  return new Map(rows.map(({ s, calls, failing, mean_ms }) => [s, { calls, failing, meanMs: mean_ms }]))
}

/**
 * Writes checks, and tells all workers of services whose health changed; returns those. Uptime is the share of the checks of the last `uptimeWindowHours` that were healthy,
 * a check of several attempts being one. Services that the registry doesn't have are left out.
 */
export async function writeHealth(pool: Pool, writes: readonly HealthWrite[]): Promise<readonly ServiceType[]> {
  if (writes.length === 0) return []
  const rows = writes.map(({ serviceType, check, atMs }) => ({
    service_type: serviceType,
    healthy: check.healthy,
    ms: check.responseTimeMs,
    reason: check.healthy ? null : check.reason,
    at: new Date(atMs).toISOString(),
  }))
  const { rows: changed } = await pool.query<{ service_type: ServiceType }>(
    `WITH given AS (
       SELECT g.* FROM jsonb_to_recordset($1::jsonb)
         AS g(service_type text, healthy boolean, ms integer, reason text, at timestamptz)
       JOIN service_registry r ON r.service_type = g.service_type
       ORDER BY g.service_type
     ), hourly AS (
       INSERT INTO service_health_hourly AS h (service_type, hour, checks, failures, total_ms)
       SELECT service_type, date_trunc('hour', at, 'UTC'), 1, CASE WHEN healthy THEN 0 ELSE 1 END, ms FROM given
       ON CONFLICT (service_type, hour) DO UPDATE SET checks = h.checks + 1, failures = h.failures + excluded.failures,
         total_ms = h.total_ms + excluded.total_ms
     ), before AS (
       SELECT g.*, coalesce(s.is_healthy, true) AS was_healthy, coalesce(s.consecutive_failures, 0) AS failures_before,
         CASE WHEN g.healthy THEN NULL ELSE coalesce(s.failing_since, g.at) END AS failing_since,
         -- This check is not among the rows that the statement sees.
         coalesce(w.checks, 0) + 1 AS checks, coalesce(w.failures, 0) + CASE WHEN g.healthy THEN 0 ELSE 1 END AS failures
       FROM given g LEFT JOIN service_health_status s ON s.service_type = g.service_type
       LEFT JOIN LATERAL (
         SELECT sum(checks) AS checks, sum(failures) AS failures FROM service_health_hourly h
         WHERE h.service_type = g.service_type AND h.hour > g.at - make_interval(hours => $2)
       ) w ON true
     ), written AS (
       INSERT INTO service_health_status AS s (service_type, is_healthy, last_health_check, response_time_ms,
         error_message, consecutive_failures, uptime_percentage, failing_since, updated_at)
       SELECT service_type, healthy, at, ms, reason, CASE WHEN healthy THEN 0 ELSE failures_before + 1 END,
         round(100.0 * (checks - failures) / checks, 2), failing_since, at FROM before
       ON CONFLICT (service_type) DO UPDATE SET is_healthy = excluded.is_healthy,
         last_health_check = excluded.last_health_check, response_time_ms = excluded.response_time_ms,
         error_message = excluded.error_message, consecutive_failures = excluded.consecutive_failures,
         uptime_percentage = excluded.uptime_percentage,
         failing_since = excluded.failing_since, updated_at = excluded.updated_at
     ), told AS (
       SELECT service_type, pg_notify('crossfade_mcp_changed',
         jsonb_build_object('kind', 'service', 'serviceType', service_type)::text)
       FROM before WHERE healthy IS DISTINCT FROM was_healthy
     )
     SELECT service_type FROM told`,
    [JSON.stringify(rows), uptimeWindowHours],
  )
  return changed.map((row) => row.service_type)
}
