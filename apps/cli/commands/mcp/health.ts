import type { ServiceHealth } from '@crossfade/gateway-app/contract/services.ts'
import { textTable } from '@crossfade/plan/text-table.ts'
import type { Command } from 'commander'
import { exitCodes } from '../../terminal/exit-codes.ts'
import { printJson, printText } from '../../terminal/output.ts'
import { colour } from '../../terminal/style.ts'
import { openApi } from '../../wiring/mcp/api-client.ts'
import { type McpOptions, withServer } from './server-options.ts'

interface HealthOptions extends McpOptions {
  readonly all?: boolean
}

/** `crossfade mcp health`: which services answer. Exit code 1 when one does not. */
export function registerHealth(mcp: Command, end: (code: number) => void): void {
  withServer(
    mcp
      .command('health')
      .summary('show which services answer')
      .description('Shows the services that do not answer, or all with --all. Exits with 1 when there is one.')
      .option('--all', 'every service'),
    'crossfade mcp health --all',
  ).action(async (options: HealthOptions) => {
    const found = await openApi(options).request<ServiceHealth>('GET', '/health')
    const troubled = found.services.filter(({ health }) => health.state === 'unhealthy' || health.state === 'paused')
    if (troubled.length > 0) end(exitCodes.failure)
    if (options.json) return printJson(found)
    const { healthy, unhealthy, paused, unknown } = found.counts
    const shown = options.all ? found.services : troubled
    if (shown.length > 0) printText(healthTable(shown))
    const mark = troubled.length === 0 ? colour.green('✓') : colour.red('✗')
    printText(`${mark} ${healthy} healthy, ${unhealthy} unhealthy, ${paused} paused, ${unknown} not looked at yet`)
  })
}

function healthTable(services: ServiceHealth['services']): string {
  const rows = services.map(({ serviceType, health }) => [
    serviceType,
    health.state,
    health.responseTimeMs === null ? '' : `${Math.round(health.responseTimeMs)} ms`,
    health.uptimePercentage === null ? '' : `${health.uptimePercentage.toFixed(2)} %`,
    health.consecutiveFailures === 0 ? '' : String(health.consecutiveFailures),
    health.message ?? '',
  ])
  return textTable(['service', 'state', 'answered in', 'uptime', 'failures', 'why'], rows, [2, 3, 4])
}
