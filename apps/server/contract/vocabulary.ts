import { nullable, type Problem, ProblemSchema, record, TimeSchema, word } from '@crossfade/http-api/schema-words.ts'
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { stages } from '@crossfade/model/stage.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import { Type } from 'typebox'

export { nullable, type Problem, ProblemSchema, record, TimeSchema, word }

/** The small words that all messages of the API share. */

export const StageSchema = word(stages, { title: 'Stage', description: 'A rung of the ladder.' })
export const SideSchema = word(['source', 'target'] as const, { title: 'Side' })
export const ShardSchema = Type.Unsafe<ShardId>({
  type: 'string',
  description: 'A database as the plan names it: `source/a`.',
})
export const CodeSchema = Type.Unsafe<ErrorCode>({
  type: 'string',
  pattern: '^CF\\d{4}$',
  description: 'See docs/reference/errors.md.',
})

export const FindingSchema = Type.Object(
  {
    code: CodeSchema,
    severity: word(['block', 'warn', 'note'] as const),
    subject: Type.String(),
    message: Type.String(),
    remedy: Type.String(),
  },
  { title: 'Finding' },
)

export const EvidenceSchema = Type.Object(
  {
    gate: Type.String(),
    verdict: word(['pass', 'fail', 'unknown'] as const),
    detail: Type.String(),
    value: nullable(Type.Number()),
    limit: nullable(Type.Number()),
    unit: nullable(Type.String()),
    passingSince: nullable(TimeSchema),
    soakMs: Type.Number(),
  },
  { title: 'Evidence' },
)

export const FailureSchema = Type.Object(
  {
    code: CodeSchema,
    message: Type.String(),
    remedy: Type.String(),
    retry: Type.Boolean(),
    where: Type.String(),
    at: TimeSchema,
    nextAttemptAt: nullable(TimeSchema),
  },
  { title: 'Failure' },
)

const TableNameSchema = Type.Object({ schema: Type.String(), name: Type.String() }, { title: 'TableName' })

export const MismatchSchema = Type.Object(
  {
    table: TableNameSchema,
    kind: word(['missing', 'extra', 'different', 'misplaced', 'duplicated'] as const),
    key: record(nullable(Type.String())),
    source: nullable(ShardSchema),
    target: nullable(ShardSchema),
    columns: Type.Array(
      Type.Object({ column: Type.String(), source: nullable(Type.String()), target: nullable(Type.String()) }),
    ),
  },
  { title: 'Mismatch' },
)

const TableVerificationSchema = Type.Object(
  {
    table: TableNameSchema,
    rows: Type.Number(),
    bytes: Type.Number(),
    digest: Type.String({
      description: 'The sum of the row hashes; the same on both sides when the tables are equal.',
    }),
    chunks: Type.Number(),
    rechecks: Type.Number(),
    milliseconds: Type.Number(),
    mismatches: Type.Array(MismatchSchema),
    mismatchCount: Type.Number({ description: 'How many there are; `mismatches` lists the first of them.' }),
  },
  { title: 'TableVerification' },
)

export const ReportSchema = Type.Object(
  {
    id: Type.String(),
    startedAt: TimeSchema,
    finishedAt: nullable(TimeSchema),
    scope: word(['full', 'touched', 'repair'] as const),
    tables: Type.Array(TableVerificationSchema),
    rows: Type.Number(),
    bytes: Type.Number(),
    mismatches: Type.Number(),
    repaired: Type.Number(),
  },
  { title: 'VerificationReport' },
)

/** Hash, range, directory or a single database; see the plan's reference. */
const TopologySchema = Type.Unsafe<Topology>({
  title: 'Topology',
  type: 'object',
  required: ['kind'],
  properties: { kind: { type: 'string', enum: ['single', 'hash', 'range', 'directory'] } },
  additionalProperties: true,
  description: 'Which shard owns a key.',
})

export const RoutingSchema = Type.Object(
  {
    epoch: Type.Number(),
    source: TopologySchema,
    target: TopologySchema,
    authority: record(SideSchema),
    fenced: Type.Array(ShardSchema),
  },
  { title: 'Routing' },
)
