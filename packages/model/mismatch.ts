import type { ShardId } from './ids.ts'
import type { TableName } from './table-name.ts'

/** A difference that verification found and that a recheck did not explain. Values are text, as the database prints them. */
export interface Mismatch {
  readonly table: TableName
  readonly kind: 'missing' | 'extra' | 'different' | 'misplaced' | 'duplicated'
  /** Identity columns and their values, in key order; the whole row for a table without identity. */
  readonly key: Readonly<Record<string, string | null>>
  readonly source: ShardId | null
  readonly target: ShardId | null
  /** The columns that differ; empty unless `kind` is `different`. */
  readonly columns: readonly {
    readonly column: string
    readonly source: string | null
    readonly target: string | null
  }[]
}

/** What one verification looked at and found. */
export interface VerificationReport {
  readonly id: string
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly scope: 'full' | 'touched' | 'repair'
  readonly tables: readonly TableVerification[]
  readonly rows: number
  readonly bytes: number
  readonly mismatches: number
  readonly repaired: number
}

export interface TableVerification {
  readonly table: TableName
  readonly rows: number
  readonly bytes: number
  /** The sum of the row hashes, the same on both sides when the tables are equal. */
  readonly digest: string
  readonly chunks: number
  readonly rechecks: number
  readonly milliseconds: number
  /** At most `mismatchesReportedMax` of them; `mismatchCount` says how many there are. */
  readonly mismatches: readonly Mismatch[]
  readonly mismatchCount: number
}
