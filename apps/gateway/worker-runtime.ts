// What a worker serves instances with: databases and vault, then the protocol up to the edge.
import { createAccessTokenVerifier } from '@crossfade/accounts/access-tokens.ts'
import { instanceUrl } from '@crossfade/accounts/instance-resource.ts'
import { challenge } from '@crossfade/accounts/protected-resource.ts'
import { createEdge, type Edge } from '@crossfade/gateway/edge.ts'
import { hostRules } from '@crossfade/gateway/host-check.ts'
import { reportWorkerSignals } from '@crossfade/mcp/alerts/worker-signals.ts'
import { refresherWhenNeeded } from '@crossfade/mcp/authorization/refresh-when-needed.ts'
import { configuredClients } from '@crossfade/mcp/authorization/upstream-clients.ts'
import { everything } from '@crossfade/mcp/everything/everything.ts'
import { openDirectory, type PlatformDirectory } from '@crossfade/mcp/instances/directory.ts'
import { createCallLimits } from '@crossfade/mcp/limits/call-limits.ts'
import { createQuotaStore } from '@crossfade/mcp/limits/postgres-quotas.ts'
import { databasePinStore } from '@crossfade/mcp/remote/database-pins.ts'
import { createMcpRuntime } from '@crossfade/mcp/runtime/create-runtime.ts'
import { createToolCaller, type PlatformToolCaller } from '@crossfade/mcp/upstream/tool-caller.ts'
import { createUsageRecorder } from '@crossfade/mcp/usage/recorder.ts'
import type { UsageRecorder } from '@crossfade/mcp/usage/usage.ts'
import { type ChangeListening, listenToChanges } from '@crossfade/mcp-database/changes.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { readCatalogDigest } from '@crossfade/mcp-database/sync-registry.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { KeyRing } from '@crossfade/vault/key-ring.ts'
import { masterKeys } from '@crossfade/vault/master-keys.ts'
import { openVault } from '@crossfade/vault/open-vault.ts'
import type { Vault } from '@crossfade/vault/vault.ts'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { type Duties, keeperConnectionsMax, startDuties } from './duties.ts'
import { openIssuerDocuments } from './external-issuers.ts'
import type { Home } from './home.ts'
import { createGatewayMetrics, type GatewayMetrics } from './metrics.ts'
import type { ServedCatalog } from './served-catalog.ts'
import { tracingIsOn } from './tracing-is-on.ts'
import type { WorkerSettings } from './worker-settings.ts'

const runtimeConnectionsMax = 8
const renewalsMax = 4

/** What closes what was opened so far, in the reverse order. */
export type Closing = (() => unknown)[]

export interface Foundation {
  readonly runtimePool: Pool
  /** Renewals of upstream tokens hold a connection each. */
  readonly locksPool: Pool
  readonly keeperPool: Pool
  readonly keys: KeyRing
  readonly vault: Vault
  readonly duties: Duties
}

/** Databases, vault, and what one process of all does. */
export async function openFoundation(
  settings: WorkerSettings,
  home: Home,
  served: ServedCatalog,
  closing: Closing,
  logger: Logger,
): Promise<Foundation> {
  const pool = (url: string, name: string, connectionsMax: number) => {
    const opened = openPool(url, { applicationName: `crossfade mcp ${name}`, connectionsMax })
    closing.push(() => opened.end())
    return opened
  }
  const runtimePool = pool(settings.roles.runtime, 'runtime', runtimeConnectionsMax)
  const locksPool = pool(settings.roles.runtime, 'renewals', renewalsMax)
  const keeperPool = pool(settings.roles.keeper, 'keeper', keeperConnectionsMax)
  const keys = masterKeys({ defaultFile: home.masterKeyFile })
  const vault = await openVault({ pool: runtimePool, keys })
  closing.push(() => vault.close())
  const duties = startDuties(settings, served, keeperPool, logger)
  closing.push(() => duties.close())
  return { runtimePool, locksPool, keeperPool, keys, vault, duties }
}

export interface Runtime {
  readonly directory: PlatformDirectory
  readonly caller: PlatformToolCaller
  readonly limits: ReturnType<typeof createCallLimits>
  readonly usage: UsageRecorder
  readonly metrics: GatewayMetrics
  readonly clients: ReturnType<typeof configuredClients>
  readonly changes: ChangeListening
}

/** Instances and the protocol, up to the edge. */
export async function openRuntime(
  settings: WorkerSettings,
  served: ServedCatalog,
  { runtimePool, locksPool, keys, vault, duties }: Foundation,
  closing: Closing,
  logger: Logger,
): Promise<Runtime & { readonly edge: Edge }> {
  const guard = { allowedPrivateHosts: settings.allowedUpstreams }
  const recorder = createUsageRecorder({ pool: runtimePool })
  closing.push(() => recorder.close())
  const limits = createCallLimits({
    settings: settings.limits,
    quotas: createQuotaStore(runtimePool),
    upstreamLimit: (serviceType) => served.catalog.services.get(serviceType)?.config.rateLimit,
  })
  closing.push(() => limits.close())
  const caller = createToolCaller({
    ...guard,
    remote: { pins: databasePinStore(runtimePool) },
    onBreakerChange: ({ state, serviceType }) => {
      if (state === 'open') duties.health.suspect(serviceType as ServiceType)
    },
  })
  closing.push(() => caller.close())
  const clients = configuredClients(process.env, { pool: runtimePool, keys })
  const tokens = openTokenVerifier(settings, runtimePool, closing)
  const directory = await openDirectory({
    runtime: runtimePool,
    databaseUrl: settings.roles.runtime,
    vault,
    async verifyAccessToken(token, instanceId, serviceType) {
      const found = await tokens.verify(token, instanceUrl(settings.baseUrl, instanceId, serviceType))
      return found && { userId: found.userId, scopes: [...found.scopes], endsAtMs: found.expiresAtMs }
    },
    // By its own listener: a look-up that overtakes the word of a revocation must not find what was held before it.
    forgetAccessTokens: (userId) => tokens.forget(userId),
    refresher: refresherWhenNeeded(
      { runtime: runtimePool, locks: locksPool, vault, catalog: () => served.catalog, clients },
      guard,
    ),
  })
  closing.push(() => directory.close())
  const metrics = createGatewayMetrics({
    usage: recorder,
    limits,
    sessions: () => directory.statistics().sessions,
    breakers: () => caller.breakers(),
  })
  const usage = metrics.metered(recorder)
  const signals = reportWorkerSignals({
    pool: runtimePool,
    dropped: () => recorder.dropped,
    openBreakers: () => openBreakers(caller),
  })
  closing.push(() => signals.close())
  const runtime = createMcpRuntime({
    caller: tracingIsOn() ? (await import('./call-spans.ts')).withSpans(caller) : caller,
    usage,
    limits,
    version: settings.version,
    builtIn: (service) => everything(service, { stateKey: Buffer.from(settings.secrets.questions, 'base64') }),
    onTrouble: (error) => logger.error({ err: error }, 'a request could not be served'),
  })
  closing.push(() => runtime.close())

  const reload = () =>
    served.reload().catch((error: unknown) => logger.error({ err: error }, 'the catalog before is served on'))
  const changes = await listenToChanges(
    settings.roles.runtime,
    (change) => {
      // What was made of this worker's own doing it serves already.
      if (change.kind === 'catalog' && change.digest !== served.catalog.digest) return reload()
      if (change.kind === 'service') {
        caller.forgetRemote(change.serviceType)
        clients.forget(change.serviceType)
      }
    },
    () => void reload(),
  )
  closing.push(() => changes.close())
  // What was changed after the catalog was read and before anybody listened was told to nobody here.
  const told = readCatalogDigest(runtimePool).catch(() => null)
  void told.then((digest) => (digest !== null && digest !== served.catalog.digest ? reload() : undefined))
  const edge = createEdge({
    catalog: () => served.catalog,
    serviceFor: (session, service) => caller.serviceFor(session, service),
    directory,
    runtime,
    hosts: hostRules(settings.baseUrl, settings.allowedHosts, settings.allowedOrigins),
    challenge: (instanceId, serviceType, reason) => challenge(settings.baseUrl, instanceId, serviceType, reason),
    onTrouble: ({ path, error }) => logger.error({ err: error, path }, 'a request could not be served'),
  })
  return { directory, caller, limits, usage, metrics, clients, changes, edge }
}

function openTokenVerifier(settings: WorkerSettings, runtime: Pool, closing: Closing) {
  const { baseUrl, externalIssuers = [], allowedUpstreams } = settings
  if (externalIssuers.length === 0) return createAccessTokenVerifier({ runtime, baseUrl })
  const documents = openIssuerDocuments(externalIssuers, allowedUpstreams)
  closing.push(() => documents.close())
  return createAccessTokenVerifier({ runtime, baseUrl, externalIssuers, readIssuerDocument: documents.read })
}

/** Services that this worker leaves alone for now. */
export function openBreakers(caller: PlatformToolCaller): ReadonlySet<string> {
  return new Set(caller.breakers().flatMap(({ state, serviceType }) => (state === 'open' ? [serviceType] : [])))
}
