/**
 * Everything the engine keeps, as ports. There is one implementation on PostgreSQL and one in memory; both obey `store-contract.ts`. Nothing here waits for people or for the
 * user's databases. All rejections are coded: CF6003 (out of reach, retryable), CF6005 (version), CF6006 (stale lease).
 */
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { Mismatch, VerificationReport } from '@crossfade/model/mismatch.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import type {
  Json,
  NewTask,
  Progress,
  Task,
  TaskFailure,
  TaskFilter,
  TaskKind,
} from '@crossfade/tracks/contract/tasks.ts'
import type { JournalEntry, SampleSeries } from './contract.ts'

export interface ControlStore {
  readonly migrations: MigrationStore
  readonly journal: Journal
  readonly tasks: TaskStore
  readonly board: StatusBoard
  readonly reports: ReportStore
  readonly samples: SampleStore
  readonly workers: WorkerStore
  readonly bell: Bell
  close(): Promise<void>
}

export interface MigrationRecord {
  readonly id: MigrationId
  readonly name: string
  readonly plan: ResolvedPlan
  readonly createdAt: string
  /** Null while it is under way. */
  readonly endedAt: string | null
  /** While set, no copy or verify task of it is claimed. */
  readonly paused: boolean
}

export interface MigrationStore {
  /** Records a migration with its first journal entry and its `reconcile` task. One under way with the same name: its id when the plan is the same, else CF6004. */
  create(id: MigrationId, plan: ResolvedPlan, first: NewEntry): Promise<MigrationId>
  get(id: MigrationId): Promise<MigrationRecord | null>
  /** Newest first. */
  list(): Promise<readonly MigrationRecord[]>
}

export interface NewEntry {
  readonly kind: string
  readonly actor: string
  readonly summary: string
  readonly body: Json
}

export interface AppendOptions {
  /** The entries are refused (CF6005) unless the journal stands at this version. */
  readonly expectedVersion?: number | undefined
  /** Refused (CF6006) unless this task is still held with this epoch; checked in the same transaction. */
  readonly lease?: Lease | undefined
  /** An append with a key that was used before changes nothing and gives the entries of then. */
  readonly idempotencyKey?: string | undefined
  /** Stored with the entries, so that clients find it without reading the journal. */
  readonly routing?: Routing | undefined
  readonly paused?: boolean | undefined
  /** The migration is over: its name is free again and nobody reconciles it. */
  readonly ends?: boolean | undefined
}

export interface Lease {
  readonly migration: MigrationId
  readonly task: string
  readonly epoch: number
}

/** The append-only, ordered record of every decision and every transition. */
export interface Journal {
  append(
    migration: MigrationId,
    entries: readonly NewEntry[],
    options?: AppendOptions,
  ): Promise<readonly JournalEntry[]>
  /** The entries that an append with this key made; null when there was none. */
  appended(migration: MigrationId, idempotencyKey: string): Promise<readonly JournalEntry[] | null>
  /** Oldest first, from the version after `after`. */
  read(migration: MigrationId, after: number, limit?: number): Promise<readonly JournalEntry[]>
  /** Newest first. */
  newest(migration: MigrationId, limit: number): Promise<readonly JournalEntry[]>
  /** Over all migrations (or one), by position, oldest first. Positions are given out in the order in which entries become visible. */
  after(position: number, limit: number, migration?: MigrationId): Promise<readonly JournalEntry[]>
  /** The position of the newest entry, 0 when there is none. */
  end(): Promise<number>
  routing(migration: MigrationId): Promise<Routing | null>
}

export type WorkKind = TaskKind | 'reconcile'
export type Work = Task<WorkKind>

export interface Claim extends Lease {
  readonly worker: string
}

/** What changes the queue is refused (CF6006) when the given lease is stale: a call that was long on its way must not meet the tasks of a later life. */
export interface TaskStore {
  add(migration: MigrationId, tasks: readonly NewTask<WorkKind>[], lease?: Lease): Promise<void>
  list(migration: MigrationId, filter?: TaskFilter): Promise<readonly Task[]>
  unfinished(migration: MigrationId, filter: TaskFilter): Promise<number>
  /** How far the tasks of a kind are; what is not done counts with its estimate. */
  totals(migration: MigrationId, kind: TaskKind): Promise<TaskTotals>
  cancel(migration: MigrationId, filter: TaskFilter, lease?: Lease): Promise<void>
  remove(migration: MigrationId, filter: TaskFilter, lease?: Lease): Promise<void>
  /** An epoch higher than those of all claims so far, and lower than those of all to come. */
  newEpoch(): Promise<number>
  /** Failed tasks wait again, with their attempts forgotten. */
  revive(migration: MigrationId): Promise<void>
  /**
   * Takes up to `free[kind]` tasks of each kind that wait or whose lease has run out, oldest first. Each gets a new epoch, higher than all before, and an empty progress.
   * Tasks of kind copy, verify, repair and schema-work of paused migrations stay.
   */
  claim(worker: string, free: Partial<Record<WorkKind, number>>, leaseMs: number): Promise<readonly Work[]>
  /** Prolongs the leases and stores the progress. Gives those that are no longer held (`lost`) and those whose holder should stop (`cancelled`, still held). */
  renew(
    claims: readonly (Claim & { readonly progress: Progress | null })[],
    leaseMs: number,
  ): Promise<{ readonly lost: readonly Lease[]; readonly cancelled: readonly Lease[] }>
  /** Each of these is refused (`false`) when the lease is stale, and wakes those who wait for changes. A cancelled task is forgotten by any of them. */
  finish(claim: Claim, result: Json | null): Promise<boolean>
  /** `attempts`: how many failed in a row, this one included. */
  fail(claim: Claim, failure: TaskFailure, attempts: number, retryInMs: number | null): Promise<boolean>
  /** Hands the task back unfinished, without counting an attempt. */
  release(claim: Claim, retryInMs: number): Promise<boolean>
}

export interface TaskTotals {
  readonly done: number
  readonly total: number
  readonly rowsDone: number
  readonly rowsTotal: number
  readonly bytesDone: number
  readonly bytesTotal: number
}

/** Last observations, overwritten in place: streams, shards, throttle, gates, steps' details. Not journaled. */
export interface StatusBoard {
  put(migration: MigrationId, kind: BoardKind, name: string, body: Json): Promise<void>
  get(migration: MigrationId, kind: BoardKind, name: string): Promise<Posted | null>
  list(migration: MigrationId, kind?: BoardKind): Promise<readonly Posted[]>
  clear(migration: MigrationId, kind: BoardKind): Promise<void>
}

export type BoardKind = 'stream' | 'expected' | 'shard' | 'throttle' | 'gate' | 'step' | 'alert'

export interface Posted {
  readonly kind: BoardKind
  readonly name: string
  readonly body: Json
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface ReportStore {
  /** Keeps the report, and makes `open` the migration's open mismatches. Idempotent by the report's id. */
  put(migration: MigrationId, report: VerificationReport, open: readonly Mismatch[]): Promise<void>
  /** Newest first. */
  list(migration: MigrationId, limit: number): Promise<readonly VerificationReport[]>
  get(migration: MigrationId, id: string): Promise<VerificationReport | null>
  open(migration: MigrationId, limit: number): Promise<readonly Mismatch[]>
  openCount(migration: MigrationId): Promise<number>
}

export interface Sample {
  readonly name: string
  readonly at: number
  readonly value: number
}

export interface SampleStore {
  add(migration: MigrationId, samples: readonly Sample[]): Promise<void>
  read(
    migration: MigrationId,
    names: readonly string[],
    since: number,
    until: number,
  ): Promise<Readonly<Record<string, SampleSeries>>>
  /** Forgets what is older. */
  prune(before: number): Promise<void>
}

export interface WorkerRecord {
  readonly id: string
  readonly startedAt: number
  readonly seenAt: number
  readonly memoryBytes: number
}

export interface WorkerStore {
  seen(worker: WorkerRecord): Promise<void>
  gone(id: string): Promise<void>
  list(): Promise<readonly WorkerRecord[]>
  /** The tasks that are held now, by worker. */
  held(): Promise<readonly { readonly worker: string; readonly task: string }[]>
}

/** What has changed: `work` is the journal, the tasks; `stream` is a stream's position, or one that is expected. */
export type BellTopic = 'work' | 'stream'

/** Wakes who waits. A ring may be lost or come for nothing; every wait has a limit and looks again. */
export interface Bell {
  /** Resolves at the next ring for the migration (null: for any), or after the time. Rejects with the signal's reason when it aborts. */
  wait(migration: MigrationId | null, topic: BellTopic, milliseconds: number, signal: AbortSignal): Promise<void>
  ring(migration: MigrationId, topic: BellTopic): void
  /** Called at each ring, until the returned function is called. */
  listen(listener: (migration: MigrationId, topic: BellTopic) => void): () => void
}

/** What is posted often and waited for by nobody rings no bell. */
export function topicOf(kind: BoardKind): BellTopic | null {
  return kind === 'stream' || kind === 'expected' ? 'stream' : null
}

/** What a paused migration does not do; its streams and its reconciler go on. */
export const kindsThatRest: readonly WorkKind[] = ['copy', 'verify', 'repair', 'schema-work']

/** Whether a task of this kind waits while its migration is paused. */
export function restsWhilePaused(kind: WorkKind): boolean {
  return kindsThatRest.includes(kind)
}
