// One process that serves: everything put together, nothing decided.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createAccessTokenVerifier } from '@crossfade/accounts/access-tokens.ts'
import { instanceUrl } from '@crossfade/accounts/instance-resource.ts'
import { challenge } from '@crossfade/accounts/protected-resource.ts'
import { createEdge } from '@crossfade/gateway/edge.ts'
import { hostRules } from '@crossfade/gateway/host-check.ts'
import { closeServer, edgeServer, listenOn } from '@crossfade/gateway/http-server.ts'
import { everything } from '@crossfade/mcp/everything/everything.ts'
import { openDirectory } from '@crossfade/mcp/instances/directory.ts'
import { createCallLimits } from '@crossfade/mcp/limits/call-limits.ts'
import { createQuotaStore } from '@crossfade/mcp/limits/postgres-quotas.ts'
import { databasePinStore } from '@crossfade/mcp/remote/database-pins.ts'
import { createMcpRuntime } from '@crossfade/mcp/runtime/create-runtime.ts'
import { createToolCaller } from '@crossfade/mcp/upstream/tool-caller.ts'
import { createUsageRecorder } from '@crossfade/mcp/usage/recorder.ts'
import { listenToChanges } from '@crossfade/mcp-database/changes.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { masterKeys } from '@crossfade/vault/master-keys.ts'
import { openVault } from '@crossfade/vault/open-vault.ts'
import type { Logger } from 'pino'
import { keeperConnectionsMax, startDuties } from './duties.ts'
import { openHome } from './home.ts'
import { serveCatalog } from './served-catalog.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** Requests under way when a worker is told to stop get this long. */
const closeMsMax = 5_000
const runtimeConnectionsMax = 8

export interface Worker {
  readonly port: number
  readonly services: number
  /** Ends in order: no new requests, those under way, usage, the database. Idempotent. */
  close(): Promise<void>
}

/** Starts serving. Rejects with the coded failure of the part that could not start; what had started is closed then. */
export async function startWorker(settings: WorkerSettings, logger: Logger): Promise<Worker> {
  const closing: (() => Promise<unknown> | unknown)[] = []
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end()
  }
  try {
    return await start(settings, logger, closing, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function start(
  settings: WorkerSettings,
  logger: Logger,
  closing: (() => Promise<unknown> | unknown)[],
  close: () => Promise<void>,
): Promise<Worker> {
  const home = openHome(settings.directory)
  const served = await serveCatalog(home, settings.onlyService)
  const pool = openPool(settings.roles.runtime, {
    applicationName: 'crossfade mcp runtime',
    connectionsMax: runtimeConnectionsMax,
  })
  closing.push(() => pool.end())
  const vault = await openVault({ pool, keys: masterKeys({ defaultFile: home.masterKeyFile }) })
  closing.push(() => vault.close())
  const usage = createUsageRecorder({ pool })
  closing.push(() => usage.close())
  const limits = createCallLimits({
    settings: settings.limits,
    quotas: createQuotaStore(pool),
    upstreamLimit: (serviceType) => served.catalog.services.get(serviceType)?.config.rateLimit,
  })
  closing.push(() => limits.close())
  const keeper = openPool(settings.roles.keeper, {
    applicationName: 'crossfade mcp keeper',
    connectionsMax: keeperConnectionsMax,
  })
  closing.push(() => keeper.end())
  const duties = startDuties(settings, served, keeper, logger)
  closing.push(() => duties.close())
  const caller = createToolCaller({
    allowedPrivateHosts: settings.allowedUpstreams,
    remote: { pins: databasePinStore(pool) },
    onBreakerChange: ({ state, serviceType }) => {
      if (state === 'open') duties.health.suspect(serviceType as ServiceType)
    },
  })
  closing.push(() => caller.close())
  const tokens = createAccessTokenVerifier({ runtime: pool, baseUrl: settings.baseUrl })
  const directory = await openDirectory({
    runtime: pool,
    databaseUrl: settings.roles.runtime,
    vault,
    async verifyAccessToken(token, instanceId, serviceType) {
      const found = await tokens.verify(token, instanceUrl(settings.baseUrl, instanceId, serviceType))
      return found && { userId: found.userId, scopes: [...found.scopes], endsAtMs: found.expiresAtMs }
    },
    refresher: null,
  })
  closing.push(() => directory.close())
  const onTrouble = (error: unknown) => logger.error({ err: error }, 'a request could not be served')
  const runtime = createMcpRuntime({
    caller,
    usage,
    limits,
    version: settings.version,
    builtIn: (service) => everything(service, { stateKey: Buffer.from(settings.secrets.questions, 'base64') }),
    onTrouble,
  })
  closing.push(() => runtime.close())
  const reload = () =>
    served.reload().catch((error: unknown) => logger.error({ err: error }, 'the catalog before is served on'))
  const changes = await listenToChanges(
    settings.roles.runtime,
    (change) => {
      if (change.kind === 'catalog') void reload()
      if (change.kind === 'service') caller.forgetRemote(change.serviceType)
    },
    () => void reload(),
  )
  closing.push(() => changes.close())
  const edge = createEdge({
    catalog: () => served.catalog,
    serviceFor: (session, service) => caller.serviceFor(session, service),
    directory,
    runtime,
    hosts: hostRules(settings.baseUrl, settings.allowedHosts, settings.allowedOrigins),
    challenge: (instanceId, serviceType, reason) => challenge(settings.baseUrl, instanceId, serviceType, reason),
    onTrouble: ({ path, error }) => logger.error({ err: error, path }, 'a request could not be served'),
  })

  const listener = (fixedService: ServiceType | null) => (request: IncomingMessage, response: ServerResponse) => {
    if (!edge.handle(request, response, fixedService)) response.writeHead(404).end()
  }
  const servers: Server[] = []
  closing.push(() => Promise.all(servers.map((server) => closeServer(server, closeMsMax))))
  const listen = async (port: number, fixedService: ServiceType | null) => {
    const server = edgeServer(listener(fixedService))
    const taken = await listenOn(server, { host: settings.host, port, shared: settings.shared })
    servers.push(server)
    return taken
  }
  const only = settings.onlyService === null ? null : [...served.catalog.services.keys()][0]!
  const port = await listen(settings.port, only)
  if (settings.staticPorts) {
    for (const { config } of served.catalog.services.values()) await listen(config.port, config.serviceType)
  }
  return {
    port,
    services: served.catalog.services.size,
    close,
  }
}
