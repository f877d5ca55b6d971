import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { stages } from '@crossfade/model/stage.ts'
import { type Static, type TSchema, Type } from 'typebox'

/** The small words that all messages of the API share. */

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/** One of a fixed list of words. */
export function word<const Words extends readonly string[]>(words: Words, options: Record<string, unknown> = {}) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], ...options })
}

export const StageSchema = word(stages, { description: 'A rung of the ladder.' })
export const SideSchema = word(['source', 'target'] as const)
export const ShardSchema = Type.Unsafe<ShardId>({
  type: 'string',
  description: 'A database as the plan names it: `source/a`.',
})
export const TimeSchema = Type.String({ format: 'date-time' })
export const CodeSchema = Type.Unsafe<ErrorCode>({
  type: 'string',
  pattern: '^CF\\d{4}$',
  description: 'See docs/reference/errors.md.',
})

export const ProblemSchema = Type.Object(
  {
    code: Type.String({
      description: 'A code of docs/reference/errors.md, or `HTTP` for what the protocol itself refused.',
    }),
    message: Type.String({ description: 'What happened, in one sentence.' }),
    remedy: Type.String({ description: 'What to do about it.' }),
    retry: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
    findings: Type.Optional(Type.Array(Type.Any())),
  },
  { $id: 'Problem' },
)
export type Problem = Static<typeof ProblemSchema>

export const FindingSchema = Type.Object({
  code: CodeSchema,
  severity: word(['block', 'warn', 'note'] as const),
  subject: Type.String(),
  message: Type.String(),
  remedy: Type.String(),
})

export const EvidenceSchema = Type.Object({
  gate: Type.String(),
  verdict: word(['pass', 'fail', 'unknown'] as const),
  detail: Type.String(),
  value: nullable(Type.Number()),
  limit: nullable(Type.Number()),
  unit: nullable(Type.String()),
  passingSince: nullable(TimeSchema),
  soakMs: Type.Number(),
})

export const FailureSchema = Type.Object({
  code: CodeSchema,
  message: Type.String(),
  remedy: Type.String(),
  retry: Type.Boolean(),
  where: Type.String(),
  at: TimeSchema,
  nextAttemptAt: nullable(TimeSchema),
})

const TableNameSchema = Type.Object({ schema: Type.String(), name: Type.String() })

export const MismatchSchema = Type.Object({
  table: TableNameSchema,
  kind: word(['missing', 'extra', 'different', 'misplaced', 'duplicated'] as const),
  key: Type.Record(Type.String(), nullable(Type.String())),
  source: nullable(ShardSchema),
  target: nullable(ShardSchema),
  columns: Type.Array(
    Type.Object({ column: Type.String(), source: nullable(Type.String()), target: nullable(Type.String()) }),
  ),
})

export const ReportSchema = Type.Object({
  id: Type.String(),
  startedAt: TimeSchema,
  finishedAt: nullable(TimeSchema),
  scope: word(['full', 'touched', 'repair'] as const),
  tables: Type.Array(
    Type.Object({
      table: TableNameSchema,
      rows: Type.Number(),
      bytes: Type.Number(),
      digest: Type.String(),
      chunks: Type.Number(),
      rechecks: Type.Number(),
      milliseconds: Type.Number(),
      mismatches: Type.Array(MismatchSchema),
      mismatchCount: Type.Number(),
    }),
  ),
  rows: Type.Number(),
  bytes: Type.Number(),
  mismatches: Type.Number(),
  repaired: Type.Number(),
})

export const RoutingSchema = Type.Object({
  epoch: Type.Number(),
  source: Type.Any({ description: 'The source topology.' }),
  target: Type.Any({ description: 'The target topology.' }),
  authority: Type.Record(Type.String(), SideSchema),
  fenced: Type.Array(ShardSchema),
})
