// How a worker that a process manager starts is told what to do: by arguments and the environment.
import { parseArgs } from 'node:util'
import { limitSettings } from '@crossfade/mcp/limits/settings.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { readExternalIssuers } from './external-issuers.ts'
import type { WorkerSettings } from './worker-settings.ts'

const portMax = 65_535

export interface WorkerArguments {
  readonly port: number
  readonly shared: boolean
  readonly onlyService: string | null
}

/** Reads `--port 7070 [--shared] [--service figma]`. Throws CF14020. */
export function workerArguments(given: readonly string[]): WorkerArguments {
  const { port, shared, service } = parsed(given)
  if (port === undefined) throw fail('CF14020', { reason: '--port is missing' })
  if (!/^\d{1,5}$/.test(port) || Number(port) > portMax) throw fail('CF14020', { reason: `--port ${port} is no port` })
  return { port: Number(port), shared, onlyService: service ?? null }
}

function parsed(given: readonly string[]) {
  try {
    return parseArgs({
      args: [...given],
      options: { service: { type: 'string' }, port: { type: 'string' }, shared: { type: 'boolean', default: false } },
    }).values
  } catch (error) {
    throw fail('CF14020', { reason: reasonOf(error).replace(/\.$/, '') }, error)
  }
}

/** Everything that a worker without a parent can know before the database is open. Throws as `readExternalIssuers`. */
export function settingsWithoutParent(
  { port, shared, onlyService }: WorkerArguments,
  directory: string,
  environment: Readonly<Record<string, string | undefined>>,
): Omit<WorkerSettings, 'roles' | 'secrets'> {
  const listOf = (variable: string) => (environment[variable] ?? '').split(',').filter((entry) => entry !== '')
  return {
    directory,
    host: environment['CROSSFADE_MCP_HOST'] ?? '127.0.0.1',
    port,
    shared,
    staticPorts: false,
    onlyService,
    baseUrl: (environment['CROSSFADE_MCP_BASE_URL'] ?? `http://127.0.0.1:${port}`).replace(/\/+$/, ''),
    allowedHosts: listOf('CROSSFADE_MCP_ALLOW_HOSTS'),
    allowedOrigins: listOf('CROSSFADE_MCP_ALLOW_ORIGINS'),
    trustedProxies: listOf('CROSSFADE_MCP_TRUST_PROXIES'),
    allowedUpstreams: listOf('CROSSFADE_MCP_ALLOW_UPSTREAMS'),
    externalIssuers: readExternalIssuers(environment['CROSSFADE_MCP_EXTERNAL_ISSUERS']),
    limits: limitSettings({}),
    signUp: environment['CROSSFADE_MCP_SIGN_UP'] !== 'off',
    healthChecks: environment['CROSSFADE_MCP_HEALTH_CHECKS'] !== 'off',
    alertsUrl: environment['CROSSFADE_MCP_ALERTS_URL'] ?? null,
    consoleDirectory: environment['CROSSFADE_MCP_CONSOLE'] ?? null,
    logLevel: 'warn',
    version: environment['npm_package_version'] ?? '0.1.0',
  }
}
