// What is done by one process of all, whichever leads: health checks, upkeep of the database, alerts.
import { cleanUpAccounts } from '@crossfade/accounts/clean-up.ts'
import { watchAlerts } from '@crossfade/mcp/alerts/alerts.ts'
import { webhook } from '@crossfade/mcp/alerts/webhook.ts'
import { createHealthMonitor, type HealthMonitor } from '@crossfade/mcp/health/monitor.ts'
import { createProbe } from '@crossfade/mcp/health/probe.ts'
import { maintenanceJobs } from '@crossfade/mcp/maintenance/jobs.ts'
import { startKeeper } from '@crossfade/mcp/maintenance/keeper.ts'
import { guardedConnector } from '@crossfade/mcp/upstream/address-guard.ts'
import { openPool, withPool } from '@crossfade/mcp-database/pool.ts'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { ServedCatalog } from './served-catalog.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** Each duty keeps one connection while this process has it, and asks with another. */
export const keeperConnectionsMax = 6

/** Roll-ups and retention read whole months: a statement of theirs may take longer than one of anybody who is waited for. */
const upkeepStatementMsMax = 30 * 60_000

export interface Duties {
  readonly health: HealthMonitor
  close(): Promise<void>
}

/** Stands ready for every duty; an advisory lock of the database says who does it. `keeper` is a pool of crossfade_mcp_keeper. */
export function startDuties(settings: WorkerSettings, served: ServedCatalog, keeper: Pool, logger: Logger): Duties {
  const troubleOf = (duty: string) => (error: unknown) =>
    logger.error({ err: error, duty }, 'a duty can not be done; it is tried again')
  const connect = guardedConnector({ allowedPrivateHosts: settings.allowedUpstreams })
  const probe = createProbe(connect)
  const health = createHealthMonitor({
    pool: keeper,
    catalog: () => served.catalog,
    probe,
    enabled: settings.healthChecks,
    onTrouble: troubleOf('health checks'),
  })
  const upkeepPool = openPool(settings.roles.keeper, {
    applicationName: 'crossfade mcp upkeep',
    connectionsMax: 2,
    statementMsMax: upkeepStatementMsMax,
  })
  const upkeep = startKeeper({
    pool: upkeepPool,
    jobs: [
      ...maintenanceJobs(),
      { name: 'expired sessions', period: { kind: 'daily', minute: 60 }, run: endOldSessions },
    ],
    onTrouble: (job, reason) => logger.error({ job, reason }, 'upkeep failed; it is tried again'),
  })
  async function endOldSessions(): Promise<void> {
    await withPool(
      settings.roles.accounts,
      { applicationName: 'crossfade mcp clean-up', connectionsMax: 1 },
      cleanUpAccounts,
    )
  }
  const receiver = settings.alertsUrl === null ? null : webhook(settings.alertsUrl, connect)
  const alerts = watchAlerts({ pool: keeper, receiver, onTrouble: troubleOf('alerts') })
  return {
    health,
    async close() {
      await Promise.all([health.close(), upkeep.close(), alerts.close()])
      await Promise.all([probe.close(), receiver?.close(), upkeepPool.end()])
    },
  }
}
