// The contract of a service that is part of Crossfade: it brings tools of its own, and may use everything that the protocol has.
import type { Service } from '@crossfade/catalog/catalog.ts'
import type {
  CallToolResult,
  InputRequiredResult,
  McpServer,
  ServerCapabilities,
  ServerContext,
} from '@modelcontextprotocol/server'
import type { ServedInstance } from '../instances/session.ts'
import type { ToolCaller } from '../upstream/upstream.ts'
import type { Era } from './recognise.ts'

/** Everything that a talking tool may use. */
export interface TalkContext {
  readonly instance: ServedInstance
  readonly server: McpServer
  readonly context: ServerContext
  readonly changes: Changes
}

/** Tells clients that listen. */
export interface Changes {
  toolsChanged(): void
  promptsChanged(): void
}

export interface BuiltIn {
  /** The service with the tools that this one brings. */
  readonly service: Service
  /** Carries out the plain tools. */
  readonly caller: ToolCaller
  readonly capabilities: ServerCapabilities
  /** Tools that talk with the client while they run: the SDK serves them. */
  readonly talkingTools: ReadonlySet<string>
  /** Carries out a talking tool. */
  talk(
    name: string,
    given: Readonly<Record<string, unknown>>,
    talk: TalkContext,
  ): Promise<CallToolResult | InputRequiredResult>
  /** Adds resources, prompts and whatever else to a server made for one request or session. */
  extend(server: McpServer, era: Era): void
  /** Verifies the state that comes back with a retried request. */
  verifyRequestState(state: string, context: ServerContext): unknown
}
