import type { Clock } from '@crossfade/model/clock.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Lsn } from '@crossfade/model/lsn.ts'
import type { Mismatch, VerificationReport } from '@crossfade/model/mismatch.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { DataPlane, FencePoint, StreamStatus } from '@crossfade/pipeline/data-plane.ts'
import type { CutoverHook, ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import type { TaskQueue } from './tasks.ts'

/** What steps, upkeep and task handlers of a track get from the engine. Every wait and every effect goes through these, so that a simulation can own them. */
export interface TrackPorts {
  readonly migration: MigrationId
  readonly plan: ResolvedPlan
  readonly plane: DataPlane
  readonly tasks: TaskQueue
  readonly clock: Clock
  readonly streams: StreamBoard
  readonly verification: VerificationBoard
  /** Resolves when a task of this migration has changed or a command came in, or after the time. Rejects when the signal aborts. */
  changed(milliseconds: number, signal: AbortSignal): Promise<void>
}

export interface StepPorts extends TrackPorts {
  readonly routing: RoutingBoard
  readonly journal: StepJournal
  readonly hooks: CutoverHooks
  /** Aborted when this process may not go on (lease lost, shutdown) or the step is no longer wanted (pause, retreat, abort). */
  readonly signal: AbortSignal
  /** When the step was begun, or begun anew after a failure that a person looked at; milliseconds since 1970. The same after a crash. */
  readonly since: number
  /** When the stage that is being left was entered; milliseconds since 1970. */
  readonly entered: number
  /** What the step is doing just now, for people; not journaled. */
  detail(text: string): void
}

export interface StepJournal {
  findings(findings: readonly Finding[]): Promise<void>
}

/** The one place that says who answers for what. Each change is a journal entry with an epoch one higher, refused when this process's lease is stale. */
export interface RoutingBoard {
  /** As it is in the journal now, read afresh. */
  current(): Promise<Routing>
  change(next: Pick<Routing, 'authority' | 'fenced'>, note: CutoverNote): Promise<Routing>
  /** The latest change's note; null before the first. */
  last(): Promise<CutoverNote | null>
  /** The units of each side that gave up their authority and were not opened since. */
  closed(): Promise<Readonly<Record<Side, readonly ShardId[]>>>
}

/** What a change of the routing was: one moment of a cutover. */
export interface CutoverNote {
  /**
   * `fencing` begins an attempt; `flipped` is the point of no return, `opening` says that another process goes on from it, `opened` ends it;
   * `undoing` and `undone` take an attempt back; `told`: the hooks know how it ended.
   */
  readonly event: 'fencing' | 'flipped' | 'opening' | 'opened' | 'undoing' | 'undone' | 'told'
  readonly units: readonly ShardId[]
  readonly to: Side
  readonly attempt: number
  readonly reason: string | null
  /** Milliseconds each part took, as far as it went. */
  readonly parts: Readonly<Record<string, number>>
}

export interface StreamReport extends StreamStatus {
  readonly shard: ShardId
  /** When its worker wrote it, milliseconds since 1970. */
  readonly at: number
}

export interface StreamBoard {
  get(shard: ShardId): Promise<StreamReport | null>
  put(shard: ShardId, status: StreamStatus): Promise<void>
  /** Asks the streams to report at once when they have passed these points. An empty list ends it. */
  expect(points: readonly FencePoint[]): Promise<void>
  /** The point the shard's stream is asked about; null when there is none. Answered from memory, kept fresh by the engine. */
  expected(shard: ShardId): Lsn | null
  /** Resolves when any stream has reported, or after the time. Rejects when the signal aborts. */
  moved(milliseconds: number, signal: AbortSignal): Promise<void>
}

export interface VerificationBoard {
  /** The run that is on, if any; one at a time. */
  running(): Promise<VerificationRun | null>
  /** Begins a run, or gives the one that is on. Journaled. */
  begin(run: VerificationRun): Promise<VerificationRun>
  /** Keeps the report and ends the run. Journaled; `open` are the mismatches that are still there. */
  finish(run: VerificationRun, report: VerificationReport, open: readonly Mismatch[]): Promise<void>
  /** A run somebody asked for and that has not begun. */
  requested(): Promise<VerificationRun | null>
  /** The last finished run; null when there was none. */
  last(): Promise<VerificationReport | null>
}

export interface VerificationRun {
  readonly id: string
  readonly repair: boolean
  /** ISO 8601. */
  readonly startedAt: string
}

/** What else is told around a cutover: PgBouncer, webhooks, commands. Each call is bounded by the hook's own timeout. */
export interface CutoverHooks {
  /** `before`: the fence comes next (hold clients); `after`: the owner has changed and its side is open; `undone`: nothing has changed after all (let clients go on). */
  run(
    hooks: readonly CutoverHook[],
    moment: 'before' | 'after' | 'undone',
    about: {
      readonly migration: MigrationId
      readonly units: readonly ShardId[]
      readonly to: Side
      readonly epoch: number
    },
  ): Promise<void>
}
