const FIRST_MS = 250
const LONGEST_MS = 15_000

/** How long to rest before the attempt after `attempts` failed ones, in milliseconds. Grows to 15 s, and never gives up: what may heal by itself is ridden out (D07). */
export function backoffMs(attempts: number, longestMs: number = LONGEST_MS): number {
  return Math.min(longestMs, FIRST_MS * 2 ** Math.min(attempts, 10))
}

/** Behind a stream that rests the log piles up. */
export const STREAM_LONGEST_MS = 3_000

/** What ran this long before it failed had healed; its earlier failures are forgotten. */
export const STEADY_MS = 10_000

/** A failure without a code may be our bug; it is not tried for ever. */
export const UNKNOWN_ATTEMPTS_MAX = 5
