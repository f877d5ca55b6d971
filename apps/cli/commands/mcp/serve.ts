import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type LimitOverrides, type LimitSettings, limitSettings } from '@crossfade/mcp/limits/settings.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { interruption } from '../../terminal/interrupt.ts'
import { printJson, printNote, printText } from '../../terminal/output.ts'
import { readTextFile } from '../../terminal/read-text-file.ts'
import { colour } from '../../terminal/style.ts'
import { version } from '../../version.ts'
import { type CommonOptions, common } from '../command.ts'
import { portNumber } from '../options.ts'
import { workerCount } from './worker-count.ts'

const consoleDirectory = fileURLToPath(new URL('../../../console/dist', import.meta.url))

interface ServeOptions extends CommonOptions {
  readonly host: string
  readonly port: number
  readonly baseUrl?: string
  readonly workers: number
  readonly ports?: boolean
  readonly database?: string
  readonly migrateLegacy?: boolean
  readonly allowHost: readonly string[]
  readonly allowOrigin: readonly string[]
  readonly trustProxy: readonly string[]
  readonly allowUpstream: readonly string[]
  readonly externalIssuers?: string
  readonly limits?: string
  readonly alerts?: string
  readonly signUp: boolean
  readonly healthChecks: boolean
  readonly quiet?: boolean
}

/** `crossfade mcp serve`: instances, API and console. */
export function registerServe(mcp: Command): void {
  common(
    mcp
      .command('serve')
      .summary('serve every service to every user, with API and console')
      .description(
        'Serves instances at /{instance_id}/{service_type}/, the API below /api/v1 and the console, until it is told to stop. Without --database it brings a PostgreSQL of its own, kept with its master key under .crossfade in this directory. SIGHUP reads the catalog again.',
      )
      .option('--host <address>', 'the address to listen on', '127.0.0.1')
      .option('--port <port>', 'the port to listen on', portNumber, 7070)
      .option('--base-url <url>', 'the public address, where it is another one', publicUrl)
      .option('--workers <count>', 'processes that share the port', workerCount, 1)
      .option('--ports', 'listen on the static port of every service as well')
      .option('--database <url>', 'PostgreSQL of your own, as an administrator; default CROSSFADE_MCP_DATABASE_URL')
      .option('--migrate-legacy', 'carry over the instance tables of a legacy platform that the database holds')
      .option('--allow-host <name>', 'a further host name to answer to; may be repeated', hostName, [])
      .option('--allow-origin <name>', 'host name of web pages that may call; may be repeated', hostName, [])
      .option(
        '--trust-proxy <address>',
        'a proxy, or a network of them, whose X-Forwarded-For is believed; may be repeated; default: those of this machine, with a --base-url',
        collectProxies,
        [],
      )
      .option(
        '--allow-upstream <host:port>',
        'a private address that services may have; may be repeated',
        hostAndPort,
        [],
      )
      .option(
        '--external-issuers <file>',
        'JSON list of authorization servers of others whose tokens open instances, too; default CROSSFADE_MCP_EXTERNAL_ISSUERS',
      )
      .option('--limits <file>', 'JSON with limits of calls, for users, instances and services')
      .option('--alerts <url>', 'where alerts are posted as JSON', alertsUrl)
      .option('--no-sign-up', 'people can not make themselves an account')
      .option('--no-health-checks', 'do not look at the services by oneself')
      .option('--quiet', 'log warnings and errors alone'),
    'crossfade mcp serve --workers 4 --base-url https://mcp.example.com',
  ).action(run)
}

async function run(options: ServeOptions): Promise<void> {
  const [{ serve }, { readExternalIssuers }, { createLogger }] = await Promise.all([
    import('@crossfade/gateway-app/serve.ts'),
    import('@crossfade/gateway-app/external-issuers.ts'),
    import('@crossfade/telemetry/logger.ts'),
  ])
  const logLevel = options.quiet || options.json ? 'warn' : 'info'
  const logger = createLogger(logLevel)
  const serving = await serve({
    directory: resolve(process.cwd()),
    database: options.database,
    migrateLegacy: options.migrateLegacy ?? false,
    host: options.host,
    port: options.port,
    baseUrl: options.baseUrl,
    workers: options.workers,
    staticPorts: options.ports ?? false,
    allowedHosts: options.allowHost,
    allowedOrigins: options.allowOrigin,
    trustedProxies: options.trustProxy,
    allowedUpstreams: options.allowUpstream,
    externalIssuers: readExternalIssuers(options.externalIssuers ?? process.env['CROSSFADE_MCP_EXTERNAL_ISSUERS']),
    limits: limitsOf(options.limits),
    signUp: options.signUp,
    healthChecks: options.healthChecks,
    alertsUrl: options.alerts ?? null,
    consoleDirectory,
    logLevel,
    logger,
    version,
  })
  const reload = () => {
    serving.reload().catch((error: unknown) => logger.error({ err: error }, 'the catalog could not be read again'))
  }
  process.on('SIGHUP', reload)
  const { url, services, workers, readyMs } = serving
  if (options.json) printJson({ url, services, workers, readyMs: Math.round(readyMs) })
  else {
    printText(`${colour.green('✓')} ${services} services, ready after ${Math.round(readyMs)} ms`)
    printText(`  console    ${colour.bold(url)}`)
    printText(`  instances  ${url}/{instance_id}/{service_type}/`)
    printNote(colour.dim('  Connect one: crossfade mcp connect github --key-file KEY. Ctrl-C stops.'))
  }
  await new Promise<void>((stop) => {
    if (interruption.aborted) stop()
    else interruption.addEventListener('abort', () => stop(), { once: true })
  })
  process.off('SIGHUP', reload)
  await serving.close()
}

function limitsOf(path: string | undefined): LimitSettings {
  if (path === undefined) return limitSettings({})
  const text = readTextFile(path)
  try {
    return limitSettings(JSON.parse(text) as LimitOverrides)
  } catch (error) {
    if (error instanceof SyntaxError) throw fail('CF14023', { path, reason: reasonOf(error) }, error)
    throw error
  }
}

/** A name that a Host or Origin header has, without scheme and port. */
function hostName(value: string, before: readonly string[]): readonly string[] {
  if (!URL.canParse(`http://${value}`) || new URL(`http://${value}`).hostname !== value.toLowerCase()) {
    throw new InvalidArgumentError('Give a host name alone, like mcp.example.com.')
  }
  return [...before, value]
}

function hostAndPort(value: string, before: readonly string[]): readonly string[] {
  const url = URL.canParse(`tcp://${value}`) ? new URL(`tcp://${value}`) : null
  if (url === null || url.port === '' || url.host !== value.toLowerCase()) {
    throw new InvalidArgumentError('Give host and port, like 10.0.0.5:8080.')
  }
  return [...before, value]
}

function alertsUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw new InvalidArgumentError('Give an http or https address.')
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function collectProxies(value: string, before: readonly string[]): readonly string[] {
  const [address = '', bits = '0', ...more] = value.split('/')
  if (isIP(address) === 0 || !/^\d{1,3}$/.test(bits) || more.length > 0)
    throw new InvalidArgumentError('Give an address or a network, like 10.0.0.2 or 10.0.0.0/24.')
  return collect(value, before)
}

function publicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.pathname !== '/') {
    throw new InvalidArgumentError('Give an http or https address without path, like https://mcp.example.com.')
  }
  return url.origin
}
