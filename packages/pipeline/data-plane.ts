import type { Finding } from '@crossfade/model/finding.ts'
import type { Epoch, ShardId } from '@crossfade/model/ids.ts'
import type { Lsn } from '@crossfade/model/lsn.ts'
import type { Mismatch, TableVerification } from '@crossfade/model/mismatch.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { TableName } from '@crossfade/model/table-name.ts'

/**
 * Everything a data track asks of an engine, for one migration. One instance lives in each process that works on the migration;
 * all its state that matters is in the databases, so any process may go on where another stopped.
 *
 * Every method is idempotent unless it says otherwise: called again after a crash it finds what is there and goes on.
 * Every method rejects with a coded `Failure`; one that is retryable leaves everything so that the same call may follow.
 */
export interface DataPlane {
  readonly infrastructure: Infrastructure
  readonly snapshots: Snapshots
  readonly streams: Streams
  readonly verification: Verification
  readonly cutover: CutoverPlane
  readonly observation: Observation
  close(): Promise<void>
}

/** The least epochs that are taken: of task leases, and of fences (which carry the epoch of the routing). */
export interface EpochFloor {
  readonly lease: Epoch
  readonly routing: Epoch
}

/** What Crossfade needs in the databases: control schema, target schema, publications, slots; and their removal. */
export interface Infrastructure {
  /**
   * Creates the schema `crossfade` with its tables on every database of the side. With a floor, lower epochs are refused there from now on: what an earlier life
   * of the migration may still have in flight.
   */
  createControlSchema(side: Side, floor?: EpochFloor): Promise<void>
  /** Types, functions, tables without indexes: what must exist before rows can be loaded. Findings name what could not be carried. */
  createSchema(): Promise<readonly Finding[]>
  /** Units of index and constraint building, in the order in which they may run. */
  schemaWork(): Promise<readonly SchemaWork[]>
  runSchemaWork(work: SchemaWork, context: TaskContext): Promise<void>
  /** Compares the inventories of both sides; called when everything is built. */
  compareSchemas(): Promise<readonly Finding[]>
  /** Publication and slot on every database of the side; on the source the publication alone, since the first snapshot makes the slot. */
  createSlots(side: Side): Promise<void>
  dropSlots(side: Side): Promise<void>
  /** Removes every object of ours on the side: slots, publications, triggers, functions, schema. */
  removeAll(side: Side): Promise<void>
  /** Removes the tables and types that `createSchema` made on the target (recorded in its control schema), never others. */
  dropCreatedSchema(): Promise<void>
  /** What of ours is still there, by name; empty after `removeAll`. */
  leftovers(side: Side): Promise<readonly string[]>
  /** At `complete`: makes the old side refuse writes, when the plan asks for it. */
  archiveSource(): Promise<void>
  backup(context: TaskContext): Promise<{ readonly path: string; readonly bytes: number; readonly drilled: boolean }>
}

/**
 * One unit of index or constraint building on one target database. `primary` work of a table must be done before changes are applied to it;
 * `secondary` runs beside the stream; `final` (foreign keys, triggers, policies, materialized views) after it has caught up once.
 */
export interface SchemaWork {
  readonly id: string
  readonly phase: 'primary' | 'secondary' | 'final'
  readonly target: ShardId
  /** The table it belongs to; null for what belongs to none. */
  readonly table: TableName | null
  readonly description: string
}

/** What a running task is given: who it is, when it must stop, how it tells its progress, when it must slow down. */
export interface TaskContext {
  /** Written and checked in every target transaction that matters. */
  readonly epoch: Epoch
  /** The lease's name, the key of the epoch check in the databases. */
  readonly lease: string
  /** Aborted when the lease is lost or the worker stops; nothing may be written after that. */
  readonly signal: AbortSignal
  report(progress: Readonly<Record<string, number | string | null>>): void
  /** Waits while the throttle says so; returns at once otherwise. Call it between blocks of at most 1 MiB or 50 ms of work. */
  throttle(kind: 'copy' | 'verify', bytes: number): Promise<void>
}

/** The consistent copy of what existed at a position. */
export interface Snapshots {
  /** Splits a source shard's tables into chunks. Deterministic for one state of the catalog; the engine stores the result. */
  chunks(source: ShardId): Promise<readonly Chunk[]>
  /**
   * Opens a snapshot on the source and holds it until `close`. The first one is exported by the creation of the slot (so copy and stream meet exactly);
   * a later one (the first was lost) is exported beside the existing slot.
   */
  open(source: ShardId, context: TaskContext): Promise<HeldSnapshot>
  /**
   * Copies one chunk to every target it belongs to; each target's rows commit together with the chunk's checkpoint and the epoch check.
   * Already copied parts are skipped. Rejects with a retryable failure when the snapshot is gone.
   */
  copy(
    chunk: Chunk,
    snapshot: SnapshotReference,
    context: TaskContext,
  ): Promise<{ readonly rows: number; readonly bytes: number }>
  /** Chunks that are on all their targets. */
  copied(source: ShardId): Promise<ReadonlySet<string>>
}

export interface Chunk {
  /** Unique in the migration, stable: `source/a public.orders 3`. */
  readonly id: string
  readonly source: ShardId
  readonly table: TableName
  /** The table that is read: the table itself or one leaf partition. */
  readonly leaf: TableName
  /** Pages `[from, to)`; `to: null` reads to the end, however far that is by then. */
  readonly fromPage: number
  readonly toPage: number | null
  /** The leaf's file when its pages were counted; another one later means that the rows lie elsewhere (VACUUM FULL, CLUSTER). Absent for a partitioned root. */
  readonly filenode?: number
  readonly estimatedRows: number
  readonly estimatedBytes: number
}

export interface SnapshotReference {
  /** For `SET TRANSACTION SNAPSHOT`. */
  readonly name: string
  /** Everything committed up to here is in it. */
  readonly lsn: Lsn
  /** 1 for the slot's own; grows with each that replaced a lost one. */
  readonly generation: number
}

export interface HeldSnapshot extends SnapshotReference {
  /** Rejects when the holding connection dies; the snapshot is then gone for those who have not imported it yet. */
  readonly lost: Promise<never>
  close(): Promise<void>
}

/** The ordered stream of what happened after the snapshot, from one shard to all shards of the other side. */
export interface Streams {
  /**
   * Follows the shard's slot and applies to the other side until the context's signal is aborted. One at a time per shard (lease, epoch).
   * Position and rows commit together; the slot is acknowledged only up to what is durable *and* proven.
   */
  follow(from: ShardId, context: TaskContext, observer: StreamObserver): Promise<void>
  /** As stored in the databases of the other side: the least position that all of them have applied. */
  applied(from: ShardId): Promise<Lsn>
}

export interface StreamObserver {
  /** At most ten times a second, and at once when `proven` passes what `expected` gives. */
  status(status: StreamStatus): void
  /** The position a cutover waits for, null when none does. Cheap; ask after each commit and each proof. */
  expected?(): Lsn | null
}

export interface StreamStatus {
  readonly received: Lsn
  /** Applied and durable on every shard of the other side. */
  readonly applied: Lsn
  /** Every key touched up to here has been compared after that, and was equal. */
  readonly proven: Lsn
  /** Age of the oldest change not yet applied, 0 when there is none. */
  readonly lagMs: number
  readonly lagBytes: number
  readonly rowsPerSecond: number
  readonly rowsApplied: number
  readonly transactionsApplied: number
  /** Keys touched and not yet proven. */
  readonly touched: number
  readonly mismatches: readonly Mismatch[]
}

export interface Verification {
  /** Splits all tables into ranges whose rows are compared over all shards of both sides. */
  ranges(): Promise<readonly VerificationRange[]>
  /** Compares one range; differences are looked at again after the streams have passed, until they vanish or `rechecksMax` is reached. */
  verify(range: VerificationRange, context: TaskContext): Promise<TableVerification>
  /** Makes the rows on the side without authority equal to the other's, and compares them again. Returns what is still different. */
  repair(mismatches: readonly Mismatch[], context: TaskContext): Promise<readonly Mismatch[]>
}

export interface VerificationRange {
  readonly id: string
  readonly table: TableName
  /** Identity values as text; null is open. Rows with `from <= key < to`. */
  readonly from: readonly string[] | null
  readonly to: readonly string[] | null
  readonly estimatedRows: number
}

/** The moves of a cutover. All of them are quick; the caller holds the deadline. */
export interface CutoverPlane {
  /** Installs what a fence needs, disarmed, at no cost to running writes, and opens the connections the critical section will use. */
  prepare(from: Side, units: readonly ShardId[]): Promise<void>
  /** Transactions on `from` older than the plan's limit, one line each; a cutover must not start while there are any. */
  longTransactions(from: Side, units: readonly ShardId[]): Promise<readonly string[]>
  /**
   * Stops writes to the units' keys on every database of `from`, all or none: takes the tables' locks (waiting at most `fenceLockMsMax`), arms the fence, and
   * commits. After it returns, no write that the fence should stop can commit any more. The points say how far each shard's log must be applied.
   */
  fence(from: Side, units: readonly ShardId[], epoch: Epoch, owner: string): Promise<readonly FencePoint[]>
  /** Opens them again; also what undoes a cutover. */
  unfence(side: Side, units: readonly ShardId[], epoch: Epoch): Promise<void>
  /** Sets the sequences of `to` past every value used on `from` (the maximum over its shards, plus the plan's margin). */
  carrySequences(from: Side, to: Side): Promise<void>
}

export interface FencePoint {
  readonly shard: ShardId
  readonly lsn: Lsn
}

/** What gates, throttle and console look at. */
export interface Observation {
  shardHealth(shard: ShardId): Promise<{
    readonly reachable: boolean
    readonly activeBackends: number
    readonly sizeBytes: number
    readonly walHeldBytes: number
    readonly slotActive: boolean | null
    readonly slotLost: boolean /** Where the database lies; null or left out when it can't be seen. */
    readonly diskFreeBytes?: number | null
  }>
  /** How far the shard's log is durable: its stream comes to there though nothing more is written. */
  flushedLsn(shard: ShardId): Promise<Lsn>
  probe(shard: ShardId, sql: string): Promise<{ readonly latencyMs: number; readonly value: number | null }>
}
