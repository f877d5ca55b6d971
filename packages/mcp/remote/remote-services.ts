// Remote MCP servers behind the same vault and instance URL: their tools as services, their calls as outcomes.
import type { Service, Tool, ToolSummary } from '@crossfade/catalog/catalog.ts'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { type Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import { type Client, ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from '@modelcontextprotocol/client'
import type { CallToolResult } from '@modelcontextprotocol/server'
import { Agent } from 'undici'
import type { Credential, InstanceSession } from '../instances/session.ts'
import { type GuardOptions, guardedConnector } from '../upstream/address-guard.ts'
import { refusalIn } from '../upstream/exchange.ts'
import { failureOutcome, redact, statusFailure } from '../upstream/failure-result.ts'
import { type BreakerReport, createOriginBreakers, failuresToOpen, type Verdict } from '../upstream/origin-breakers.ts'
import { secretsOf } from '../upstream/place-credential.ts'
import type { ToolCall, ToolCaller, ToolOutcome } from '../upstream/upstream.ts'
import { createRemoteConnections } from './remote-connections.ts'
import { definitionsOf, toolOf } from './remote-definitions.ts'
import { type DigestedDefinition, judge, type PinStore } from './tool-pins.ts'

/** From a call's beginning to its result. */
const callMsMax = 60_000
/** To connect, or to list all tools. */
const setUpMsMax = 20_000
/** A list of tools is believed for so long. */
const listMsMax = 300_000
/** Of one answer, unpacked. */
const responseBytesMax = 8_388_608
/** Lists that are kept; beyond, the one made longest ago is forgotten. */
const listsMax = 5_000
const connectionsPerOriginMax = 64

export interface RemoteServicesOptions extends GuardOptions {
  readonly pins: PinStore
  /** Services whose new tools are pinned at first sight. Changed ones are quarantined in any case. */
  readonly acceptNewTools?: ReadonlySet<string>
  readonly callMsMax?: number
  readonly responseBytesMax?: number
  readonly listMsMax?: number
  readonly version?: string
  readonly onQuarantined?: (serviceType: string, tools: readonly DigestedDefinition[]) => void
}

export interface RemoteServices extends ToolCaller {
  /**
   * The service as this instance may use it: the tools that the server tells this user of and whose definitions are pinned. Asked of the server at most
   * every few minutes; an older list is served when the server can't be reached. Rejects with CF13331, CF13340 and others when there is none.
   */
  open(session: InstanceSession, config: ServiceConfig): Promise<Service>
  /** Forgets the lists of a service: pins were approved, or the configuration changed. */
  forget(serviceType?: string): void
  breakers(): readonly BreakerReport[]
}

interface Listed {
  readonly serviceType: string
  readonly version: number
  readonly config: ServiceConfig
  readonly listedAtMs: number
  readonly service: Service
  readonly quarantined: ReadonlyMap<string, DigestedDefinition>
}

type Attempt = { readonly result: CallToolResult } | { readonly error: unknown }

export function remoteServices(options: RemoteServicesOptions): RemoteServices {
  const msMax = options.callMsMax ?? callMsMax
  const bytesMax = options.responseBytesMax ?? responseBytesMax
  const believedMs = options.listMsMax ?? listMsMax
  const agent = new Agent({
    connect: guardedConnector(options),
    allowH2: false,
    pipelining: 1,
    connections: connectionsPerOriginMax,
    headersTimeout: msMax,
    bodyTimeout: msMax,
  })
  const setUpMs = Math.min(setUpMsMax, msMax)
  const connections = createRemoteConnections(agent, options.version ?? '0', setUpMs, bytesMax)
  const breakers = createOriginBreakers<Attempt>(verdictOn)
  // By instance, in the order of their making.
  const lists = new Map<string, Listed>()
  const listing = new Map<string, Promise<Listed>>()

  const list = async (session: InstanceSession, config: ServiceConfig): Promise<Listed> => {
    const { serviceType, instanceId } = session
    const client = await connections.open(session, config)
    const { tools } = await client.listTools(undefined, { timeout: setUpMs, cacheMode: 'refresh' })
    const definitions = definitionsOf(tools)
    let judged = judge(definitions, await options.pins.load(serviceType))
    if (judged.quarantined.length > 0) {
      await options.pins.save(serviceType, judged.quarantined, options.acceptNewTools?.has(serviceType) ?? false)
      judged = judge(definitions, await options.pins.load(serviceType))
      if (judged.quarantined.length > 0) options.onQuarantined?.(serviceType, judged.quarantined)
    }
    const listed: Listed = {
      serviceType,
      version: session.credentialVersion,
      config,
      listedAtMs: performance.now(),
      service: remoteService(config, judged.approved.map(toolOf)),
      quarantined: new Map(judged.quarantined.map((tool) => [tool.name, tool])),
    }
    lists.delete(instanceId)
    lists.set(instanceId, listed)
    if (lists.size > listsMax) {
      const [oldest] = lists.keys()
      if (oldest !== undefined) lists.delete(oldest)
    }
    return listed
  }

  const listedFor = async (session: InstanceSession, config: ServiceConfig): Promise<Listed> => {
    const { instanceId, credentialVersion } = session
    const known = lists.get(instanceId)
    const isSame = known !== undefined && known.version === credentialVersion && known.config === config
    if (isSame && performance.now() - known.listedAtMs < believedMs) return known
    const key = `${instanceId} ${credentialVersion}`
    let running = listing.get(key)
    if (running === undefined) {
      running = list(session, config).finally(() => listing.delete(key))
      listing.set(key, running)
    }
    try {
      return await running
    } catch (error) {
      connections.drop(instanceId)
      if (isSame) return known
      const credential = await session.credential()
      throw failureOf(error, config, credential, msMax)
    }
  }

  const attempt = async (call: ToolCall, client: Client): Promise<Attempt> => {
    const { tool, signal, traceparent } = call
    const params = {
      name: tool.name,
      arguments: { ...call.arguments },
      ...(traceparent === undefined ? {} : { _meta: { traceparent } }),
    }
    try {
      return {
        result: (await client.callTool(params, { signal, timeout: msMax, maxTotalTimeout: msMax })) as CallToolResult,
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      return { error }
    }
  }

  const call = async (toolCall: ToolCall): Promise<ToolOutcome> => {
    const { session, service, tool, signal } = toolCall
    const { config } = service
    signal.throwIfAborted()
    try {
      const listed = await listedFor(session, config)
      // What was listed to the client may have been quarantined since.
      if (listed.service.tool(tool.name)?.digest !== tool.digest) {
        const digest = (listed.quarantined.get(tool.name)?.digest ?? 'gone').slice(0, 12)
        return failureOutcome(fail('CF13341', { tool: tool.name, service: config.serviceType, digest }))
      }
      signal.throwIfAborted()
      const run = async (): Promise<Attempt> => {
        const first = await connect(session, config)
        if (!('client' in first)) return first
        const tried = await attempt(toolCall, first.client)
        // A server that has forgotten its session has not carried the call out; it is told of the session anew, once.
        if (!('error' in tried) || !isForgotten(tried.error)) return tried
        connections.drop(session.instanceId)
        const second = await connect(session, config)
        return 'client' in second ? attempt(toolCall, second.client) : second
      }
      const running = breakers.run(config.serviceType, originOf(config), session.instanceId, run)
      if (running === null) {
        return failureOutcome(fail('CF13318', { host: originOf(config), failures: failuresToOpen, seconds: 2 }))
      }
      const attempted = await running
      if ('error' in attempted) throw attempted.error
      return { result: attempted.result, statusCode: 200, errorCode: null }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      const failure = failureOf(error, config, await session.credential(), msMax)
      if (failure.code === 'CF13340' || failure.code === 'CF13312') connections.drop(session.instanceId)
      return failureOutcome(failure, error instanceof SdkHttpError ? error.status : 0)
    }
  }

  const connect = async (
    session: InstanceSession,
    config: ServiceConfig,
  ): Promise<{ client: Client } | { error: unknown }> => {
    try {
      return { client: await connections.open(session, config) }
    } catch (error) {
      return { error }
    }
  }

  return {
    open: async (session, config) => (await listedFor(session, config)).service,
    call,
    forget(serviceType) {
      for (const [instanceId, listed] of lists) {
        if (serviceType === undefined || listed.serviceType === serviceType) lists.delete(instanceId)
      }
    },
    breakers: () => breakers.report(),
    async close() {
      await connections.close()
      await agent.destroy()
    },
  }
}

/** A service whose tools are those of a remote server, as far as they are approved. `tools` of the configuration says which are listed; none: all. */
export function remoteService(config: ServiceConfig, tools: readonly Tool[]): Service {
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  const chosen = config.tools.flatMap((name) => byName.get(name) ?? [])
  return {
    config,
    listed: config.tools.length === 0 ? tools : chosen,
    operationCount: tools.length,
    tool: (name) => byName.get(name),
    searchTools: (query, limit) => search(tools, query, limit),
  }
}

/** Tools that have every word of the query in name, title or description; those with most of them in the name first. */
function search(tools: readonly Tool[], query: string, limit: number): readonly ToolSummary[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const ranked = tools.flatMap((tool) => {
    const name = tool.name.toLowerCase()
    const text = `${name} ${tool.title ?? ''} ${tool.description}`.toLowerCase()
    if (!words.every((word) => text.includes(word))) return []
    return [{ tool, rank: words.filter((word) => name.includes(word)).length }]
  })
  ranked.sort((one, other) => other.rank - one.rank)
  return ranked.slice(0, limit).map(({ tool: { name, description } }) => ({ name, description }))
}

function originOf(config: ServiceConfig): string {
  return config.source.kind === 'remote-mcp' ? new URL(config.source.url).origin : ''
}

/** The protocol's answer to a session that a server does not know (any more): 404. */
function isForgotten(error: unknown): boolean {
  return error instanceof SdkHttpError && error.status === 404
}

function verdictOn(attempt: Attempt): Verdict {
  if ('result' in attempt || attempt.error instanceof ProtocolError) return 'good'
  const { error } = attempt
  if (error instanceof SdkHttpError)
    return error.status >= 502 && error.status <= 504 ? 'bad' : error.status >= 500 ? 'doubtful' : 'good'
  if (refusalIn(error) !== null) return 'good'
  return error instanceof SdkError && error.code !== SdkErrorCode.RequestTimeout ? 'doubtful' : 'bad'
}

function failureOf(error: unknown, config: ServiceConfig, credential: Credential, milliseconds: number): Failure {
  const refusal = refusalIn(error)
  if (refusal !== null) return refusal
  const service = config.serviceType
  const reason = redact(
    reasonOf(error instanceof Error && error.cause instanceof Error ? error.cause : error),
    secretsOf(credential),
  )
  const short = reason.slice(0, 500).replace(/[.\s]+$/, '')
  if (error instanceof SdkHttpError) {
    const body = Buffer.from(typeof error.data['text'] === 'string' ? error.data['text'] : '')
    return error.status >= 400
      ? statusFailure(error.status, {}, body, service, credential)
      : fail('CF13340', { service, reason: short })
  }
  if (error instanceof ProtocolError) return fail('CF13342', { service, reason: short })
  if (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout) {
    return fail('CF13312', { host: originOf(config), milliseconds })
  }
  return fail('CF13340', { service, reason: short })
}
