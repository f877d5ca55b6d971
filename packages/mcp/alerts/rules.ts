// What people are told of, as data.
import { upstreamTroublePattern } from '../usage/call-outcome.ts'

export type Severity = 'info' | 'warning' | 'critical'

export type AlertRule =
  /** A service that somebody uses has failed its checks for so long. */
  | { readonly kind: 'service_unhealthy'; readonly severity: Severity; readonly minutes: number }
  /** So large a share of the calls to a service failed at its upstream within so long, of at least so many calls. */
  | {
      readonly kind: 'error_rate'
      readonly severity: Severity
      readonly minutes: number
      readonly callsMin: number
      readonly share: number
    }
  /** Workers could not keep so many records of usage. */
  | { readonly kind: 'usage_dropped'; readonly severity: Severity; readonly recordsMin: number }
  /** So many users of a service must connect it again. */
  | { readonly kind: 'needs_authorization'; readonly severity: Severity; readonly instancesMin: number }
  /** A worker has left an upstream alone for so long because it fails. */
  | { readonly kind: 'breaker_open'; readonly severity: Severity; readonly minutes: number }

/** Tells of what a person can do something about, and of nothing that passes by itself in a minute. */
export const defaultAlertRules: readonly AlertRule[] = [
  { kind: 'service_unhealthy', severity: 'critical', minutes: 5 },
  { kind: 'error_rate', severity: 'warning', minutes: 10, callsMin: 50, share: 0.25 },
  { kind: 'usage_dropped', severity: 'warning', recordsMin: 1 },
  { kind: 'needs_authorization', severity: 'warning', instancesMin: 5 },
  { kind: 'breaker_open', severity: 'warning', minutes: 5 },
]

/** Why an alert is open now. `subject` tells alerts of one rule apart: a service, or the platform. */
export interface Finding {
  readonly subject: string
  readonly text: string
}

/** A rule as a question to the database: $1 is now. */
export function question(rule: AlertRule): { readonly text: string; readonly values: readonly unknown[] } {
  switch (rule.kind) {
    case 'service_unhealthy':
      return {
        text: `SELECT s.service_type AS subject, format('%s has failed its last %s checks: %s.', s.service_type,
            s.consecutive_failures, coalesce(s.error_message, 'no answer')) AS text
          FROM service_health_status s
          WHERE NOT s.is_healthy AND s.failing_since <= $1::timestamptz - make_interval(mins => $2)
            AND EXISTS (SELECT FROM user_service_instances i WHERE i.service_type = s.service_type AND i.is_active)`,
        values: [rule.minutes],
      }
    case 'error_rate':
      return {
        text: `SELECT service_type AS subject, format('%s %% of %s calls to %s failed within %s minutes.',
            round(100.0 * count(*) FILTER (WHERE failed) / count(*)), count(*), service_type, $2::integer) AS text
          FROM (
            SELECT service_type, status_code >= 500 OR coalesce(error_message ~ $5, false) AS failed
            FROM service_usage_analytics
            WHERE "timestamp" > $1::timestamptz - make_interval(mins => $2) AND "timestamp" <= $1 AND method = 'tools/call'
          ) calls
          GROUP BY service_type
          HAVING count(*) >= $3::integer AND count(*) FILTER (WHERE failed) >= $4::float8 * count(*)`,
        values: [rule.minutes, rule.callsMin, rule.share, upstreamTroublePattern],
      }
    case 'usage_dropped':
      return {
        text: `SELECT 'platform' AS subject, format('%s records of usage were dropped.', sum(value)) AS text
          FROM mcp_worker_signals
          WHERE signal = 'usage_dropped' AND at > $1::timestamptz - interval '10 minutes'
          HAVING sum(value) >= $2::float8`,
        values: [rule.recordsMin],
      }
    case 'needs_authorization':
      return {
        text: `SELECT service_type AS subject, format('%s users must connect %s again.', count(*), service_type) AS text
          FROM user_service_instances
          WHERE $1::timestamptz IS NOT NULL AND is_active AND credential_state = 'needs_authorization'
          GROUP BY service_type HAVING count(*) >= $2::integer`,
        values: [rule.instancesMin],
      }
    case 'breaker_open':
      return {
        text: `SELECT subject, format('%s has been left alone for %s minutes, by %s workers.', subject,
            round((extract(epoch FROM $1::timestamptz) - min(value) / 1000) / 60), count(*)) AS text
          FROM mcp_worker_signals
          WHERE signal = 'breaker_open' AND value > 0 AND at > $1::timestamptz - interval '2 minutes'
            AND to_timestamp(value / 1000) <= $1::timestamptz - make_interval(mins => $2)
          GROUP BY subject`,
        values: [rule.minutes],
      }
  }
}
