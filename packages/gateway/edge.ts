// What stands between a socket and the runtime: who may ask, for which instance, with how large a body.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Catalog, Service } from '@crossfade/catalog/catalog.ts'
import type { InstanceDirectory, InstanceSession, PresentedSecret } from '@crossfade/mcp/instances/session.ts'
import type { McpRuntime } from '@crossfade/mcp/runtime/runtime.ts'
import { fail } from '@crossfade/model/failure.ts'
import { httpAnswerOf } from '@crossfade/model/http-answers.ts'
import type { InstanceId, ServiceType } from '@crossfade/model/platform-ids.ts'
import { asFailure, refuse, refuseWith } from './answers.ts'
import { type HostRules, hostCheck } from './host-check.ts'
import { type InstancePath, parseInstancePath } from './instance-path.ts'
import { type BodyRefusal, readBody } from './read-body.ts'

/** A request's body, at most: SDK clients send a few kilobytes, a file as base64 some megabytes. */
export const bodyBytesMax = 8 * 1024 * 1024
export interface EdgeOptions {
  /** The catalog of this moment; another one after a reload. A request keeps the one it began with. */
  readonly catalog: () => Catalog
  readonly directory: InstanceDirectory
  /** The service as this instance may use it: a remote MCP server tells its tools to each user. Default: the catalog's. */
  readonly serviceFor?: (session: InstanceSession, service: Service) => Service | Promise<Service>
  readonly runtime: McpRuntime
  readonly hosts: HostRules
  /** The `WWW-Authenticate` of a 401: tells a client where it gets a token. */
  readonly challenge: (
    instanceId: InstanceId,
    serviceType: ServiceType,
    reason: 'none_shown' | 'invalid_token',
  ) => string
  /** Told of what an operator must mend. Paths hold no secret. */
  readonly onTrouble?: (trouble: { readonly path: string; readonly error: unknown }) => void
}

export interface Edge {
  /**
   * Serves a request to an instance. False, with nothing done, when the path is no instance's. Always ends the response otherwise.
   * `fixedService` is the service of the static port that the request came to.
   */
  handle(request: IncomingMessage, response: ServerResponse, fixedService?: ServiceType | null): boolean
}

/** Makes the edge in front of a runtime. Holds no state but what `hostCheck` remembers. */
export function createEdge(options: EdgeOptions): Edge {
  const check = hostCheck(options.hosts)

  return {
    handle(request, response, fixedService = null) {
      const path = parseInstancePath(request.url!, fixedService)
      if (path === null) return false
      const foreign = check(request.headers)
      if (foreign !== null) refuseWith(response, 'CF14001', { part: foreign })
      else if (request.method === 'OPTIONS') preflight(request, response)
      else if (!methods.has(request.method!)) refuseWith(response, 'CF14002', { method: request.method }, { allow })
      else open(request, response, path)
      return true
    },
  }

  function open(request: IncomingMessage, response: ServerResponse, path: InstancePath): void {
    if (request.headers.origin !== undefined) allowOrigin(response, request.headers.origin)
    const presented = presentedSecret(request, path)
    if (presented === null) return refuseRequest(response, path, fail('CF12001'), 'none_shown')
    const refused = (error: unknown) => refuseRequest(response, path, error)
    try {
      const session = options.directory.open(path.instanceId, path.serviceType, presented)
      if (!(session instanceof Promise)) return serve(request, response, path, session)
      // The body waits in the socket meanwhile: nobody's bytes are read before it is known who sends them.
      session.then((opened) => serve(request, response, path, opened)).catch(refused)
    } catch (error) {
      refused(error)
    }
  }

  function serve(
    request: IncomingMessage,
    response: ServerResponse,
    path: InstancePath,
    session: InstanceSession,
  ): void {
    const service = options.catalog().services.get(path.serviceType)
    if (service === undefined) return refuseWith(response, 'CF14003', { service: path.serviceType })
    const refused = (error: unknown) => refuseRequest(response, path, error)
    readBody(request, bodyBytesMax, (outcome) => {
      if ('refused' in outcome) return refuseBody(response, outcome.refused)
      try {
        const handled = handle(request, response, outcome.body, session, service)
        if (handled instanceof Promise) handled.catch(refused)
      } catch (error) {
        refused(error)
      }
    })
  }

  function handle(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    session: InstanceSession,
    service: Service,
  ): void | Promise<void> {
    const used = options.serviceFor?.(session, service) ?? service
    if (!(used instanceof Promise)) return options.runtime.handle(request, response, body, { session, service: used })
    return used.then((told) => options.runtime.handle(request, response, body, { session, service: told }))
  }

  /** Whatever keeps a request from being served: 401 with the way to a token, and what an operator must mend is told. */
  function refuseRequest(
    response: ServerResponse,
    path: InstancePath,
    error: unknown,
    reason: 'none_shown' | 'invalid_token' = 'invalid_token',
  ): void {
    const failure = asFailure(error)
    const { status } = httpAnswerOf(failure)
    if (status === 500) options.onTrouble?.({ path: `/${path.instanceId}/${path.serviceType}/`, error })
    const { instanceId, serviceType } = path
    refuse(
      response,
      failure,
      status === 401 ? { 'www-authenticate': options.challenge(instanceId, serviceType, reason) } : {},
    )
  }
}

const methods: ReadonlySet<string> = new Set(['POST', 'GET', 'DELETE'])
const allow = 'POST, GET, DELETE, OPTIONS'

/** A bearer token wins over the secret of the URL: whoever sends one means it. */
function presentedSecret(request: IncomingMessage, path: InstancePath): PresentedSecret | null {
  const header = request.headers.authorization
  if (header !== undefined) {
    if (header.length > 8 && header.slice(0, 7).toLowerCase() === 'bearer ') {
      return { kind: 'bearer', secret: header.slice(7).trim() }
    }
    return null
  }
  return path.urlSecret === null ? null : { kind: 'url', secret: path.urlSecret }
}

const bodyRefusals = { 'too large': 'CF14004', encoded: 'CF14005', 'cut short': 'CF14006' } as const

function refuseBody(response: ServerResponse, refused: BodyRefusal): void {
  // What is left of the body is not read, so the connection can't carry another request.
  refuseWith(response, bodyRefusals[refused], { bytes: bodyBytesMax }, { connection: 'close' })
}

function preflight(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers.origin !== undefined) allowOrigin(response, request.headers.origin)
  response.writeHead(204, {
    'access-control-allow-methods': allow,
    'access-control-allow-headers':
      'authorization, content-type, accept, last-event-id, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, traceparent',
    'access-control-max-age': '600',
  })
  response.end()
}

/** The origin has passed the check, so its page may read the answer. */
function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader(
    'access-control-expose-headers',
    'mcp-session-id, mcp-protocol-version, www-authenticate, retry-after',
  )
  response.setHeader('vary', 'origin')
}
