import type { Clock } from '@crossfade/model/clock.ts'
import type { Kysely } from 'kysely'
import type { ControlTables } from './control-tables.ts'

/** Ordinary queries on the control database; every rejection is a coded failure, or carries one of our own SQLSTATEs. */
export interface ControlDatabase {
  readonly clock: Clock
  run<T>(work: (db: Kysely<ControlTables>) => Promise<T>): Promise<T>
}

/** Our own SQLSTATEs, raised by the functions of `migrations/`. */
export const sqlState = { name: 'CF604', version: 'CF605', lease: 'CF606' } as const

/** A value as a parameter of type jsonb; an array would become one of PostgreSQL's own otherwise. */
export function json(value: unknown): string {
  return JSON.stringify(value)
}
