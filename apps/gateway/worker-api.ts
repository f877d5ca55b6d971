// The REST API, accounts and the console of a worker. A module of its own: its libraries are the largest part of a start, and instances are served without them.
import { issuerOf } from '@crossfade/accounts/paths.ts'
import { createTokenTransport } from '@crossfade/mcp/authorization/authorization-server.ts'
import { verifyWithUpstream } from '@crossfade/mcp/instances/verify-with-upstream.ts'
import { guardedFetch } from '@crossfade/mcp/upstream/guarded-fetch.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { Logger } from 'pino'
import { accountsWhenAsked } from './accounts-when-asked.ts'
import { createApi } from './api.ts'
import type { ApiOptions, GatewayApi } from './api-parts.ts'
import type { Home } from './home.ts'
import { createImportKeeper } from './imports/import-keeper.ts'
import { metricsContentType } from './metrics.ts'
import { scrapeThroughParent } from './metrics-exchange.ts'
import { protectedResourceRoutes } from './routes/protected-resource.ts'
import { serveConsole } from './serve-console.ts'
import type { ServedCatalog } from './served-catalog.ts'
import { type Closing, type Foundation, openBreakers, type Runtime } from './worker-runtime.ts'
import type { WorkerSettings } from './worker-settings.ts'

const apiConnectionsMax = 8

/** Opens API, accounts and console, ready to be routed to. */
export async function openApi(
  settings: WorkerSettings,
  home: Home,
  served: ServedCatalog,
  parts: Foundation & Runtime,
  closing: Closing,
  logger: Logger,
): Promise<GatewayApi> {
  const apiPool = openPool(settings.roles.api, {
    applicationName: 'crossfade mcp api',
    connectionsMax: apiConnectionsMax,
  })
  closing.push(() => apiPool.end())
  const trustedOrigins = settings.allowedOrigins.flatMap((host) => [`https://${host}`, `http://${host}`])
  const accounts = accountsWhenAsked({
    databaseUrl: settings.roles.accounts,
    baseUrl: settings.baseUrl,
    secret: settings.secrets.accounts,
    trustedOrigins,
    allowSignUp: settings.signUp,
    readClientDocument: (url, signal) =>
      documents.fetch(url, { redirect: 'manual', signal }) as unknown as Promise<Response>,
    onError: (message) => logger.error({ reason: message }, 'accounts'),
  })
  closing.push(() => accounts.close())
  const { vault, directory, caller, limits, usage, metrics, clients, changes, keeperPool } = parts
  const guard = { allowedPrivateHosts: settings.allowedUpstreams }
  const transport = createTokenTransport(guard)
  closing.push(() => transport.close())
  const scrape = scrapeThroughParent(() => metrics.snapshot())
  const documents = guardedFetch(guard)
  closing.push(() => documents.destroy())
  const options: ApiOptions = {
    api: apiPool,
    vault,
    catalog: () => served.catalog,
    verifyKey: verifyWithUpstream(caller.client),
    pepper: settings.secrets.pepper,
    clients,
    transport,
    baseUrl: settings.baseUrl,
    accounts,
    everybodyHeard: changes.everybodyHeard,
    directory,
    caller,
    limits,
    usage,
    trustedOrigins,
    trustedProxies: proxiesOf(settings),
    pausedServices: () => openBreakers(caller),
    imports: createImportKeeper(home, served, keeperPool),
    metrics: async () => ({ contentType: metricsContentType, text: await scrape() }),
    signUp: settings.signUp,
    version: settings.version,
    logger,
  }
  const api = await createApi(options)
  closing.push(() => api.close())
  const issuers = [issuerOf(settings.baseUrl), ...(settings.externalIssuers ?? []).map(({ issuer }) => issuer)]
  protectedResourceRoutes(api, { baseUrl: settings.baseUrl, issuers })
  if (settings.consoleDirectory !== null) await serveConsole(api, settings.consoleDirectory)
  await api.ready()
  return api
}

/** A public address that is not this machine's is a proxy's: one of this machine, unless others are named. */
function proxiesOf({ trustedProxies = [], baseUrl }: WorkerSettings): readonly string[] {
  if (trustedProxies.length > 0) return trustedProxies
  return isLoopbackHost(new URL(baseUrl).hostname) ? [] : ['127.0.0.0/8', '::1']
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.')
}
