// What a person is told of the usage: totals, by service, by tool, over time, and what failed last.
import type { InstanceId, ServiceType } from '@crossfade/model/platform-ids.ts'
import type { QueryResult, QueryResultRow } from 'pg'

/** A connection whose row-level security decides whose usage is seen: the client that `asUser` hands out. */
export interface UsageDatabase {
  query<Row extends QueryResultRow>(text: string, values: unknown[]): Promise<QueryResult<Row>>
}

/** Hours are counted whole: the range begins with the hour of `fromMs` and holds every hour that begins before `toMs`. */
export interface UsageRange {
  readonly fromMs: number
  readonly toMs: number
  readonly serviceType?: ServiceType
}

/** Times in milliseconds, null when there were no calls. Percentiles are by nearest rank and at most 2.5 % off; the mean and the counts are exact. */
export interface UsageSummary {
  readonly calls: number
  /** Calls with an error code, or answered with a status of 400 or more. */
  readonly errors: number
  readonly meanMs: number | null
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
}

export interface FailedCall {
  readonly atMs: number
  readonly serviceType: ServiceType
  readonly instanceId: InstanceId
  readonly endpoint: string
  readonly method: string
  readonly statusCode: number
  readonly responseTimeMs: number
  /** A code of docs/reference/errors.md; null when the upstream's status is all there is. */
  readonly errorCode: string | null
}

export type UsageStep = 'hour' | 'day'

/** Points of one series at most: a plot shows no more. */
export const pointsMax = 5_000
/** Tools or services of one answer at most. */
export const groupsMax = 1_000
/** Failed calls of one answer at most. */
export const failedCallsMax = 500

const stepMs: Readonly<Record<UsageStep, number>> = { hour: 3_600_000, day: 86_400_000 }

/** All calls of the range together. */
export async function usageTotals(database: UsageDatabase, range: UsageRange): Promise<UsageSummary> {
  const [row] = await summaries(database, range, `'all'::text`, 1)
  return row ? summaryOf(row) : noUsage
}

/** Calls of each service that had some, the most used first. */
export async function usageByService(
  database: UsageDatabase,
  range: UsageRange,
): Promise<readonly (UsageSummary & { readonly serviceType: ServiceType })[]> {
  const rows = await summaries(database, range, 'service_type', groupsMax)
  return rows.map((row) => ({ serviceType: row.part as ServiceType, ...summaryOf(row) })).sort(mostUsedFirst)
}

/** Calls of each tool or method, the most used first. Meant for one service: names of two services may be the same. */
export async function usageByEndpoint(
  database: UsageDatabase,
  range: UsageRange,
): Promise<readonly (UsageSummary & { readonly endpoint: string })[]> {
  const rows = await summaries(database, range, 'endpoint', groupsMax)
  return rows.map((row) => ({ endpoint: row.part, ...summaryOf(row) })).sort(mostUsedFirst)
}

/** Calls per hour or day of UTC, oldest first, with nothing left out: a step without calls has zeros. At most `pointsMax` points, the latest. */
export async function usageOverTime(
  database: UsageDatabase,
  range: UsageRange,
  step: UsageStep,
): Promise<readonly (UsageSummary & { readonly atMs: number })[]> {
  const part = `extract(epoch FROM date_trunc('${step}', hour, 'UTC'))::text`
  const lastMs = Math.floor((range.toMs - 1) / stepMs[step]) * stepMs[step]
  const fromMs = Math.max(Math.floor(range.fromMs / stepMs.hour) * stepMs.hour, lastMs - (pointsMax - 1) * stepMs[step])
  const rows = await summaries(database, { ...range, fromMs }, part, pointsMax)
  const found = new Map(rows.map((row) => [Number(row.part) * 1000, summaryOf(row)]))
  const points: (UsageSummary & { atMs: number })[] = []
  for (let atMs = Math.floor(fromMs / stepMs[step]) * stepMs[step]; atMs <= lastMs; atMs += stepMs[step])
    points.push({ atMs, ...(found.get(atMs) ?? noUsage) })
  return points
}

/** Calls of the range that failed, the latest first, at most `limit`. Reaches as far back as usage is kept. */
export async function recentErrors(
  database: UsageDatabase,
  range: UsageRange,
  limit: number,
): Promise<readonly FailedCall[]> {
  const { rows } = await database.query<FailedRow>(
    `SELECT extract(epoch FROM "timestamp")::float8 * 1000 AS at_ms, service_type, instance_id, endpoint, method,
       status_code, response_time_ms, error_message
     FROM service_usage_analytics
     WHERE "timestamp" >= $1 AND "timestamp" < $2 AND ($3::text IS NULL OR service_type = $3)
       AND (error_message IS NOT NULL OR status_code >= 400)
     ORDER BY "timestamp" DESC LIMIT $4`,
    [...rangeValues(range), Math.min(limit, failedCallsMax)],
  )
  return rows.map((row) => ({
    atMs: Math.round(row.at_ms),
    serviceType: row.service_type as ServiceType,
    instanceId: row.instance_id as InstanceId,
    endpoint: row.endpoint,
    method: row.method,
    statusCode: row.status_code,
    responseTimeMs: row.response_time_ms,
    errorCode: row.error_message,
  }))
}

const noUsage: UsageSummary = { calls: 0, errors: 0, meanMs: null, p50Ms: null, p95Ms: null, p99Ms: null }

interface SummaryRow {
  part: string
  calls: string | number
  errors: string | number
  total_ms: string | number
  p50: number | null
  p95: number | null
  p99: number | null
}

interface FailedRow {
  at_ms: number
  service_type: string
  instance_id: string
  endpoint: string
  method: string
  status_code: number
  response_time_ms: number
  error_message: string | null
}

/** Hours that are rolled up come from usage_hourly, marked ones from the rows themselves: each call is counted once. `part` is an expression over service_type, endpoint and hour, never of a user's making. */
async function summaries(
  database: UsageDatabase,
  range: UsageRange,
  part: string,
  partsMax: number,
): Promise<SummaryRow[]> {
  const { rows } = await database.query<SummaryRow>(
    `WITH marked AS MATERIALIZED (
       SELECT DISTINCT hour FROM usage_hours_to_roll WHERE hour >= date_trunc('hour', $1::timestamptz, 'UTC') AND hour < $2
     ), pieces AS (
       SELECT h.hour, h.service_type, h.endpoint, b.bucket, b.calls, b.errors, b.total_ms
       FROM usage_hourly h, unnest(h.buckets, h.calls, h.errors, h.total_ms) AS b(bucket, calls, errors, total_ms)
       WHERE h.hour >= date_trunc('hour', $1::timestamptz, 'UTC') AND h.hour < $2
         AND ($3::text IS NULL OR h.service_type = $3) AND NOT EXISTS (SELECT FROM marked WHERE marked.hour = h.hour)
       UNION ALL
       SELECT m.hour, a.service_type, coalesce(a.endpoint, ''), usage_bucket(a.response_time_ms), 1,
         CASE WHEN a.error_message IS NOT NULL OR a.status_code >= 400 THEN 1 ELSE 0 END, coalesce(a.response_time_ms, 0)
       FROM marked m
       JOIN service_usage_analytics a ON a."timestamp" >= m.hour AND a."timestamp" < m.hour + interval '1 hour'
       WHERE $3::text IS NULL OR a.service_type = $3
     ), merged AS (
       SELECT ${part} AS part, bucket, sum(calls) AS calls, sum(errors) AS errors, sum(total_ms) AS total_ms
       FROM pieces GROUP BY 1, 2
     ), ranked AS (
       SELECT *, sum(calls) OVER (PARTITION BY part ORDER BY bucket) AS up_to, sum(calls) OVER (PARTITION BY part) AS of_part
       FROM merged
     )
     SELECT part, sum(calls)::float8 AS calls, sum(errors)::float8 AS errors, sum(total_ms)::float8 AS total_ms,
       usage_bucket_ms(min(bucket) FILTER (WHERE up_to >= ceil(0.50 * of_part))) AS p50,
       usage_bucket_ms(min(bucket) FILTER (WHERE up_to >= ceil(0.95 * of_part))) AS p95,
       usage_bucket_ms(min(bucket) FILTER (WHERE up_to >= ceil(0.99 * of_part))) AS p99
     FROM ranked GROUP BY part ORDER BY 2 DESC LIMIT $4`,
    [...rangeValues(range), partsMax],
  )
  return rows
}

function rangeValues({ fromMs, toMs, serviceType }: UsageRange): [string, string, string | null] {
  return [new Date(fromMs).toISOString(), new Date(toMs).toISOString(), serviceType ?? null]
}

function summaryOf(row: SummaryRow): UsageSummary {
  const calls = Number(row.calls)
  return {
    calls,
    errors: Number(row.errors),
    meanMs: calls === 0 ? null : Number(row.total_ms) / calls,
    p50Ms: row.p50,
    p95Ms: row.p95,
    p99Ms: row.p99,
  }
}

function mostUsedFirst(left: UsageSummary, right: UsageSummary): number {
  return right.calls - left.calls
}
