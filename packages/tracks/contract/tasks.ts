import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import type { Epoch, MigrationId } from '@crossfade/model/ids.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { TrackPorts } from './ports.ts'

/** Work that any worker may do, one worker at a time (lease with epoch). */
export const taskKinds = ['stream', 'copy', 'schema-work', 'verify', 'repair', 'backup'] as const
export type TaskKind = (typeof taskKinds)[number]

/** `cancelled`: nobody may claim it any more; its holder, if there is one, has been told to stop. */
export type TaskState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'

export type Json = Readonly<Record<string, unknown>>
export type Progress = Readonly<Record<string, number | string | null>>

export interface NewTask<Kind extends string = TaskKind> {
  /** Unique in the migration; adding it again changes nothing. */
  readonly name: string
  readonly kind: Kind
  readonly payload: Json
}

export interface Task<Kind extends string = TaskKind> extends NewTask<Kind> {
  readonly migration: MigrationId
  readonly state: TaskState
  /** Who holds it; null unless running. */
  readonly worker: string | null
  /** Of the present or last holder; grows with each claim, over all tasks. */
  readonly epoch: number
  readonly attempts: number
  readonly progress: Progress
  readonly result: Json | null
  readonly failure: TaskFailure | null
  /** Milliseconds since 1970. */
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly notBefore: number
}

export interface TaskFailure {
  readonly code: ErrorCode
  readonly message: string
  readonly retry: boolean
  readonly at: number
}

/** What a track asks of the queue. Everything is durable when it resolves. */
export interface TaskQueue {
  /** All or none; those whose name exists already are left as they are. */
  add(tasks: readonly NewTask[]): Promise<void>
  list(filter?: TaskFilter): Promise<readonly Task[]>
  /** How many of them are not done. */
  unfinished(filter: TaskFilter): Promise<number>
  /** Cancels tasks: waiting ones at once, running ones by telling their holder. Idempotent. */
  cancel(filter: TaskFilter): Promise<void>
  /** An epoch higher than those of all claims so far, and lower than those of all to come. */
  newEpoch(): Promise<Epoch>
  /** Forgets tasks that nobody holds any more (done, failed, cancelled and let go or expired); those still held stay. */
  remove(filter: TaskFilter): Promise<void>
}

export interface TaskFilter {
  readonly kind?: TaskKind
  readonly names?: readonly string[]
  readonly prefix?: string
  readonly states?: readonly TaskState[]
}

/** Does one task. Idempotent; resolves when it is done for good, rejects with a coded failure otherwise. */
export type TaskHandler = (task: Task, ports: TrackPorts, context: TaskContext) => Promise<Json | null>
