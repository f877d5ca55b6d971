// The fetch of a connection to a remote MCP server: guarded addresses, one endpoint, the user's credential, bounded answers.
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { fail } from '@crossfade/model/failure.ts'
import { type Dispatcher, type RequestInit as UndiciInit, fetch as undiciFetch } from 'undici'
import type { InstanceSession } from '../instances/session.ts'
import { compileRequest } from '../upstream/build-request.ts'

/** Headers that the protocol's client may set; whatever else is ours. */
const passedHeaders: ReadonlySet<string> = new Set(['accept', 'content-type', 'last-event-id'])

export interface RemoteEndpoint {
  readonly url: URL
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>
}

/**
 * Speaks to `config.source.url` alone, as the user of the present session. The credential is asked for at every request, so that a renewed one is used at once, and is
 * placed as `config.auth` says. Redirects are errors. Answers end with an error after `bytesMax`, unpacked.
 */
export function remoteEndpoint(
  config: ServiceConfig,
  session: () => InstanceSession,
  dispatcher: Dispatcher,
  bytesMax: number,
): RemoteEndpoint {
  const service = config.serviceType
  if (config.source.kind !== 'remote-mcp') throw fail('CF13303', { service, reason: 'it is no remote MCP server' })
  // With variables every user could name a server of their own, and pins would be of whoever came first.
  if (config.source.url.includes('{') && config.variables !== undefined) {
    throw fail('CF13303', { service, reason: 'the address of a remote MCP server can not have variables' })
  }
  const shape = /^(https?:\/\/[^/?#]+)([^#]*)/i.exec(config.source.url)
  if (shape === null) throw fail('CF13303', { service, reason: 'it is no http or https URL' })
  const [, baseUrl = '', path = ''] = shape
  const call = { method: 'POST', baseUrl, path: path === '' ? '/' : path, parameters: [], body: null } as const
  const plan = compileRequest(call, config, 'the connection')
  const url = new URL(config.source.url)

  const fetch: RemoteEndpoint['fetch'] = async (asked, init = {}) => {
    const target = new URL(asked)
    if (target.origin !== url.origin || target.pathname !== url.pathname) {
      throw fail('CF13303', { service, reason: `the server named another address (${target.origin})` })
    }
    // A stream that stays open for every instance would cost a connection each, for news that the next listing brings as well.
    if (init.method === 'GET') return new Response(null, { status: 405 })
    const current = session()
    const request = plan.build({}, current.settings.variables, await current.credential())
    const headers: Record<string, string> = {}
    for (let index = 0; index < request.headers.length; index += 2) {
      headers[request.headers[index]!.toLowerCase()] = request.headers[index + 1]!
    }
    delete headers['accept-encoding']
    for (const [name, value] of new Headers(init.headers)) {
      if (passedHeaders.has(name) || name.startsWith('mcp-')) headers[name] = value
    }
    const sent: UndiciInit = { method: init.method ?? 'POST', headers, redirect: 'error', dispatcher }
    if (typeof init.body === 'string') sent.body = init.body
    if (init.signal) sent.signal = init.signal
    const answer = await undiciFetch(request.origin + request.path, sent)
    if (answer.status === 401) current.credentialRefused()
    return bounded(answer as unknown as Response, bytesMax)
  }
  return { url, fetch }
}

/** The same answer, its body ended with an error after `bytesMax` bytes. */
function bounded(answer: Response, bytesMax: number): Response {
  const { status, statusText } = answer
  const headers = new Headers([...answer.headers])
  headers.delete('content-encoding')
  headers.delete('content-length')
  if (answer.body === null) return new Response(null, { status, statusText, headers })
  let bytes = 0
  const counted = answer.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength
        if (bytes > bytesMax) controller.error(fail('CF13315', { host: 'The server', bytesMax, how: 'fewer items' }))
        else controller.enqueue(chunk)
      },
    }),
  )
  return new Response(counted, { status, statusText, headers })
}
