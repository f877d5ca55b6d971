import { type Clock, systemClock } from '@crossfade/model/clock.ts'
import { isTransient } from './transient.ts'

/** Delays grow twofold from the first to the longest; each is drawn between 0 and that (full jitter), so that workers do not return together. */
export interface RetryPolicy {
  readonly attemptsMax: number
  readonly firstDelayMs: number
  readonly delayMaxMs: number
}

/** Rides out a restart of a server: about two and a half minutes on average before it gives up (D07). */
export const restartPolicy: RetryPolicy = { attemptsMax: 60, firstDelayMs: 50, delayMaxMs: 5_000 }
/** For conflicts between transactions, which pass quickly. */
export const conflictPolicy: RetryPolicy = { attemptsMax: 10, firstDelayMs: 10, delayMaxMs: 500 }

export interface RetryOptions {
  readonly policy?: RetryPolicy
  readonly clock?: Clock
  readonly signal?: AbortSignal
  /** Told before each wait. */
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void
  readonly random?: () => number
}

/**
 * Calls `work` until it resolves, rejects with something that is not transient, or `attemptsMax` is reached (then it rejects with the last error).
 * `work` must be idempotent. Rejects with the signal's reason when that aborts, also in the middle of a wait.
 */
export async function retrying<T>(work: (attempt: number) => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { policy = restartPolicy, clock = systemClock, signal, random = Math.random } = options
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    try {
      return await work(attempt)
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (attempt >= policy.attemptsMax || !isTransient(error)) throw error
      const delayMs = random() * Math.min(policy.delayMaxMs, policy.firstDelayMs * 2 ** (attempt - 1))
      options.onRetry?.(error, attempt, delayMs)
      await clock.sleep(delayMs, signal)
    }
  }
}
