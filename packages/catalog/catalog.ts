// What the rest of the platform knows of services and their tools: compiled once, read-only, the same in every worker.
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { ServiceConfig } from './service-config.ts'

export type JsonSchema = Readonly<Record<string, unknown>>

/** Every service that can be served. Immutable: a changed catalog is another one, with another digest. */
export interface Catalog {
  /** SHA-256 (hex) over everything that serving depends on. */
  readonly digest: string
  readonly services: ReadonlyMap<ServiceType, Service>
  /** Services whose name, category or description match all words of `query`, the best first; all of them for an empty query. */
  searchServices(query: string): readonly Service[]
}

export interface Service {
  readonly config: ServiceConfig
  /** What `tools/list` shows, in its order. */
  readonly listed: readonly Tool[]
  /** How many operations there are in all, the listed ones among them. */
  readonly operationCount: number
  /** Any operation by its tool name, listed or not. Read from the snapshot when first asked for, then kept for a while. */
  tool(name: string): Tool | undefined
  /** Operations that match `query`, the best first, at most `limit`. */
  searchTools(query: string, limit: number): readonly ToolSummary[]
}

export interface ToolSummary {
  readonly name: string
  readonly description: string
}

/** An operation of an upstream as an MCP tool. Plain data: it goes into the snapshot as JSON. */
export interface Tool {
  /** `[A-Za-z0-9_.-]{1,64}`, unique in its service. */
  readonly name: string
  readonly title?: string
  readonly description: string
  /** JSON Schema 2020-12 of an object, self-contained: `$ref`s point into its own `$defs`. */
  readonly inputSchema: JsonSchema
  readonly annotations: ToolAnnotations
  readonly call: HttpCall
  /** SHA-256 (hex) of name, description, schema and annotations: what a client is told. */
  readonly digest: string
}

export interface ToolAnnotations {
  readonly readOnlyHint: boolean
  readonly destructiveHint: boolean
  readonly idempotentHint: boolean
  readonly openWorldHint: true
}

/** How arguments become a request. */
export interface HttpCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'
  /** Instead of the service's base URL, where the operation has another. May hold `{variables}`. */
  readonly baseUrl?: string
  /** `/repos/{owner}/{repo}` */
  readonly path: string
  readonly parameters: readonly CallParameter[]
  readonly body: CallBody | null
  /** Value of `accept`; default `application/json`. */
  readonly accept?: string
}

export interface CallParameter {
  /** Name of the tool's argument; differs from `name` where two places have one of the same name. */
  readonly argument: string
  /** Name on the wire. */
  readonly name: string
  readonly in: 'path' | 'query' | 'header' | 'cookie'
  readonly required: boolean
  /** OpenAPI's style; `form` and `simple` are the defaults of query and path. `tabDelimited` is Swagger 2's `tsv`. */
  readonly style:
    | 'simple'
    | 'label'
    | 'matrix'
    | 'form'
    | 'spaceDelimited'
    | 'pipeDelimited'
    | 'tabDelimited'
    | 'deepObject'
  readonly explode: boolean
  /** Reserved characters go as they are. */
  readonly allowReserved?: boolean
  /** The value is one text of this kind, whatever the style (OpenAPI's `content` parameters). */
  readonly content?: 'json' | 'text'
}

/** A member of a body's object, and how a form writes it. */
export interface BodyMember {
  readonly argument: string
  /** Name on the wire. */
  readonly name: string
  /** A file: the argument is its bytes as base64. */
  readonly binary?: boolean
  /** Written like a query parameter of this style. Absent: by `contentType`. */
  readonly style?: CallParameter['style']
  readonly explode?: boolean
  readonly allowReserved?: boolean
  /** Media types that the description names, separated by commas. Absent: JSON for objects, text for scalars, bytes for files, and lists item by item. */
  readonly contentType?: string
}

export type CallBody =
  /** The named arguments are members of the body; `fixed` is always sent beside them; `argumentsIn` wraps the arguments into one member. */
  | {
      readonly kind: 'members'
      readonly contentType: string
      readonly encoding: 'json' | 'form' | 'multipart'
      readonly members: readonly BodyMember[]
      readonly required: boolean
      readonly fixed?: Readonly<Record<string, unknown>>
      readonly argumentsIn?: string
    }
  /** One argument is the whole body: an array, a text, or bytes as base64. */
  | {
      readonly kind: 'whole'
      readonly contentType: string
      readonly encoding: 'json' | 'text' | 'base64'
      readonly argument: string
      readonly required: boolean
    }
