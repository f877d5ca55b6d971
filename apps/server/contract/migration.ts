import type { MigrationDetail, MigrationSummary } from '@crossfade/engine/contract.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { PlanDigest, ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import { type Static, Type } from 'typebox'
import {
  EvidenceSchema,
  FailureSchema,
  FindingSchema,
  nullable,
  ReportSchema,
  RoutingSchema,
  record,
  ShardSchema,
  SideSchema,
  StageSchema,
  TimeSchema,
  word,
} from './vocabulary.ts'

export const MigrationIdSchema = Type.Unsafe<MigrationId>({ type: 'string', pattern: '^mig_[0-9a-v]{12}$' })
const TaskStateSchema = word(['waiting', 'running', 'done', 'failed'] as const)

const summary = {
  id: MigrationIdSchema,
  name: Type.String(),
  planDigest: Type.Unsafe<PlanDigest>({ type: 'string' }),
  stage: StageSchema,
  desiredStage: StageSchema,
  status: word(['created', 'moving', 'holding', 'resting', 'paused', 'stopped', 'complete', 'aborted'] as const),
  createdAt: TimeSchema,
  updatedAt: TimeSchema,
  sourceShards: Type.Number(),
  targetShards: Type.Number(),
  tables: Type.Number(),
  copied: Type.Number({ minimum: 0, maximum: 1 }),
  lagMs: nullable(Type.Number()),
  openMismatches: Type.Number(),
  failure: nullable(FailureSchema),
}

export const SummarySchema = Type.Object(summary, { title: 'MigrationSummary' })

export const StepSchema = Type.Object(
  {
    name: Type.String(),
    title: Type.String(),
    state: TaskStateSchema,
    startedAt: nullable(TimeSchema),
    finishedAt: nullable(TimeSchema),
    attempts: Type.Number(),
    detail: nullable(Type.String()),
    failure: nullable(FailureSchema),
  },
  { title: 'Step' },
)

export const TransitionSchema = Type.Object(
  {
    from: StageSchema,
    to: StageSchema,
    direction: word(['up', 'down'] as const),
    startedAt: TimeSchema,
    steps: Type.Array(StepSchema),
  },
  { title: 'Transition' },
)

export const CopySchema = Type.Object(
  {
    rowsDone: Type.Number(),
    rowsTotal: Type.Number(),
    bytesDone: Type.Number(),
    bytesTotal: Type.Number(),
    chunksDone: Type.Number(),
    chunksTotal: Type.Number(),
    bytesPerSecond: Type.Number(),
    rowsPerSecond: Type.Number(),
    etaSeconds: nullable(Type.Number()),
    tables: Type.Array(
      Type.Object({
        table: Type.String(),
        rowsDone: Type.Number(),
        rowsTotal: Type.Number(),
        chunksDone: Type.Number(),
        chunksTotal: Type.Number(),
      }),
    ),
  },
  { title: 'Copy' },
)

export const StreamSchema = Type.Object(
  {
    shard: ShardSchema,
    direction: word(['forward', 'reverse'] as const),
    state: word(['waiting', 'snapshot', 'following', 'failed', 'stopped'] as const),
    worker: nullable(Type.String()),
    received: nullable(Type.String()),
    applied: nullable(Type.String()),
    proven: nullable(Type.String()),
    lagMs: nullable(Type.Number()),
    lagBytes: nullable(Type.Number()),
    rowsPerSecond: Type.Number(),
    rowsApplied: Type.Number(),
    transactionsApplied: Type.Number(),
    touched: Type.Number(),
    updatedAt: nullable(TimeSchema),
  },
  { title: 'Stream' },
)

export const VerificationSchema = Type.Object(
  {
    running: nullable(
      Type.Object({
        id: Type.String(),
        scope: word(['full', 'repair'] as const),
        startedAt: TimeSchema,
        rangesDone: Type.Number(),
        rangesTotal: Type.Number(),
        rowsDone: Type.Number(),
      }),
    ),
    last: nullable(ReportSchema),
    openMismatches: Type.Number(),
    touched: Type.Number(),
  },
  { title: 'Verification' },
)

export const ThrottleSchema = Type.Object(
  {
    state: word(['open', 'slowed', 'paused'] as const),
    reason: Type.String(),
    bytesPerSecondMax: nullable(Type.Number()),
    latencyMs: nullable(Type.Number()),
    baselineMs: nullable(Type.Number()),
    budget: nullable(Type.Number()),
    updatedAt: nullable(TimeSchema),
  },
  { title: 'Throttle' },
)

export const WorkerSchema = Type.Object(
  {
    id: Type.String(),
    startedAt: TimeSchema,
    seenAt: TimeSchema,
    alive: Type.Boolean(),
    memoryBytes: Type.Number(),
    tasks: Type.Array(Type.String()),
  },
  { title: 'Worker' },
)

const CommandSchema = Type.Object(
  {
    allowed: Type.Boolean(),
    to: nullable(StageSchema),
    reason: nullable(Type.String()),
  },
  { title: 'CommandAnswer' },
)

export const PlanSchema = Type.Unsafe<ResolvedPlan>({
  title: 'ResolvedPlan',
  type: 'object',
  required: ['digest', 'name'],
  properties: { digest: { type: 'string' }, name: { type: 'string' } },
  additionalProperties: true,
  description: 'The resolved plan.',
})

const RungSchema = Type.Object(
  {
    stage: StageSchema,
    state: word(['done', 'current', 'entering', 'leaving', 'ahead'] as const),
    enteredAt: nullable(TimeSchema),
    gates: Type.Array(EvidenceSchema),
  },
  { title: 'Rung' },
)

const SchemaWorkSchema = Type.Object(
  {
    id: Type.String(),
    phase: word(['primary', 'secondary', 'final'] as const),
    target: ShardSchema,
    table: nullable(Type.String()),
    description: Type.String(),
    state: TaskStateSchema,
    progress: nullable(Type.Number()),
  },
  { title: 'SchemaWork' },
)

const CutoverSchema = Type.Object(
  {
    units: Type.Array(ShardSchema),
    to: SideSchema,
    attempt: Type.Number(),
    outcome: word(['running', 'flipped', 'undone'] as const),
    startedAt: TimeSchema,
    pauseMs: nullable(Type.Number()),
    parts: record(Type.Number()),
    reason: nullable(Type.String()),
  },
  { title: 'Cutover' },
)

const ShardStateSchema = Type.Object(
  {
    shard: ShardSchema,
    side: SideSchema,
    reachable: nullable(Type.Boolean()),
    activeBackends: nullable(Type.Number()),
    sizeBytes: nullable(Type.Number()),
    walHeldBytes: nullable(Type.Number()),
    slotActive: nullable(Type.Boolean()),
    slotLost: Type.Boolean(),
    authority: nullable(SideSchema),
    fenced: Type.Boolean(),
    latencyMs: nullable(Type.Number()),
    updatedAt: nullable(TimeSchema),
  },
  { title: 'Shard' },
)

export const DetailSchema = Type.Object(
  {
    ...summary,
    plan: PlanSchema,
    ladder: Type.Array(RungSchema),
    transition: nullable(TransitionSchema),
    commands: Type.Object({
      advance: CommandSchema,
      retreat: CommandSchema,
      abort: CommandSchema,
      pause: CommandSchema,
      resume: CommandSchema,
    }),
    copy: CopySchema,
    schemaWork: Type.Array(SchemaWorkSchema),
    streams: Type.Array(StreamSchema),
    verification: VerificationSchema,
    cutovers: Type.Array(CutoverSchema),
    throttle: ThrottleSchema,
    shards: Type.Array(ShardStateSchema),
    workers: Type.Array(WorkerSchema),
    findings: Type.Array(FindingSchema),
    routing: RoutingSchema,
    backup: nullable(Type.Object({ path: Type.String(), bytes: Type.Number(), drilled: Type.Boolean() })),
    version: Type.Number(),
  },
  { title: 'Migration' },
)

export const ChunkSchema = Type.Object(
  {
    id: Type.String(),
    source: ShardSchema,
    table: Type.String(),
    leaf: Type.String(),
    fromPage: Type.Number(),
    toPage: nullable(Type.Number()),
    estimatedRows: Type.Number(),
    estimatedBytes: Type.Number(),
    state: TaskStateSchema,
    rows: Type.Number(),
    bytes: Type.Number(),
    worker: nullable(Type.String()),
    attempts: Type.Number(),
  },
  { title: 'Chunk' },
)

export const TaskSchema = Type.Object(
  {
    name: Type.String(),
    kind: word(['stream', 'copy', 'schema-work', 'verify', 'repair', 'backup'] as const),
    state: TaskStateSchema,
    worker: nullable(Type.String()),
    attempts: Type.Number(),
    progress: record(Type.Union([Type.Number(), Type.String(), Type.Null()])),
    failure: nullable(FailureSchema),
    startedAt: nullable(TimeSchema),
    finishedAt: nullable(TimeSchema),
  },
  { title: 'Task' },
)

export const JournalEntrySchema = Type.Object(
  {
    position: Type.Number(),
    migration: MigrationIdSchema,
    version: Type.Number(),
    at: TimeSchema,
    kind: Type.String(),
    actor: Type.String(),
    summary: Type.String(),
    body: record(Type.Unknown()),
  },
  { title: 'JournalEntry' },
)

export const SamplesSchema = record(
  Type.Object({ at: Type.Array(Type.Number()), values: Type.Array(Type.Number()) }, { title: 'SampleSeries' }),
)

/** The engine's answers and the API's messages are the same shapes; the compiler says so when one of them moves. */
type Serves<Answer, Message> = Answer extends Message ? true : never
export const contractHolds: [
  Serves<MigrationSummary, DeepReadonly<Static<typeof SummarySchema>>>,
  Serves<MigrationDetail, DeepReadonly<Static<typeof DetailSchema>>>,
] = [true, true]

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T
