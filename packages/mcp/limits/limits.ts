// The contract of rate limits and quotas.
import type { InstanceSession } from '../instances/session.ts'

export type Admission =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly retryAfterMs: number; readonly reason: 'rate' | 'quota' | 'concurrency' }

/** Decides whether a call may go on now. Counts in this worker at once and over all workers soon after. */
export interface CallLimits {
  /** A call that was admitted must be `ended`. */
  admit(session: InstanceSession): Admission
  ended(session: InstanceSession): void
  close(): Promise<void>
}
