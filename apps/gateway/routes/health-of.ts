import type pg from 'pg'
import type { Health } from '../contract/services.ts'

/** How long what was read is good for: health changes by the minute. */
const healthMs = 2_000

export const unknownHealth: Health = {
  state: 'unknown',
  lastCheckAt: null,
  responseTimeMs: null,
  consecutiveFailures: 0,
  uptimePercentage: null,
  message: null,
}

/** Health of all services by type, as the checks left it; `paused` where this worker holds calls back. Read at most every `healthMs`. */
export function healthReader(
  api: pg.Pool,
  pausedServices: () => ReadonlySet<string> = () => new Set(),
): () => Promise<ReadonlyMap<string, Health>> {
  let held: { readonly at: number; readonly health: Promise<ReadonlyMap<string, Health>> } | null = null
  return async () => {
    const now = performance.now()
    if (held === null || now - held.at > healthMs) {
      const health = readHealth(api, pausedServices())
      held = { at: now, health }
      health.catch(() => {
        held = null
      })
    }
    return held.health
  }
}

async function readHealth(api: pg.Pool, paused: ReadonlySet<string>): Promise<ReadonlyMap<string, Health>> {
  const { rows } = await api.query<Row>(
    `SELECT service_type, is_healthy, last_health_check, response_time_ms, error_message, consecutive_failures,
       uptime_percentage::float8 AS uptime_percentage FROM service_health_status`,
  )
  return new Map(rows.map((row) => [row.service_type, healthOf(row, paused)]))
}

interface Row {
  service_type: string
  is_healthy: boolean | null
  last_health_check: Date | null
  response_time_ms: number | null
  error_message: string | null
  consecutive_failures: number | null
  uptime_percentage: number | null
}

function healthOf(row: Row, paused: ReadonlySet<string>): Health {
  // A row that came with the registry was never checked: it has no response time and no failure.
  const wasChecked = row.response_time_ms !== null || row.error_message !== null
  const isPaused = paused.has(row.service_type)
  if (!wasChecked) return isPaused ? { ...unknownHealth, state: 'paused' } : unknownHealth
  return {
    state: isPaused ? 'paused' : row.is_healthy === false ? 'unhealthy' : 'healthy',
    lastCheckAt: row.last_health_check?.toISOString() ?? null,
    responseTimeMs: row.response_time_ms,
    consecutiveFailures: row.consecutive_failures ?? 0,
    uptimePercentage: row.uptime_percentage,
    message: row.error_message,
  }
}
