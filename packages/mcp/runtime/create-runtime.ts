// MCP over HTTP for one opened instance: the compiled path where a request is plain, the SDK for everything else.
import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Service } from '@crossfade/catalog/catalog.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import {
  type CallToolResult,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  isJsonContentType,
  PARSE_ERROR,
  ProtocolError,
  SERVER_INFO_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
  TRACEPARENT_META_KEY,
} from '@modelcontextprotocol/server'
import type { ServedInstance } from '../instances/session.ts'
import type { CallLimits } from '../limits/limits.ts'
import type { ToolCaller } from '../upstream/upstream.ts'
import type { UsageRecorder } from '../usage/usage.ts'
import { answerAccepted, answerCompiled, answerError, answerJson, answerList, refuseBody, told } from './answers.ts'
import { bodyTrouble } from './body-check.ts'
import type { BuiltIn } from './built-in.ts'
import { createCallsInFlight } from './calls-in-flight.ts'
import { createLegacySessions, type LegacySession } from './legacy-sessions.ts'
import { acceptsBoth, modernRevision, type Recognised, recognise } from './recognise.ts'
import type { McpRuntime } from './runtime.ts'
import { createSdkPath } from './sdk-path.ts'
import type { SdkServerParts } from './sdk-server.ts'
import { createArgumentCheck } from './tool-arguments.ts'
import { createToolDispatch, retryAfterMetaKey } from './tool-dispatch.ts'
import { createToolViews } from './tool-views.ts'
import { traceparentOf } from './traceparent.ts'

/** JSON-RPC's number for errors that a server defines itself. */
const serverErrorCode = -32_000
/** The number that the SDK's transport gives with a 404. */
const sessionNotFoundCode = -32_001

export interface McpRuntimeOptions {
  readonly caller: ToolCaller
  readonly usage: UsageRecorder
  readonly limits: CallLimits
  /** Told to clients as the server's version. */
  readonly version?: string
  /** Makes the built-in server of a service whose source is `built-in`; called once per service. */
  readonly builtIn?: (service: Service) => BuiltIn
  /** Told of what is no client's mistake. */
  readonly onTrouble?: (error: unknown) => void
}

type RecognisedRequest = Recognised & { readonly kind: 'request' }

/** Makes the runtime of a worker. It owns neither the caller, the recorder nor the limits. */
export function createMcpRuntime(options: McpRuntimeOptions): McpRuntime {
  const onTrouble = options.onTrouble ?? (() => {})
  const builtIns = new WeakMap<Service, BuiltIn>()
  const views = createToolViews(options.version ?? '0.1.0', (service) => builtIns.get(service)?.capabilities ?? {})
  const dispatch = createToolDispatch({
    usage: options.usage,
    limits: options.limits,
    check: createArgumentCheck(),
    onTrouble,
  })
  const sdk = createSdkPath(() => {})
  const sessions = createLegacySessions(onTrouble)
  const inFlight = createCallsInFlight()

  return {
    handle(request, response, body, given) {
      try {
        const builtIn = builtInOf(given.service)
        const instance = builtIn === null ? given : { session: given.session, service: builtIn.service }
        if (request.method === 'POST') return post(request, response, body, instance, builtIn)
        const session = sessionOf(request, instance, builtIn)
        if (session === 'unknown') return refuseSession(response)
        if (session !== null) return guard(response, sessions.serve(request, response, undefined, session))
        return serveBySdk(request, response, undefined, instance, builtIn)
      } catch (error) {
        giveUp(response, error)
      }
    },
    toolsChanged(serviceType) {
      views.forget(serviceType)
      sdk.toolsChanged(serviceType)
      sessions.toolsChanged(serviceType)
    },
    async close() {
      await Promise.all([sdk.close(), sessions.close()])
    },
  }

  function post(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    instance: ServedInstance,
    builtIn: BuiltIn | null,
  ): void | Promise<void> {
    const contentType = request.headers['content-type']
    if (contentType !== 'application/json' && !isJsonContentType(contentType ?? null)) {
      const message = 'Unsupported Media Type: Content-Type must be application/json'
      return answerError(response, 415, { code: serverErrorCode, message })
    }
    if (!isUtf8(body)) return refuseBody(response, 'CF13007')
    let parsed: unknown
    try {
      parsed = JSON.parse(body.toString())
    } catch {
      return refuseUnparsed(request, response)
    }
    const trouble = bodyTrouble(parsed)
    if (trouble !== null) return refuseBody(response, trouble.code, trouble.details)

    const recognised = recognise(parsed, request.headers)
    if (recognised?.kind === 'notification' && recognised.method === 'notifications/cancelled') {
      inFlight.cancel(instance.session, clientOf(request), recognised.params?.['requestId'])
    }
    if (
      builtIn !== null &&
      (recognised === null || recognised.kind === 'notification' || recognised.era === 'legacy')
    ) {
      const taken = serveBySession(request, response, parsed, recognised, instance, builtIn)
      if (taken !== null) return taken
    }
    if (recognised === null) return serveBySdk(request, response, parsed, instance, builtIn)
    if (recognised.kind === 'notification') return answerAccepted(response)
    return answer(request, response, recognised, parsed, instance, builtIn)
  }

  /** What only a session can answer; null for the rest, which the compiled path or the SDK answers as for everybody. */
  function serveBySession(
    request: IncomingMessage,
    response: ServerResponse,
    parsed: unknown,
    recognised: Recognised | null,
    instance: ServedInstance,
    builtIn: BuiltIn,
  ): void | Promise<void> | null {
    const isPlain = recognised?.kind === 'request'
    if (isPlain && recognised.method === 'initialize') {
      return guard(response, sessions.open(request, response, parsed, partsFor(request, instance, builtIn)))
    }
    const session = sessionOf(request, instance, builtIn)
    if (session === null) return null
    if (session === 'unknown') return refuseSession(response)
    const talks =
      isPlain && recognised.method === 'tools/call' && builtIn.talkingTools.has(String(recognised.params!['name']))
    if (isPlain && !talks) return null
    return guard(response, sessions.serve(request, response, parsed, session))
  }

  /** The session that the request names; `unknown` when it is not this instance's and user's. */
  function sessionOf(
    request: IncomingMessage,
    instance: ServedInstance,
    builtIn: BuiltIn | null,
  ): LegacySession | 'unknown' | null {
    const id = request.headers['mcp-session-id']
    // Requests of the stateless revision belong to no session, whatever they name.
    if (builtIn === null || typeof id !== 'string' || request.headers['mcp-protocol-version'] === modernRevision)
      return null
    return sessions.find(id, instance) ?? 'unknown'
  }

  function refuseSession(response: ServerResponse): void {
    answerError(response, 404, { code: sessionNotFoundCode, message: 'Session not found' })
  }

  function guard(response: ServerResponse, serving: Promise<void>): Promise<void> {
    return serving.catch((error: unknown) => giveUp(response, error))
  }

  function answer(
    request: IncomingMessage,
    response: ServerResponse,
    recognised: RecognisedRequest,
    parsed: unknown,
    instance: ServedInstance,
    builtIn: BuiltIn | null,
  ): void | Promise<void> {
    const { service, session } = instance
    switch (recognised.method) {
      case 'tools/list': {
        const startedMs = performance.now()
        const view = views.view(service, session)
        const cursor = recognised.params?.['cursor']
        const page = cursor === undefined ? view.firstPage : view.pages.get(cursor as string)
        if (page === undefined) {
          return answerError(response, 200, { code: INVALID_PARAMS, ...told(fail('CF13009')) }, recognised.id)
        }
        answerList(
          response,
          recognised.era === 'modern' ? page.modern : page.legacy,
          recognised.id,
          request.headers['accept-encoding'],
        )
        return recordList(instance, startedMs)
      }
      case 'tools/call':
        if (builtIn?.talkingTools.has(recognised.params!['name'] as string)) {
          return serveBySdk(request, response, parsed, instance, builtIn)
        }
        return call(request, response, recognised, instance, builtIn, parsed)
      case 'server/discover':
        return answerCompiled(response, views.identity(service).discover, recognised.id)
      case 'initialize': {
        const asked = recognised.params!['protocolVersion'] as string
        const version = SUPPORTED_PROTOCOL_VERSIONS.includes(asked) ? asked : SUPPORTED_PROTOCOL_VERSIONS[0]!
        return answerCompiled(response, views.identity(service).initialize(version), recognised.id)
      }
      case 'ping':
        return answerCompiled(response, pong, recognised.id)
    }
  }

  function call(
    request: IncomingMessage,
    response: ServerResponse,
    recognised: RecognisedRequest,
    instance: ServedInstance,
    builtIn: BuiltIn | null,
    parsed: unknown,
  ): void | Promise<void> {
    const { id, era, meta } = recognised
    const name = recognised.params!['name'] as string
    const view = views.view(instance.service, instance.session)
    // Headers that mirror arguments are the SDK's to compare.
    if (era === 'modern' && mirrorsArguments(view.tool(name)?.inputSchema)) {
      return serveBySdk(request, response, parsed, instance, builtIn)
    }
    const controller = new AbortController()
    const isOver =
      era === 'legacy' ? inFlight.begin(instance.session, clientOf(request), id, () => controller.abort()) : null
    response.once('close', () => {
      isOver?.()
      if (!response.writableFinished) controller.abort()
    })
    const finish = (result: CallToolResult) => answerCall(response, result, recognised, view.service)
    try {
      const result = dispatch.call({
        instance,
        view,
        caller: builtIn?.caller ?? options.caller,
        name,
        arguments: (recognised.params!['arguments'] ?? {}) as Readonly<Record<string, unknown>>,
        traceparent: traceparentOf(meta?.[TRACEPARENT_META_KEY] ?? request.headers['traceparent']),
        signal: controller.signal,
      })
      if (!(result instanceof Promise)) return finish(result)
      return result.then(finish).catch((error: unknown) => refuseCall(response, error, id))
    } catch (error) {
      refuseCall(response, error, id)
    }
  }

  function answerCall(
    response: ServerResponse,
    result: CallToolResult,
    { id, era }: RecognisedRequest,
    service: Service,
  ): void {
    const projected = projectResult(result, era)
    const whole =
      era === 'legacy'
        ? projected
        : {
            ...projected,
            resultType: 'complete',
            _meta: { ...projected._meta, [SERVER_INFO_META_KEY]: views.identity(service).serverInfo },
          }
    const retryAfterMs = result._meta?.[retryAfterMetaKey]
    answerJson(
      response,
      200,
      JSON.stringify({ result: whole, jsonrpc: '2.0', id }),
      typeof retryAfterMs === 'number' ? ['Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1_000)))] : [],
    )
  }

  function refuseCall(response: ServerResponse, error: unknown, id: string | number): void {
    if (response.destroyed) return
    if (error instanceof ProtocolError) {
      const { code, message, data } = error
      return answerError(response, 200, { code, message, ...(data === undefined ? {} : { data }) }, id)
    }
    // The client cancelled this call: nobody waits for its answer, but the exchange must end.
    if (error instanceof Failure && error.code === 'CF13013') {
      return answerError(response, 200, { code: serverErrorCode, ...told(error) }, id)
    }
    giveUp(response, error, id)
  }

  function serveBySdk(
    request: IncomingMessage,
    response: ServerResponse,
    parsed: unknown,
    instance: ServedInstance,
    builtIn: BuiltIn | null,
  ): Promise<void> {
    return guard(response, sdk.serve(request, response, parsed, partsFor(request, instance, builtIn)))
  }

  function partsFor(request: IncomingMessage, instance: ServedInstance, builtIn: BuiltIn | null): SdkServerParts {
    const { serviceType } = instance.session
    return {
      instance,
      view: views.view(instance.service, instance.session),
      identity: views.identity(instance.service),
      caller: builtIn?.caller ?? options.caller,
      dispatch,
      builtIn,
      changes: {
        toolsChanged() {
          sdk.toolsChanged(serviceType)
          sessions.toolsChanged(serviceType)
        },
        promptsChanged() {
          sdk.promptsChanged(serviceType)
          sessions.promptsChanged(serviceType)
        },
      },
      traceparent: traceparentOf(request.headers['traceparent']),
    }
  }

  function builtInOf(service: Service): BuiltIn | null {
    if (service.config.source.kind !== 'built-in' || options.builtIn === undefined) return null
    let builtIn = builtIns.get(service)
    if (builtIn === undefined) {
      builtIn = options.builtIn(service)
      builtIns.set(service, builtIn)
      builtIns.set(builtIn.service, builtIn)
    }
    return builtIn
  }

  function recordList({ session }: ServedInstance, startedMs: number): void {
    options.usage.record({
      userId: session.userId,
      serviceType: session.serviceType,
      instanceId: session.instanceId,
      endpoint: 'tools/list',
      method: 'POST',
      statusCode: 200,
      responseTimeMs: performance.now() - startedMs,
      errorCode: null,
      atMs: Date.now(),
    })
  }

  function giveUp(response: ServerResponse, error: unknown, id: string | number | null = null): void {
    onTrouble(error)
    if (response.headersSent) response.destroy()
    else answerError(response, 500, { code: INTERNAL_ERROR, message: 'Internal server error' }, id)
  }
}

const pong = '{"result":{},"jsonrpc":"2.0","id":'

/** What the SDK answers to a body that is no JSON. */
function refuseUnparsed(request: IncomingMessage, response: ServerResponse): void {
  if (acceptsBoth(request.headers)) {
    return answerError(response, 400, { code: PARSE_ERROR, message: 'Parse error: Invalid JSON' })
  }
  const message = 'Not Acceptable: Client must accept both application/json and text/event-stream'
  answerError(response, 406, { code: serverErrorCode, message })
}

/** As well as clients without a session can be told apart. */
function clientOf(request: IncomingMessage): string {
  const { headers, socket } = request
  return `${socket.remoteAddress} ${headers['user-agent'] ?? ''} ${headers['mcp-session-id'] ?? ''}`
}

const mirroring = new WeakMap<object, boolean>()

/** Whether a schema wants `Mcp-Param-*` headers. Looked at once per schema. */
function mirrorsArguments(schema: object | undefined): boolean {
  if (schema === undefined) return false
  let known = mirroring.get(schema)
  if (known === undefined) {
    known = JSON.stringify(schema).includes('"x-mcp-header"')
    mirroring.set(schema, known)
  }
  return known
}

/** What the SDK does to results whose structured content is no object: said in text too, and wrapped for revisions that know only objects. */
function projectResult(result: CallToolResult, era: 'modern' | 'legacy'): CallToolResult {
  const structured: unknown = result.structuredContent
  if (structured === undefined) return result
  if (typeof structured === 'object' && structured !== null && !Array.isArray(structured)) return result
  const hasText = result.content.some((content) => content.type === 'text')
  return {
    ...result,
    content: hasText ? result.content : [...result.content, { type: 'text', text: JSON.stringify(structured) }],
    ...(era === 'legacy' ? { structuredContent: { result: structured } } : {}),
  } as CallToolResult
}
