import type { ErrorCode } from './error-codes.ts'

/** A problem in the user's system, found before anything is changed. */
export interface Finding {
  readonly code: ErrorCode
  /** `block`: the migration must not start; `warn`: it may, and something will be worse than it could be; `note`: good to know. */
  readonly severity: 'block' | 'warn' | 'note'
  /** What it is about, e.g. `source/a public.orders.total`. */
  readonly subject: string
  /** One sentence that says what was found. */
  readonly message: string
  /** What to do about it, as a command or SQL where one exists. */
  readonly remedy: string
}
