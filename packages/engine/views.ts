import type { Clock } from '@crossfade/model/clock.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { formatLsn } from '@crossfade/model/lsn.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { Chunk, SchemaWork } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Task } from '@crossfade/tracks/contract/tasks.ts'
import type {
  ChunkView,
  CopyView,
  SchemaWorkView,
  ShardView,
  StreamView,
  TaskState,
  TaskView,
  ThrottleView,
  WorkerView,
} from './contract.ts'
import type { MigrationState } from './state.ts'
import type { ControlStore, Posted } from './store.ts'
import { readStream } from './track-ports.ts'
import { taskFailureView } from './trouble.ts'
import { leaseMs } from './worker.ts'

/** A task as people see it. */
export function taskView(task: Task): TaskView {
  return {
    name: task.name,
    kind: task.kind,
    state: stateOf(task),
    worker: task.worker,
    attempts: task.attempts,
    progress: task.progress,
    failure: task.failure
      ? taskFailureView(task.failure, task.name, task.state === 'waiting' ? task.notBefore : null)
      : null,
    startedAt: isoOrNull(task.startedAt),
    finishedAt: isoOrNull(task.finishedAt),
  }
}

/** A task of the copy as a field of the chunk map. */
export function chunkView(task: Task): ChunkView {
  const chunk = task.payload as unknown as Chunk
  const done = { ...task.progress, ...task.result }
  return {
    id: chunk.id,
    source: chunk.source,
    table: tableKey(chunk.table),
    leaf: tableKey(chunk.leaf),
    fromPage: chunk.fromPage,
    toPage: chunk.toPage,
    estimatedRows: chunk.estimatedRows,
    estimatedBytes: chunk.estimatedBytes,
    state: stateOf(task),
    rows: Number(done['rows'] ?? 0),
    bytes: Number(done['bytes'] ?? 0),
    worker: task.worker,
    attempts: task.attempts,
  }
}

/** How far the copy is; what is left is taken from the estimates of the chunks that are left. */
export function copyView(
  chunks: readonly ChunkView[],
  rates: { readonly bytesPerSecond: number; readonly rowsPerSecond: number },
): CopyView {
  const tables = Map.groupBy(chunks, (chunk) => chunk.table)
  const bytesDone = sum(chunks, (chunk) => chunk.bytes)
  const bytesTotal = sum(chunks, total('bytes'))
  return {
    rowsDone: sum(chunks, (chunk) => chunk.rows),
    rowsTotal: sum(chunks, total('rows')),
    bytesDone,
    bytesTotal,
    chunksDone: count(chunks),
    chunksTotal: chunks.length,
    ...rates,
    etaSeconds:
      bytesDone >= bytesTotal
        ? 0
        : rates.bytesPerSecond > 0
          ? Math.ceil((bytesTotal - bytesDone) / rates.bytesPerSecond)
          : null,
    tables: [...tables].map(([table, own]) => ({
      table,
      rowsDone: sum(own, (chunk) => chunk.rows),
      rowsTotal: sum(own, total('rows')),
      chunksDone: count(own),
      chunksTotal: own.length,
    })),
  }
}

/** A task of schema work as people see it. */
export function schemaWorkView(task: Task): SchemaWorkView {
  const work = task.payload as unknown as SchemaWork
  const progress = task.progress['done']
  return {
    id: work.id,
    phase: work.phase,
    target: work.target,
    table: work.table ? tableKey(work.table) : null,
    description: work.description,
    state: stateOf(task),
    progress: task.state === 'done' ? 1 : typeof progress === 'number' ? progress : null,
  }
}

/** A stream: its task, and what it last posted; without a post its figures are null or 0. */
export function streamView(task: Task, plan: ResolvedPlan, posted: Posted | undefined): StreamView {
  const shard = task.payload['shard'] as ShardId
  const report = posted ? readStream(shard, posted.body, posted.at) : null
  const phase = task.progress['phase']
  const running = task.state === 'running' ? (phase === 'following' || phase === 'snapshot' ? phase : 'waiting') : null
  const idle = {
    waiting: 'waiting',
    failed: 'failed',
    cancelled: 'stopped',
    done: 'stopped',
    running: 'waiting',
  } as const
  return {
    shard,
    direction: plan.source.shards.some((source) => source.id === shard) ? 'forward' : 'reverse',
    state: running ?? idle[task.state],
    worker: task.worker,
    received: report ? formatLsn(report.received) : null,
    applied: report ? formatLsn(report.applied) : null,
    proven: report ? formatLsn(report.proven) : null,
    lagMs: report?.lagMs ?? null,
    lagBytes: report?.lagBytes ?? null,
    rowsPerSecond: running === 'following' ? (report?.rowsPerSecond ?? 0) : 0,
    rowsApplied: report?.rowsApplied ?? 0,
    transactionsApplied: report?.transactionsApplied ?? 0,
    touched: report?.touched ?? 0,
    updatedAt: isoOrNull(report?.at ?? null),
  }
}

/** Every shard of both sides, source first, as it was last looked at. */
export function shardViews(plan: ResolvedPlan, state: MigrationState, posted: readonly Posted[]): readonly ShardView[] {
  const all = [
    ...plan.source.shards.map((shard) => ['source', shard.id] as const),
    ...plan.target.shards.map((shard) => ['target', shard.id] as const),
  ]
  return all.map(([side, shard]) => {
    const seen = posted.find((each) => each.kind === 'shard' && each.name === shard)
    const figure = (name: string) => (seen?.body[name] as number | null | undefined) ?? null
    return {
      shard,
      side,
      reachable: (seen?.body['reachable'] as boolean | undefined) ?? null,
      activeBackends: figure('activeBackends'),
      sizeBytes: figure('sizeBytes'),
      walHeldBytes: figure('walHeldBytes'),
      slotActive: (seen?.body['slotActive'] as boolean | null | undefined) ?? null,
      slotLost: (seen?.body['slotLost'] as boolean | undefined) ?? false,
      authority: side === 'source' ? (state.routing.authority[shard] ?? null) : null,
      fenced: side === 'source' && state.routing.fenced.includes(shard),
      latencyMs: figure('latencyMs'),
      updatedAt: isoOrNull(seen?.at ?? null),
    }
  })
}

/** What the throttle last decided; open until it has decided anything. */
export function throttleView(posted: readonly Posted[]): ThrottleView {
  const seen = posted.find((each) => each.kind === 'throttle')
  if (!seen)
    return {
      state: 'open',
      reason: 'nothing to hold back',
      bytesPerSecondMax: null,
      latencyMs: null,
      baselineMs: null,
      budget: null,
      updatedAt: null,
    }
  return { ...(seen.body as unknown as ThrottleView), updatedAt: isoOrNull(seen.at) }
}

/** Processes that take work, each alive while it was seen within the length of a lease. */
export async function workerViews(store: ControlStore, clock: Clock): Promise<readonly WorkerView[]> {
  const [workers, held] = await Promise.all([store.workers.list(), store.workers.held()])
  return workers.map((worker) => ({
    id: worker.id,
    startedAt: new Date(worker.startedAt).toISOString(),
    seenAt: new Date(worker.seenAt).toISOString(),
    alive: clock.now() - worker.seenAt <= leaseMs,
    memoryBytes: worker.memoryBytes,
    tasks: held.filter((task) => task.worker === worker.id).map((task) => task.task),
  }))
}

function stateOf(task: Task): TaskState {
  return task.state === 'cancelled' ? 'waiting' : task.state
}

function total(what: 'rows' | 'bytes') {
  return (chunk: ChunkView) =>
    chunk.state === 'done'
      ? chunk[what]
      : Math.max(chunk[what], what === 'rows' ? chunk.estimatedRows : chunk.estimatedBytes)
}

function sum<T>(all: readonly T[], pick: (each: T) => number): number {
  return all.reduce((before, each) => before + pick(each), 0)
}

function count(chunks: readonly ChunkView[]): number {
  return chunks.filter((chunk) => chunk.state === 'done').length
}

function isoOrNull(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
