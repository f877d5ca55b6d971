import { type Lsn, zeroLsn } from '@crossfade/model/lsn.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import type { ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'

/** Whoever compares what the stream has touched: told after each commit, asked how far all of it was found equal. */
export interface TouchListener {
  /**
   * Rows of `table` with these identity values (text, in key order) were changed by transactions up to `lsn`, and that is durable on the applied side.
   * `keys` is empty for a table without identity: any of its rows may have changed. Waits while there is no room for more (back-pressure).
   */
  touched(table: ResolvedTable, keys: readonly (readonly string[])[], lsn: Lsn): Promise<void> | void
  /** Everything up to `lsn` is applied and durable, and all of its keys were given to `touched` before. */
  applied(lsn: Lsn): void
  /** All keys touched by transactions up to here have been compared since, and were equal. Never beyond the last `applied`. */
  proven(): Lsn
  /** Calls back whenever `proven` has moved; one listener at a time. */
  watch(moved: () => void): void
  /** Somebody waits for `proven` to pass what is applied by now. */
  hurry?(): void
  /** Keys touched and not yet proven. */
  pending(): number
  mismatches(): readonly Mismatch[]
}

/** A listener that believes: everything applied counts as proven. For streams that nobody verifies. */
export function believingListener(): TouchListener {
  let applied = zeroLsn
  let watcher = () => {}
  return {
    touched: () => {},
    applied: (lsn) => {
      if (lsn <= applied) return
      applied = lsn
      watcher()
    },
    watch: (moved) => {
      watcher = moved
    },
    proven: () => applied,
    pending: () => 0,
    mismatches: () => [],
  }
}
