// The caller: who it is, what it did, its own API tokens.
import { type Static, Type } from 'typebox'
import { AnyObject, nullable, TimeSchema, word } from './vocabulary.ts'

export const SessionSchema = Type.Object(
  {
    /** Null: nobody is signed in. The rest is told to everybody. */
    user: nullable(
      Type.Object(
        {
          id: Type.String({ format: 'uuid' }),
          email: Type.String(),
          name: nullable(Type.String()),
          image: nullable(Type.String()),
          role: word(['member', 'admin'] as const),
        },
        { title: 'User' },
      ),
    ),
    via: nullable(word(['session', 'api_token'] as const)),
    areas: Type.Array(word(['services', 'migrations'] as const), { description: 'What this server serves.' }),
    version: Type.String(),
    baseUrl: Type.String(),
    signUp: Type.Boolean({ description: 'Whether people may make themselves an account.' }),
  },
  { title: 'Session' },
)
export type Session = Static<typeof SessionSchema>

export const apiTokenScopes = ['read', 'write'] as const

export const ApiTokenSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    scopes: Type.Array(word(apiTokenScopes)),
    createdAt: TimeSchema,
    expiresAt: nullable(TimeSchema),
    revokedAt: nullable(TimeSchema),
    lastUsedAt: nullable(TimeSchema),
  },
  { title: 'ApiToken' },
)
export type ApiToken = Static<typeof ApiTokenSchema>

export const NewApiTokenSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    scopes: Type.Optional(Type.Array(word(apiTokenScopes), { minItems: 1, maxItems: 2, uniqueItems: true })),
    expiresInDays: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 366 }))),
  },
  { title: 'NewApiToken', additionalProperties: false },
)
export const MintedApiTokenSchema = Type.Object(
  { token: ApiTokenSchema, secret: Type.String({ description: '`cfp_…`; can’t be shown again.' }) },
  { title: 'MintedApiToken' },
)

const figures = {
  requests: Type.Integer(),
  errors: Type.Integer(),
  p50Ms: nullable(Type.Number()),
  p95Ms: nullable(Type.Number()),
  p99Ms: nullable(Type.Number()),
}

export const UsageQuery = Type.Object(
  {
    from: Type.Optional(TimeSchema),
    to: Type.Optional(TimeSchema),
    serviceType: Type.Optional(Type.String({ maxLength: 50 })),
    by: Type.Optional(word(['hour', 'day'] as const, { default: 'day' })),
  },
  { additionalProperties: false },
)

/** Of the last 30 days, or 48 hours by the hour, unless the query says otherwise. */
export const UsageSchema = Type.Object(
  {
    from: TimeSchema,
    to: TimeSchema,
    by: word(['hour', 'day'] as const),
    totals: Type.Object(figures),
    services: Type.Array(Type.Object({ serviceType: Type.String(), displayName: Type.String(), ...figures })),
    /** One per service and period that saw a request; in order of time. */
    series: Type.Array(Type.Object({ at: TimeSchema, serviceType: Type.String(), ...figures })),
  },
  { title: 'Usage' },
)
export type Usage = Static<typeof UsageSchema>

export const AuditQuery = Type.Object(
  {
    before: Type.Optional(Type.String({ maxLength: 100, description: '`next` of the page before.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    subject: Type.Optional(Type.String({ maxLength: 200, description: 'Only entries about this.' })),
  },
  { additionalProperties: false },
)

export const AuditSchema = Type.Object(
  {
    entries: Type.Array(
      Type.Object({
        id: Type.String(),
        at: TimeSchema,
        action: Type.String({ description: '`instance.connect`' }),
        subject: Type.String(),
        subjectName: nullable(Type.String({ description: 'What people call it; null: it is gone, or has no name.' })),
        outcome: word(['done', 'refused'] as const),
        actor: Type.String(),
        details: AnyObject,
        sourceIp: nullable(Type.String()),
      }),
    ),
    next: nullable(Type.String({ description: '`before` of the next page; null: that was all.' })),
  },
  { title: 'Audit' },
)
export type Audit = Static<typeof AuditSchema>

/** An MCP client that the caller let in by OAuth 2.1. */
export const ApplicationSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String({ description: 'What it calls itself; nobody has checked it.' }),
    /** Null where it named none. */
    url: nullable(Type.String()),
    /** Where its answers go: the host, or the scheme of an application on a device. */
    returnsTo: Type.String(),
    scopes: Type.Array(Type.String()),
    instances: Type.Array(
      Type.Object({
        instanceId: Type.String(),
        serviceType: Type.String(),
        displayName: nullable(Type.String({ description: 'Null: that instance is gone.' })),
      }),
    ),
    grantedAt: TimeSchema,
    lastUsedAt: nullable(Type.String({ format: 'date-time', description: 'To the minute.' })),
  },
  { title: 'Application' },
)
export type Application = Static<typeof ApplicationSchema>
