import type { Json, TaskFailure, TaskState } from '@crossfade/tracks/contract/tasks.ts'
import type { Generated, JSONColumnType } from 'kysely'
import type { WorkKind } from './store.ts'

/** The tables of `migrations/*.sql`, as kysely sees them. bigint columns arrive as numbers; all of them stay far below 2^53. */
export interface ControlTables {
  'crossfade_control.migration': {
    id: string
    name: string
    plan: JSONColumnType<object>
    created_at: Date
    ended_at: Date | null
    paused: boolean
  }
  'crossfade_control.journal': JournalRow
  'crossfade_control.idempotency': { migration: string; key: string; first_position: number; last_position: number }
  'crossfade_control.routing': { migration: string; epoch: number; body: JSONColumnType<object> }
  'crossfade_control.task': TaskRow
  'crossfade_control.board': { migration: string; kind: string; name: string; body: JSONColumnType<object>; at: Date }
  'crossfade_control.report': {
    migration: string
    id: string
    ordinal: Generated<number>
    body: JSONColumnType<object>
  }
  'crossfade_control.mismatch': { migration: string; ordinal: number; body: JSONColumnType<object> }
  'crossfade_control.sample': { migration: string; name: string; at: Date; value: number }
  'crossfade_control.worker': { id: string; started_at: Date; seen_at: Date; memory_bytes: number }
}

export interface JournalRow {
  position: number
  migration: string
  version: number
  at: Date
  kind: string
  actor: string
  summary: string
  body: JSONColumnType<object>
}

export interface TaskRow {
  migration: string
  name: string
  ordinal: Generated<number>
  kind: WorkKind
  payload: JSONColumnType<Json & object>
  state: Generated<TaskState>
  worker: string | null
  epoch: Generated<number>
  lease_until: Date | null
  attempts: Generated<number>
  progress: JSONColumnType<Json & object>
  result: JSONColumnType<Json & object> | null
  failure: JSONColumnType<TaskFailure> | null
  started_at: Date | null
  finished_at: Date | null
  not_before: Generated<Date>
}
