/** What one gate looked at, and what it saw. Kept in the journal, shown in the console. */
export interface Evidence {
  readonly gate: string
  /** `unknown` (no data) holds the stage just as `fail` does, but is never a reason to retreat. */
  readonly verdict: 'pass' | 'fail' | 'unknown'
  /** One sentence with the figure and the limit: `lag 120 ms, at most 1000 ms`. */
  readonly detail: string
  readonly value: number | null
  readonly limit: number | null
  readonly unit: string | null
  /** Since when the verdict has been `pass` without a break; null while it is not. ISO 8601. */
  readonly passingSince: string | null
  /** How long it must pass before the stage may be entered. */
  readonly soakMs: number
}
