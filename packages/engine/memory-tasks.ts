import type { Clock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { NewTask, Progress, Task, TaskFailure, TaskFilter, TaskKind } from '@crossfade/tracks/contract/tasks.ts'
import {
  type Bell,
  type Claim,
  type Lease,
  restsWhilePaused,
  type TaskStore,
  type TaskTotals,
  type Work,
  type WorkKind,
} from './store.ts'

interface Row extends Work {
  readonly leaseUntil: number
}

/** The task queue in memory; the twin of `postgres-tasks.ts`. */
export class MemoryTasks implements TaskStore {
  readonly #clock: Clock
  readonly #bell: Bell
  readonly #paused: (migration: MigrationId) => boolean
  readonly #rows = new Map<string, Row>()
  #epoch = 0

  constructor(clock: Clock, bell: Bell, paused: (migration: MigrationId) => boolean) {
    this.#clock = clock
    this.#bell = bell
    this.#paused = paused
  }

  async add(migration: MigrationId, tasks: readonly NewTask<WorkKind>[], lease?: Lease): Promise<void> {
    this.#check(lease)
    this.addNow(migration, tasks)
  }

  addNow(migration: MigrationId, tasks: readonly NewTask<WorkKind>[]): void {
    for (const task of tasks) {
      const key = keyOf(migration, task.name)
      if (this.#rows.has(key)) continue
      this.#rows.set(key, {
        ...structuredClone(task),
        migration,
        state: 'waiting',
        worker: null,
        epoch: 0,
        attempts: 0,
        progress: {},
        result: null,
        failure: null,
        startedAt: null,
        finishedAt: null,
        notBefore: 0,
        leaseUntil: 0,
      })
    }
    if (tasks.length > 0) this.#bell.ring(migration, 'work')
  }

  async list(migration: MigrationId, filter: TaskFilter = {}): Promise<readonly Task[]> {
    return this.#select(migration, filter) as readonly Task[]
  }

  async unfinished(migration: MigrationId, filter: TaskFilter): Promise<number> {
    return this.#select(migration, filter).filter((row) => row.state !== 'done').length
  }

  async totals(migration: MigrationId, kind: TaskKind): Promise<TaskTotals> {
    const rows = this.#select(migration, { kind })
    const figure = (row: Row, name: string) => Number({ ...row.progress, ...row.result }[name] ?? 0)
    const expected = (row: Row, name: string, estimate: string) =>
      row.state === 'done' ? figure(row, name) : Math.max(figure(row, name), Number(row.payload[estimate] ?? 0))
    const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0)
    return {
      done: rows.filter((row) => row.state === 'done').length,
      total: rows.length,
      rowsDone: sum((row) => figure(row, 'rows')),
      rowsTotal: sum((row) => expected(row, 'rows', 'estimatedRows')),
      bytesDone: sum((row) => figure(row, 'bytes')),
      bytesTotal: sum((row) => expected(row, 'bytes', 'estimatedBytes')),
    }
  }

  async cancel(migration: MigrationId, filter: TaskFilter, lease?: Lease): Promise<void> {
    this.#check(lease)
    for (const row of this.#select(migration, filter))
      if (row.state !== 'done') this.#put({ ...row, state: 'cancelled' })
    this.#bell.ring(migration, 'work')
  }

  async remove(migration: MigrationId, filter: TaskFilter, lease?: Lease): Promise<void> {
    this.#check(lease)
    for (const row of this.#select(migration, filter))
      if (!this.#isHeld(row) && row.state !== 'waiting') this.forget(migration, row.name)
  }

  async newEpoch(): Promise<number> {
    this.#epoch += 1
    return this.#epoch
  }

  async revive(migration: MigrationId): Promise<void> {
    for (const row of this.#select(migration, {})) {
      if (row.state === 'failed')
        this.#put({ ...row, state: 'waiting', attempts: 0, failure: null, finishedAt: null, notBefore: 0 })
    }
    this.#bell.ring(migration, 'work')
  }

  async claim(worker: string, free: Partial<Record<WorkKind, number>>, leaseMs: number): Promise<readonly Work[]> {
    const now = this.#clock.now()
    const left = { ...free }
    const claimed: Work[] = []
    for (const row of this.#rows.values()) {
      if ((left[row.kind] ?? 0) <= 0) continue
      const claimable =
        row.state === 'waiting' ? row.notBefore <= now : row.state === 'running' && row.leaseUntil <= now
      if (!claimable || (restsWhilePaused(row.kind) && this.#paused(row.migration))) continue
      left[row.kind] = left[row.kind]! - 1
      this.#epoch += 1
      const taken: Row = {
        ...row,
        state: 'running',
        worker,
        epoch: this.#epoch,
        progress: {},
        startedAt: now,
        finishedAt: null,
        leaseUntil: now + leaseMs,
      }
      this.#put(taken)
      claimed.push(taken)
    }
    return claimed
  }

  async renew(claims: readonly (Claim & { readonly progress: Progress | null })[], leaseMs: number) {
    const lost: Lease[] = []
    const cancelled: Lease[] = []
    for (const claim of claims) {
      const row = this.#held(claim)
      if (!row) {
        lost.push(claim)
        continue
      }
      if (row.state === 'cancelled') cancelled.push(claim)
      this.#put({ ...row, leaseUntil: this.#clock.now() + leaseMs, progress: claim.progress ?? row.progress })
      if (claim.progress && row.kind === 'stream') this.#bell.ring(claim.migration, 'work')
    }
    return { lost, cancelled }
  }

  async finish(claim: Claim, result: Work['result']): Promise<boolean> {
    return this.#end(claim, (row) => ({
      ...row,
      state: 'done',
      worker: null,
      result,
      finishedAt: this.#clock.now(),
      attempts: row.attempts + 1,
      failure: null,
    }))
  }

  async fail(claim: Claim, failure: TaskFailure, attempts: number, retryInMs: number | null): Promise<boolean> {
    const now = this.#clock.now()
    return this.#end(claim, (row) => ({
      ...row,
      state: retryInMs === null ? 'failed' : 'waiting',
      worker: null,
      failure,
      progress: {},
      attempts,
      finishedAt: retryInMs === null ? now : null,
      notBefore: now + (retryInMs ?? 0),
    }))
  }

  async release(claim: Claim, retryInMs: number): Promise<boolean> {
    return this.#end(claim, (row) => ({
      ...row,
      state: 'waiting',
      worker: null,
      progress: {},
      notBefore: this.#clock.now() + retryInMs,
    }))
  }

  /** Whether the task is held with that epoch; an expired lease counts until somebody takes it over. */
  holds(lease: Lease): boolean {
    return this.#held(lease) !== null
  }

  forget(migration: MigrationId, name: string): void {
    this.#rows.delete(keyOf(migration, name))
    this.#bell.ring(migration, 'work')
  }

  held(): readonly { readonly worker: string; readonly task: string }[] {
    return [...this.#rows.values()].flatMap((row) =>
      row.worker && this.#isHeld(row) ? [{ worker: row.worker, task: row.name }] : [],
    )
  }

  #end(claim: Claim, change: (row: Row) => Row): boolean {
    const row = this.#held(claim)
    if (!row) return false
    if (row.state === 'cancelled') this.forget(claim.migration, claim.task)
    else this.#put(change(row))
    this.#bell.ring(claim.migration, 'work')
    return true
  }

  #held(lease: Lease): Row | null {
    const row = this.#rows.get(keyOf(lease.migration, lease.task))
    return row && row.worker !== null && row.epoch === lease.epoch ? row : null
  }

  #check(lease: Lease | undefined): void {
    if (lease && !this.holds(lease)) throw fail('CF6006', { lease: lease.task })
  }

  #isHeld(row: Row): boolean {
    return row.worker !== null && row.leaseUntil > this.#clock.now()
  }

  #select(migration: MigrationId, filter: TaskFilter): readonly Row[] {
    return [...this.#rows.values()].filter(
      (row) =>
        row.migration === migration &&
        row.kind !== 'reconcile' &&
        (filter.kind === undefined || row.kind === filter.kind) &&
        (filter.names === undefined || filter.names.includes(row.name)) &&
        (filter.prefix === undefined || row.name.startsWith(filter.prefix)) &&
        (filter.states === undefined || filter.states.includes(row.state)),
    )
  }

  #put(row: Row): void {
    this.#rows.set(keyOf(row.migration, row.name), row)
  }
}

function keyOf(migration: MigrationId, name: string): string {
  return `${migration} ${name}`
}
