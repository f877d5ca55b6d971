import type { TableName } from '@crossfade/model/table-name.ts'

/** One statement of a script. */
export interface Statement {
  readonly sql: string
  /** What it is about, for findings and failures: `view public.totals`. */
  readonly subject: string
  /** True: when the server refuses it, that is a finding and the rest goes on. */
  readonly optional: boolean
}

/** An index that is built beside running writes, outside any transaction. */
export interface IndexBuild {
  readonly schema: string
  readonly name: string
  readonly table: TableName
  /** With CONCURRENTLY. */
  readonly sql: string
}

/** What one unit of schema work does: first its indexes, one by one, then its transactions. */
export interface WorkSteps {
  readonly builds: readonly IndexBuild[]
  readonly transactions: readonly (readonly Statement[])[]
}

/** A unit as it is kept on the target. */
export interface WorkUnit {
  readonly id: string
  readonly phase: 'primary' | 'secondary' | 'final'
  readonly table: TableName | null
  readonly description: string
  readonly steps: WorkSteps
}

/** A statement without which the rest makes no sense. */
export function must(subject: string, sql: string): Statement {
  return { sql, subject, optional: false }
}

/** A statement that a server may refuse: then that is a finding. */
export function may(subject: string, sql: string): Statement {
  return { sql, subject, optional: true }
}
