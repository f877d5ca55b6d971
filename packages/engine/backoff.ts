const firstMs = 250
const restLongestMs = 15_000

/** How long to rest before the attempt after `attempts` failed ones, in milliseconds. Grows to 15 s, and never gives up: what may heal by itself is ridden out (D07). */
export function backoffMs(attempts: number, longestMs: number = restLongestMs): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(attempts, 10))
}

/** Behind a stream that rests the log piles up. */
export const streamLongestMs = 3_000

/** What ran this long before it failed had healed; its earlier failures are forgotten. */
export const steadyMs = 10_000

/** A failure without a code may be our bug; it is not tried for ever. */
export const unknownAttemptsMax = 5
