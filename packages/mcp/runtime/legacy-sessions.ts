// Sessions of the revisions before 2026-07-28, for services that ask their clients things. Held in the worker that opened them, each bound to its instance and user.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type McpServer, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server'
import type { ServedInstance, TokenScope } from '../instances/session.ts'
import { EventLog } from './event-log.ts'
import { type SdkServerParts, sdkServer } from './sdk-server.ts'
import { sendWebResponse, webRequest } from './web-bridge.ts'

/** Sessions of a worker, and of one instance: the longest unused is closed for a new one. */
const sessionsMax = 1_000
export const instanceSessionsMax = 20
/** A session nobody has used for that long is closed; the client opens another one when it is told 404. */
const idleMsMax = 30 * 60_000
const sweepMs = 60_000
/** How long a client waits before it comes back to a closed stream. */
const retryMs = 500
/** How long a stream of a session lives; the client comes back and shows its token again. */
const streamLifetimeMsMax = 15 * 60_000

export interface LegacySession {
  readonly id: string
  readonly transport: WebStandardStreamableHTTPServerTransport
  readonly server: McpServer
  readonly instanceId: string
  readonly userId: string
  /** What opened it. Its server was made with what this one may do. */
  readonly tokenId: string | null
  readonly scopes: ReadonlySet<TokenScope>
  usedAtMs: number
}

export interface LegacySessions {
  /** Opens a session with an `initialize` request. */
  open(request: IncomingMessage, response: ServerResponse, parsed: unknown, parts: SdkServerParts): Promise<void>
  /** The session of that id, if it is this instance's and user's and was opened with the same token; counts as used. To everybody else it does not exist. */
  find(id: string, instance: ServedInstance): LegacySession | null
  serve(request: IncomingMessage, response: ServerResponse, parsed: unknown, session: LegacySession): Promise<void>
  toolsChanged(serviceType: string): void
  promptsChanged(serviceType: string): void
  close(): Promise<void>
  readonly size: number
}

export function createLegacySessions(onTrouble: (error: unknown) => void, nowMs = Date.now): LegacySessions {
  /** In order of use, the longest unused first. */
  const sessions = new Map<string, LegacySession & { readonly serviceType: string }>()
  let sweeper: NodeJS.Timeout | undefined

  return {
    async open(request, response, parsed, parts) {
      const { session: owner } = parts.instance
      const transport = new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        eventStore: new EventLog(),
        retryInterval: retryMs,
        onsessioninitialized: (id) => {
          makeRoom(owner.instanceId)
          sessions.set(id, {
            id,
            transport,
            server,
            instanceId: owner.instanceId,
            userId: owner.userId,
            tokenId: owner.tokenId,
            scopes: new Set(owner.scopes),
            serviceType: owner.serviceType,
            usedAtMs: nowMs(),
          })
          sweeper ??= setInterval(sweep, sweepMs).unref()
        },
        onsessionclosed: (id) => void sessions.delete(id),
      })
      const server = sdkServer(parts, 'legacy')
      await server.connect(transport)
      await answer(request, response, parsed, transport)
      if (transport.sessionId === undefined) await server.close()
    },
    find(id, { session: owner }) {
      const session = sessions.get(id)
      if (session === undefined) return null
      if (session.instanceId !== owner.instanceId || session.userId !== owner.userId) return null
      // A token that may only read must not call through the session of one that may; access tokens have no id, and change with every refresh.
      if (session.tokenId !== owner.tokenId || !sameScopes(session.scopes, owner.scopes)) return null
      session.usedAtMs = nowMs()
      sessions.delete(id)
      sessions.set(id, session)
      return session
    },
    async serve(request, response, parsed, session) {
      const lifetime = setTimeout(() => response.destroy(), streamLifetimeMsMax).unref()
      try {
        await answer(request, response, parsed, session.transport)
      } finally {
        clearTimeout(lifetime)
        session.usedAtMs = nowMs()
      }
    },
    toolsChanged(serviceType) {
      tell(serviceType, (server) => server.sendToolListChanged())
    },
    promptsChanged(serviceType) {
      tell(serviceType, (server) => server.sendPromptListChanged())
    },
    async close() {
      clearInterval(sweeper)
      await Promise.all([...sessions.values()].map(end))
    },
    get size() {
      return sessions.size
    },
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    parsed: unknown,
    transport: WebStandardStreamableHTTPServerTransport,
  ): Promise<void> {
    const web = webRequest(request, response)
    await sendWebResponse(
      await transport.handleRequest(web, parsed === undefined ? {} : { parsedBody: parsed }),
      response,
    )
  }

  function tell(serviceType: string, send: (server: McpServer) => void | Promise<void>): void {
    for (const session of sessions.values()) {
      if (session.serviceType === serviceType) Promise.resolve(send(session.server)).catch(onTrouble)
    }
  }

  function makeRoom(instanceId: string): void {
    const own = [...sessions.values()].filter((session) => session.instanceId === instanceId)
    if (own.length >= instanceSessionsMax) void end(own[0]!)
    if (sessions.size >= sessionsMax) void end(sessions.values().next().value!)
  }

  function sweep(): void {
    const oldestMs = nowMs() - idleMsMax
    for (const session of [...sessions.values()]) if (session.usedAtMs < oldestMs) void end(session)
    if (sessions.size > 0) return
    clearInterval(sweeper)
    sweeper = undefined
  }

  async function end(session: LegacySession): Promise<void> {
    sessions.delete(session.id)
    await session.server.close().catch(onTrouble)
  }
}

function sameScopes(one: ReadonlySet<TokenScope>, other: ReadonlySet<TokenScope>): boolean {
  return one.size === other.size && [...one].every((scope) => other.has(scope))
}
