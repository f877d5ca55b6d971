import type { RequestListener, Server, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { httpAnswerOf } from '@crossfade/model/http-answers.ts'
import { refuse } from './answers.ts'

// Not by `import`: that reads everything which the module could give, its WebSocket among it, and so loads Node's own fetch, for which a worker has no use.
const { createServer } = createRequire(import.meta.url)('node:http') as typeof import('node:http')

/** Headers of a request, all of them. */
const headerBytesMax = 16 * 1024
/** From a connection's first byte to the end of its headers. */
const headersMsMax = 10_000
/** From there to the end of the body: who sends slower is cut off with 408. */
const requestMsMax = 30_000
/** How long an idle connection is kept: longer than load balancers keep theirs, so that they close first. */
const keepAliveMsMax = 65_000
/** How often slow connections are looked for. */
const slowLookMs = 2_000
/** Open connections of one worker; more wait in the kernel's queue or are refused by it. */
const connectionsMax = 10_000
const backlogMax = 1_024

/** From the word that a request was given up to the end of its connection. */
const tellMsMax = 200

export interface ListenAddress {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Several processes listen on the same port, and the kernel gives each connection to one of them. */
  readonly shared: boolean
}

export interface ServerTimes {
  readonly headersMs: number
  readonly requestMs: number
  readonly lookMs: number
}

/** What each server has not answered yet. */
const responses = new WeakMap<Server, ReadonlySet<ServerResponse>>()

/** Makes an HTTP server with the limits of the edge. Strict parsing: a request with both a length and chunks, or a bare line feed, is refused. */
export function edgeServer(listener: RequestListener, times: Partial<ServerTimes> = {}): Server {
  const server = createServer(
    {
      maxHeaderSize: headerBytesMax,
      headersTimeout: times.headersMs ?? headersMsMax,
      requestTimeout: times.requestMs ?? requestMsMax,
      connectionsCheckingInterval: times.lookMs ?? slowLookMs,
      keepAliveTimeout: keepAliveMsMax,
      insecureHTTPParser: false,
      requireHostHeader: true,
      noDelay: true,
    },
    listener,
  )
  server.maxConnections = connectionsMax
  const underWay = new Set<ServerResponse>()
  const over = function (this: ServerResponse) {
    underWay.delete(this)
  }
  server.on('request', (_request, response) => {
    underWay.add(response)
    response.on('close', over)
  })
  responses.set(server, underWay)
  // What comes after a switch of protocols would not pass the edge.
  server.on('upgrade', (_request, socket) => socket.destroy())
  server.on('connect', (_request, socket) => socket.destroy())
  return server
}

/** Listens; resolves with the port. Rejects with CF14007. */
export function listenOn(server: Server, { host, port, shared }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(fail('CF14007', { host, port, reason: reasonOf(error) }, error)))
    server.listen({ host, port, reusePort: shared, backlog: backlogMax }, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/**
 * No new connections; requests under way get `closeMsMax` to finish. What is not answered by then is told so (503, CF14027), so that nobody has to guess what became of a request; answers that had begun,
 * such as streams, are ended. For servers of `edgeServer`.
 */
export async function closeServer(server: Server, closeMsMax: number): Promise<void> {
  const underWay = responses.get(server) ?? new Set()
  // Otherwise a client would send its next request on a connection that nobody listens to any more.
  for (const response of underWay) if (!response.headersSent) response.setHeader('connection', 'close')
  let cut: NodeJS.Timeout | undefined
  const giveUp = setTimeout(() => {
    for (const response of underWay) tellOfEnd(response)
    cut = setTimeout(() => server.closeAllConnections(), tellMsMax)
  }, closeMsMax)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
  clearTimeout(giveUp)
  clearTimeout(cut)
}

function tellOfEnd(response: ServerResponse): void {
  const failure = fail('CF14027')
  if (response.headersSent || !response.req.url!.startsWith('/api/')) return refuse(response, failure)
  const { code, message, remedy, retry } = failure
  const { status, retryAfterSeconds } = httpAnswerOf(failure)
  response.writeHead(status, { 'content-type': 'application/json', 'retry-after': String(retryAfterSeconds) })
  response.end(JSON.stringify({ code, message, remedy, retry }))
}
