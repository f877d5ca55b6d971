const FIRST_MS = 250
const LONGEST_MS = 15_000

/** How long to rest before the attempt after `attempts` failed ones, in milliseconds. Grows to 15 s, and never gives up: what may heal by itself is ridden out (D07). */
export function backoffMs(attempts: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempts, 10))
}

/** A failure without a code may be our bug; it is not tried for ever. */
export const UNKNOWN_ATTEMPTS_MAX = 5
