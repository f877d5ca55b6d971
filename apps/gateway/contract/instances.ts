// A user's use of a service: the instance, its tokens, and what to paste into a client.
import { type Static, Type } from 'typebox'
import { HealthSchema, ToolNameSchema } from './services.ts'
import { AnyObject, nullable, record, TimeSchema, word } from './vocabulary.ts'

const secret = Type.String({ minLength: 1, maxLength: 8192 })
const fieldValues = record(Type.String({ maxLength: 8192 }), { maxProperties: 20 })

export const tokenScopes = ['read', 'call'] as const

export const NewTokenSchema = Type.Object(
  {
    kind: Type.Optional(
      word(['bearer', 'url'] as const, {
        default: 'bearer',
        description: '`url`: the secret stands in the address; for clients that can send no header.',
      }),
    ),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, default: 'default' })),
    scopes: Type.Optional(Type.Array(word(tokenScopes), { minItems: 1, maxItems: 2, uniqueItems: true })),
    expiresInDays: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 3650 }))),
  },
  { title: 'NewToken', additionalProperties: false },
)
export type NewToken = Static<typeof NewTokenSchema>

/** One of `apiKey`, `username` with `password`, or `accessToken`, as the service's `fields` say; none of them for a service without credentials. */
export const AuthenticateSchema = Type.Object(
  {
    apiKey: Type.Optional(secret),
    username: Type.Optional(secret),
    password: Type.Optional(Type.String({ maxLength: 8192 })),
    accessToken: Type.Optional(secret),
    additional: Type.Optional(fieldValues),
    variables: Type.Optional(fieldValues),
    force: Type.Optional(
      Type.Boolean({
        description: 'Store it although the upstream could not be asked. Never stores a key that it refused.',
      }),
    ),
    token: Type.Optional(NewTokenSchema),
  },
  { title: 'Authenticate', additionalProperties: false },
)
export type Authenticate = Static<typeof AuthenticateSchema>

export const SettingsSchema = Type.Object(
  {
    variables: record(Type.String()),
    tools: nullable(Type.Array(ToolNameSchema, { maxItems: 200 })),
    excludedTools: Type.Array(ToolNameSchema, { maxItems: 1000 }),
    overrides: record(
      Type.Object(
        {
          title: Type.Optional(Type.String({ maxLength: 200 })),
          description: Type.Optional(Type.String({ maxLength: 2000 })),
        },
        { additionalProperties: false },
      ),
      { maxProperties: 200 },
    ),
    search: Type.Boolean(),
  },
  { title: 'InstanceSettings', additionalProperties: false },
)

export const InstanceSchema = Type.Object(
  {
    instanceId: Type.String(),
    serviceType: Type.String(),
    displayName: Type.String(),
    category: Type.String(),
    url: Type.String({ description: 'What an MCP client connects to, with a token.' }),
    state: word(['active', 'needs_authorization', 'paused'] as const, {
      description:
        '`needs_authorization`: go through OAuth again, or enter a new key. `paused`: switched off by its user.',
    }),
    credential: Type.Object({
      kind: word(['none', 'api_key', 'basic_auth', 'oauth2'] as const),
      version: Type.Integer({ description: 'Grows with every replaced key.' }),
      accountLabel: nullable(Type.String({ description: 'Whose key it is, as the upstream says.' })),
      verified: Type.Boolean({ description: 'False: stored by force, or the upstream can tell nothing.' }),
      expiresAt: nullable(TimeSchema),
    }),
    settings: SettingsSchema,
    health: HealthSchema,
    tokens: Type.Integer({ description: 'How many open it now.' }),
    createdAt: TimeSchema,
    updatedAt: TimeSchema,
    lastUsedAt: nullable(TimeSchema),
    usageCount: Type.Integer(),
  },
  { title: 'Instance' },
)
export type Instance = Static<typeof InstanceSchema>

export const clientKinds = ['claude-code', 'claude-desktop', 'cursor', 'vscode', 'curl'] as const

export const SnippetSchema = Type.Object(
  {
    client: word(clientKinds),
    label: Type.String({ description: '`Claude Code`' }),
    language: word(['shell', 'json'] as const),
    file: nullable(Type.String({ description: 'Where the text goes; null for a command.' })),
    text: Type.String(),
    note: nullable(Type.String()),
  },
  { title: 'Snippet' },
)
export type Snippet = Static<typeof SnippetSchema>

export const TokenSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    kind: word(['bearer', 'url'] as const),
    name: Type.String(),
    scopes: Type.Array(word(tokenScopes)),
    createdAt: TimeSchema,
    expiresAt: nullable(TimeSchema),
    revokedAt: nullable(TimeSchema),
    lastUsedAt: nullable(TimeSchema),
  },
  { title: 'Token' },
)
export type Token = Static<typeof TokenSchema>

/** The only answer that holds the secret: it can't be shown again. */
export const MintedTokenSchema = Type.Object(
  {
    token: TokenSchema,
    secret: Type.String({ description: '`cfi_…`, or `cfu_…` of a URL.' }),
    url: Type.String({ description: 'What the client connects to; with the secret in it for kind `url`.' }),
    snippets: Type.Array(SnippetSchema),
  },
  { title: 'MintedToken' },
)
export type MintedToken = Static<typeof MintedTokenSchema>

export const AuthenticatedSchema = Type.Object(
  {
    instance: InstanceSchema,
    /** 201 with a token for a new instance. 200 and null where there was one: its tokens stay as they are, unless the request asks for another (`token`). */
    minted: nullable(MintedTokenSchema),
    outcome: word(['connected', 'replaced', 'unchanged'] as const),
    verification: word(['valid', 'unreachable', 'unverifiable'] as const, {
      description: '`unreachable`: stored by `force`. `unverifiable`: the upstream has nothing that tells.',
    }),
  },
  { title: 'Authenticated' },
)
export type Authenticated = Static<typeof AuthenticatedSchema>

export const InstanceDetailSchema = Type.Object(
  {
    instance: InstanceSchema,
    tokens: Type.Array(TokenSchema),
    /** With a placeholder where the token goes. */
    snippets: Type.Array(SnippetSchema),
  },
  { title: 'InstanceDetail' },
)
export type InstanceDetail = Static<typeof InstanceDetailSchema>

/** Members of `settings` that are left out stay as they are. */
export const ChangeInstanceSchema = Type.Object(
  {
    settings: Type.Optional(Type.Partial(SettingsSchema, { additionalProperties: false })),
    active: Type.Optional(Type.Boolean({ description: 'False pauses the instance; true lets it go on.' })),
  },
  { title: 'ChangeInstance', additionalProperties: false, minProperties: 1 },
)
export type ChangeInstance = Static<typeof ChangeInstanceSchema>

export const CallToolSchema = Type.Object(
  { arguments: Type.Optional(AnyObject) },
  { title: 'CallTool', additionalProperties: false },
)
export const CalledToolSchema = Type.Object(
  {
    result: AnyObject,
    statusCode: Type.Integer({ description: 'Of the upstream; 0 when it gave none.' }),
    errorCode: nullable(Type.String()),
    milliseconds: Type.Number(),
  },
  { title: 'CalledTool' },
)
