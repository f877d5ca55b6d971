// What an installation does besides serving: health checks, maintenance, alerts. Each runs in one process of all that start it.
import type { Catalog } from '@crossfade/catalog/catalog.ts'
import { watchAlerts } from '@crossfade/mcp/alerts/alerts.ts'
import type { AlertRule } from '@crossfade/mcp/alerts/rules.ts'
import { webhook } from '@crossfade/mcp/alerts/webhook.ts'
import { createHealthMonitor, type HealthMonitor } from '@crossfade/mcp/health/monitor.ts'
import { createProbe } from '@crossfade/mcp/health/probe.ts'
import { maintenanceJobs, type RetentionSettings } from '@crossfade/mcp/maintenance/jobs.ts'
import { startKeeper } from '@crossfade/mcp/maintenance/keeper.ts'
import { guardedConnector } from '@crossfade/mcp/upstream/address-guard.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'

/** Three that lead hold a connection each; the rest is for their work. */
const connectionsMax = 6

export interface HousekeepingOptions {
  /** Of the keeper role. */
  readonly keeperUrl: string
  readonly catalog: () => Catalog
  /** Whether services are checked by themselves. */
  readonly healthChecks: boolean
  /** Private `host:port` that checks and the webhook may go to. */
  readonly allowedPrivateHosts: readonly string[]
  readonly retention?: RetentionSettings
  readonly alertRules?: readonly AlertRule[]
  /** Where alerts are posted; a secret. Null: they are in the database alone. */
  readonly alertWebhook: string | null
  readonly onTrouble?: (what: string, reason: string) => void
  readonly onHealthChanged?: (serviceType: ServiceType, healthy: boolean) => void
}

export interface Housekeeping {
  readonly health: HealthMonitor
  /** Ends in order, whatever is under way. */
  close(): Promise<void>
}

/** Starts it all. Never rejects: what can't reach the database tries again. */
export function startHousekeeping(options: HousekeepingOptions): Housekeeping {
  const pool = openPool(options.keeperUrl, { applicationName: 'crossfade mcp keeper', connectionsMax })
  const connect = guardedConnector({ allowedPrivateHosts: options.allowedPrivateHosts })
  const probe = createProbe(connect)
  const health = createHealthMonitor({
    pool,
    catalog: options.catalog,
    probe,
    enabled: options.healthChecks,
    onChanged: (serviceType, check) => options.onHealthChanged?.(serviceType, check.healthy),
  })
  const keeper = startKeeper({
    pool,
    jobs: maintenanceJobs(options.retention),
    onTrouble: (job, reason) => options.onTrouble?.(job, reason),
  })
  const receiver = options.alertWebhook === null ? null : webhook(options.alertWebhook, connect)
  const alerts = watchAlerts({ pool, receiver, ...(options.alertRules ? { rules: options.alertRules } : {}) })
  return {
    health,
    async close() {
      await Promise.all([health.close(), keeper.close(), alerts.close()])
      await Promise.all([probe.close(), receiver?.close()])
      await pool.end()
    },
  }
}
