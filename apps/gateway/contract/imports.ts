// Services that a person imported, and what of a remote server's tools that person has to decide.
import { type Static, Type } from 'typebox'
import { ServiceTypeSchema, ToolNameSchema } from './services.ts'
import { AnyObject, nullable, TimeSchema, word } from './vocabulary.ts'

export const audiences = ['me', 'everybody'] as const

export const ImportBodySchema = Type.Object(
  {
    text: Type.String({
      minLength: 2,
      description: 'An OpenAPI document (YAML or JSON), or a server.json of the MCP registry.',
    }),
    fileName: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Named in what is found.' })),
    serviceType: Type.Optional(ServiceTypeSchema),
    audience: Type.Optional(
      word(audiences, {
        default: 'me',
        description: '`everybody` needs the role admin. A replaced import keeps its own.',
      }),
    ),
    replace: Type.Optional(Type.Boolean({ description: 'Overwrite what was imported under this name before.' })),
  },
  { title: 'Import', additionalProperties: false },
)
export type ImportBody = Static<typeof ImportBodySchema>

export const ImportFindingSchema = Type.Object({
  severity: word(['block', 'warn', 'note'] as const),
  message: Type.String(),
  pointer: nullable(Type.String({ description: 'Where in the imported document (RFC 6901).' })),
  line: nullable(Type.Integer({ minimum: 1 })),
})

export const ImportedSchema = Type.Object(
  {
    serviceType: Type.String(),
    displayName: Type.String(),
    kind: word(['openapi-file', 'remote-mcp'] as const),
    audience: word(audiences),
    fileName: Type.String(),
    listedTools: Type.Integer({ description: 'Shown by `tools/list`. Of a remote server 0: its tools are its own.' }),
    operations: Type.Integer(),
    findings: Type.Array(ImportFindingSchema),
    importedAt: TimeSchema,
    updatedAt: TimeSchema,
    waitingTools: Type.Integer({ description: 'Definitions of a remote server that nobody has approved.' }),
    instanceId: nullable(Type.String({ description: "The caller's instance; null while not connected." })),
  },
  { title: 'Imported' },
)
export type Imported = Static<typeof ImportedSchema>

export const ToolDefinitionSchema = Type.Object(
  {
    digest: Type.String({ description: 'SHA-256 (hex) of all that reaches a client.' }),
    /** `{ name, title?, description, inputSchema, annotations }`. */
    definition: AnyObject,
    since: TimeSchema,
  },
  { title: 'ToolDefinition' },
)

/** A tool of a remote server: what is served of it, and what the server tells of it now where that differs. */
export const PinnedToolSchema = Type.Object(
  {
    name: Type.String(),
    approved: nullable(ToolDefinitionSchema),
    waiting: nullable(ToolDefinitionSchema),
  },
  { title: 'PinnedTool' },
)
export type PinnedTool = Static<typeof PinnedToolSchema>

export const DecisionSchema = Type.Object(
  {
    digest: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the definition that was looked at.' }),
    decision: word(['approve', 'quarantine'] as const, {
      description: '`quarantine` takes an approval back: the tool is not served any more.',
    }),
  },
  { title: 'ToolDecision', additionalProperties: false },
)
export const importedToolParams = Type.Object({ serviceType: ServiceTypeSchema, tool: ToolNameSchema })
