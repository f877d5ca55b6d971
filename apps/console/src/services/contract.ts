/** What the MCP platform's API sends. Types alone: nothing of the server is bundled. */
export type {
  ApiToken,
  Application,
  Audit,
  Session as ServicesSession,
  Usage,
} from '@crossfade/gateway-app/contract/account.ts'
export type { Imported, PinnedTool } from '@crossfade/gateway-app/contract/imports.ts'
export type {
  Authenticate,
  Authenticated,
  ChangeInstance,
  Instance,
  InstanceDetail,
  MintedToken,
  NewToken,
  Snippet,
  Token,
} from '@crossfade/gateway-app/contract/instances.ts'
export type {
  Field,
  Health,
  ServiceDetail,
  ServiceHealth,
  ServicePage,
  ServiceSummary,
  ToolSummary,
} from '@crossfade/gateway-app/contract/services.ts'

/** A tool with the schema of its arguments. */
export interface ToolDetail {
  readonly name: string
  readonly title: string | null
  readonly description: string
  readonly inputSchema: Readonly<Record<string, unknown>>
  readonly annotations: Readonly<Record<string, boolean>>
  readonly method: string
  readonly path: string
}

export interface CalledTool {
  readonly result: Readonly<Record<string, unknown>>
  /** Of the upstream; 0 when it gave none. */
  readonly statusCode: number
  readonly errorCode: string | null
  readonly milliseconds: number
}
