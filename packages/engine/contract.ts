/**
 * What the CLI, the REST API and the console may ask of the engine. Everything here is plain JSON: positions are text (`0/16B3748`), times ISO 8601.
 * Commands are journaled with their actor; with an idempotency key the same command takes effect once, however often it is sent.
 */
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import type { Evidence } from '@crossfade/model/evidence.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Mismatch, VerificationReport } from '@crossfade/model/mismatch.ts'
import type { Side, Stage } from '@crossfade/model/stage.ts'
import type { PlanDigest, ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import type { Command } from '@crossfade/stages/machine.ts'

export type { Command } from '@crossfade/stages/machine.ts'

/** Who asks, and the key under which a repeated request is the same request. */
export interface Asker {
  /** As authenticated: a user, a token's name, `cli:user@host`. */
  readonly actor: string
  readonly idempotencyKey?: string | undefined
}

/**
 * The one service behind every front end. All methods reject with a coded `Failure`: CF6001 (no such migration), CF6002 (the command is not allowed now),
 * CF6003 (the control database cannot be reached), CF6004 (another migration of that name is under way).
 */
export interface MigrationService {
  /** Records a migration of the plan, at stage `off`; nothing happens yet. The same plan (digest) while one is under way gives that one's id. */
  create(plan: ResolvedPlan, asker: Asker): Promise<MigrationId>
  /** Creates or resumes the migration of the plan and moves it up to `to` (default `dualwrite`). Idempotent. */
  apply(plan: ResolvedPlan, asker: Asker, options?: { readonly to?: Stage }): Promise<MigrationId>

  list(): Promise<readonly MigrationSummary[]>
  get(id: MigrationId): Promise<MigrationDetail>
  /** The migration with that id, or the latest with that plan name; CF6001 when there is none. */
  find(idOrName: string): Promise<MigrationId>
  /** The plan last applied under that name; null when there was none. */
  lastPlan(name: string): Promise<ResolvedPlan | null>

  /** Moves the desired stage up: one rung, or to `to`. The engine goes rung by rung, each when its gates hold. */
  advance(id: MigrationId, asker: Asker, options?: { readonly to?: Stage }): Promise<void>
  /** Moves the desired stage down: one rung, or to `to`. */
  retreat(id: MigrationId, asker: Asker, options?: { readonly to?: Stage }): Promise<void>
  /** Takes everything back and removes every object of ours. Only before the cutover. */
  abort(id: MigrationId, asker: Asker): Promise<void>
  /** Stops copy, verification and moves between stages; the streams go on, so that nothing piles up. */
  pause(id: MigrationId, asker: Asker): Promise<void>
  /** Goes on after a pause, and after a failure that needed a person. */
  resume(id: MigrationId, asker: Asker): Promise<void>
  /** Asks for a full verification; with `repair` what it finds is repaired and verified again. Gives the report's id; its `finishedAt` is null until then. */
  verify(id: MigrationId, asker: Asker, options?: { readonly repair?: boolean }): Promise<string>
  /** Lets a gate of kind `manual` pass (or not, any more). */
  approve(id: MigrationId, gate: string, approved: boolean, asker: Asker): Promise<void>

  /** Entries after a position, oldest first (`after` given), or the newest `limit`, newest first. `limit` is at most 1,000. */
  history(
    id: MigrationId,
    options?: { readonly after?: number; readonly limit?: number },
  ): Promise<readonly JournalEntry[]>
  reports(id: MigrationId): Promise<readonly VerificationReport[]>
  report(id: MigrationId, reportId: string): Promise<VerificationReport>
  /** Differences that are open now, or those of one report; at most `limit` (1,000). */
  mismatches(
    id: MigrationId,
    options?: { readonly reportId?: string; readonly limit?: number },
  ): Promise<readonly Mismatch[]>
  /** Figures for plots, by series name (see `SampleName`), oldest first. `since`/`until` in milliseconds since 1970; thinned out to `pointsMax` (default 600). */
  samples(
    id: MigrationId,
    names: readonly string[],
    range: { readonly since: number; readonly until?: number; readonly pointsMax?: number },
  ): Promise<Readonly<Record<string, SampleSeries>>>
  /** The chunk map. */
  chunks(id: MigrationId): Promise<readonly ChunkView[]>
  tasks(id: MigrationId): Promise<readonly TaskView[]>
  routing(id: MigrationId): Promise<Routing>
  /** Resolves with the routing once its epoch is over `epoch`, or with the present one after `milliseconds`. For clients that wait on a cutover. */
  routingAfter(id: MigrationId, epoch: number, milliseconds: number): Promise<Routing>
  workers(): Promise<readonly WorkerView[]>
  /** Rejects with CF6003 when the control database does not answer. */
  health(): Promise<{ readonly workers: number; readonly migrations: number; readonly controlLatencyMs: number }>

  /**
   * Live events, in order, from `ready` on; for those of before read `history` once it is ready, and nothing falls between the two. Calling the subscription ends it.
   * The listener must not throw and must return quickly.
   */
  subscribe(listener: (event: LiveEvent) => void, migration?: MigrationId): Subscription
}

/** Call it to end it. Idempotent. */
export interface Subscription {
  (): void
  /** Resolves once every entry that is journaled from then on will be told. Never rejects; while the control database is out of reach it waits. */
  readonly ready: Promise<void>
}

export type MigrationStatus =
  /** Created, at `off`, nothing asked of it yet. */
  | 'created'
  /** On its way to the desired stage. */
  | 'moving'
  /** Wants to go up and waits for gates. */
  | 'holding'
  /** At the desired stage. */
  | 'resting'
  | 'paused'
  /** A failure that needs a person; `resume` tries again. */
  | 'stopped'
  | 'complete'
  /** Everything was taken back and removed. */
  | 'aborted'

export interface MigrationSummary {
  readonly id: MigrationId
  readonly name: string
  readonly planDigest: PlanDigest
  readonly stage: Stage
  readonly desiredStage: Stage
  readonly status: MigrationStatus
  readonly createdAt: string
  readonly updatedAt: string
  readonly sourceShards: number
  readonly targetShards: number
  readonly tables: number
  /** Of the copy, 0…1; 1 once it is done. */
  readonly copied: number
  /** The worst stream's; null while none runs. */
  readonly lagMs: number | null
  readonly openMismatches: number
  readonly failure: FailureView | null
}

export interface MigrationDetail extends MigrationSummary {
  readonly plan: ResolvedPlan
  readonly ladder: readonly RungView[]
  readonly transition: TransitionView | null
  /** What each command would do now. */
  readonly commands: Readonly<Record<Command, CommandView>>
  readonly copy: CopyView
  readonly schemaWork: readonly SchemaWorkView[]
  readonly streams: readonly StreamView[]
  readonly verification: VerificationView
  readonly cutovers: readonly CutoverView[]
  readonly throttle: ThrottleView
  readonly shards: readonly ShardView[]
  readonly workers: readonly WorkerView[]
  readonly findings: readonly Finding[]
  readonly routing: Routing
  readonly backup: { readonly path: string; readonly bytes: number; readonly drilled: boolean } | null
  /** Version of the migration's journal that this was read at. */
  readonly version: number
}

export interface FailureView {
  readonly code: ErrorCode
  readonly message: string
  readonly remedy: string
  /** Whether it is tried again by itself. */
  readonly retry: boolean
  /** What failed: a step, a task, a stream. */
  readonly where: string
  readonly at: string
  readonly nextAttemptAt: string | null
}

export interface CommandView {
  readonly allowed: boolean
  /** Where it would lead; null when it moves nothing. */
  readonly to: Stage | null
  /** Why it is not allowed; null when it is. */
  readonly reason: string | null
}

export interface RungView {
  readonly stage: Stage
  readonly state: 'done' | 'current' | 'entering' | 'leaving' | 'ahead'
  /** When it was last entered. */
  readonly enteredAt: string | null
  /** Evidence of the gates in front of this stage (and, where watched, while in it), as last evaluated. */
  readonly gates: readonly Evidence[]
}

export interface TransitionView {
  readonly from: Stage
  readonly to: Stage
  readonly direction: 'up' | 'down'
  readonly startedAt: string
  readonly steps: readonly StepView[]
}

export interface StepView {
  readonly name: string
  /** One short phrase for people: `copy the snapshot`. */
  readonly title: string
  readonly state: 'waiting' | 'running' | 'done' | 'failed'
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly attempts: number
  /** What it is doing just now, one line; null when it says nothing. */
  readonly detail: string | null
  readonly failure: FailureView | null
}

export interface CopyView {
  readonly rowsDone: number
  readonly rowsTotal: number
  readonly bytesDone: number
  readonly bytesTotal: number
  readonly chunksDone: number
  readonly chunksTotal: number
  /** Over the last 30 s; 0 when it stands still. */
  readonly bytesPerSecond: number
  readonly rowsPerSecond: number
  readonly etaSeconds: number | null
  readonly tables: readonly {
    readonly table: string
    readonly rowsDone: number
    readonly rowsTotal: number
    readonly chunksDone: number
    readonly chunksTotal: number
  }[]
}

export interface SchemaWorkView {
  readonly id: string
  readonly phase: 'primary' | 'secondary' | 'final'
  readonly target: ShardId
  readonly table: string | null
  readonly description: string
  readonly state: TaskState
  /** 0…1 where the server tells; null otherwise. */
  readonly progress: number | null
}

export interface StreamView {
  readonly shard: ShardId
  /** `forward`: source to target; `reverse`: the way back. */
  readonly direction: 'forward' | 'reverse'
  readonly state: 'waiting' | 'snapshot' | 'following' | 'failed' | 'stopped'
  readonly worker: string | null
  readonly received: string | null
  readonly applied: string | null
  readonly proven: string | null
  readonly lagMs: number | null
  readonly lagBytes: number | null
  readonly rowsPerSecond: number
  readonly rowsApplied: number
  readonly transactionsApplied: number
  readonly touched: number
  readonly updatedAt: string | null
}

export interface VerificationView {
  readonly running: {
    readonly id: string
    readonly scope: 'full' | 'repair'
    readonly startedAt: string
    readonly rangesDone: number
    readonly rangesTotal: number
    readonly rowsDone: number
  } | null
  readonly last: VerificationReport | null
  readonly openMismatches: number
  /** Keys touched and not yet proven, over all streams. */
  readonly touched: number
}

export interface CutoverView {
  readonly units: readonly ShardId[]
  readonly to: Side
  readonly attempt: number
  readonly outcome: 'running' | 'flipped' | 'undone'
  readonly startedAt: string
  /** From the fence's order to the open other side; null while it runs. */
  readonly pauseMs: number | null
  /** Milliseconds of each part: fence, drain, sequences, flip, open. */
  readonly parts: Readonly<Record<string, number>>
  readonly reason: string | null
}

export interface ThrottleView {
  readonly state: 'open' | 'slowed' | 'paused'
  /** One sentence: why it does what it does. */
  readonly reason: string
  readonly bytesPerSecondMax: number | null
  readonly latencyMs: number | null
  readonly baselineMs: number | null
  readonly budget: number | null
  readonly updatedAt: string | null
}

export interface ShardView {
  readonly shard: ShardId
  readonly side: Side
  readonly reachable: boolean | null
  readonly activeBackends: number | null
  readonly sizeBytes: number | null
  readonly walHeldBytes: number | null
  readonly slotActive: boolean | null
  readonly slotLost: boolean
  /** For a source shard, the unit: who answers for its keys now. */
  readonly authority: Side | null
  readonly fenced: boolean
  readonly latencyMs: number | null
  readonly updatedAt: string | null
}

export interface WorkerView {
  readonly id: string
  readonly startedAt: string
  readonly seenAt: string
  /** Seen within the lease's length. */
  readonly alive: boolean
  readonly memoryBytes: number
  readonly tasks: readonly string[]
}

export type TaskKind = 'stream' | 'copy' | 'schema-work' | 'verify' | 'repair' | 'backup'
export type TaskState = 'waiting' | 'running' | 'done' | 'failed'

export interface TaskView {
  readonly name: string
  readonly kind: TaskKind
  readonly state: TaskState
  readonly worker: string | null
  readonly attempts: number
  readonly progress: Readonly<Record<string, number | string | null>>
  readonly failure: FailureView | null
  readonly startedAt: string | null
  readonly finishedAt: string | null
}

export interface ChunkView {
  readonly id: string
  readonly source: ShardId
  readonly table: string
  readonly leaf: string
  readonly fromPage: number
  readonly toPage: number | null
  readonly estimatedRows: number
  readonly estimatedBytes: number
  readonly state: TaskState
  readonly rows: number
  readonly bytes: number
  readonly worker: string | null
  readonly attempts: number
}

export interface JournalEntry {
  /** Grows over all migrations; the cursor of `history` and of live events. */
  readonly position: number
  readonly migration: MigrationId
  /** 1, 2, 3 … within the migration, without gaps. */
  readonly version: number
  readonly at: string
  readonly kind: string
  /** Who decided: a person or token, or `engine`. */
  readonly actor: string
  /** One sentence for people. */
  readonly summary: string
  readonly body: Readonly<Record<string, unknown>>
}

export interface SampleSeries {
  /** Milliseconds since 1970, ascending. */
  readonly at: readonly number[]
  readonly values: readonly number[]
}

/** Series of `samples`; `<shard>` as in the plan. */
export type SampleName =
  | 'copy.bytesPerSecond'
  | 'copy.rowsPerSecond'
  | 'changes.rowsPerSecond'
  | 'verify.rowsPerSecond'
  | 'touched'
  | 'throttle.bytesPerSecondMax'
  | `lagMs.${string}`
  | `lagBytes.${string}`
  | `rowsPerSecond.${string}`
  | `walHeldBytes.${string}`
  | `activeBackends.${string}`
  | `latencyMs.${string}`

export type LiveEvent =
  | { readonly type: 'journal'; readonly migration: MigrationId; readonly entry: JournalEntry }
  /** At most twice a second and migration, while something changes: read `get` again, or use what is here. */
  | {
      readonly type: 'progress'
      readonly migration: MigrationId
      readonly copy: CopyView
      readonly streams: readonly StreamView[]
      readonly throttle: ThrottleView
      readonly verification: VerificationView
      readonly transition: TransitionView | null
    }
  | { readonly type: 'routing'; readonly migration: MigrationId; readonly routing: Routing }
