import { systemClock } from '@crossfade/model/clock.ts'

/** The wait before the next attempt: twice as long each time up to `maxMs`, a random part of it so that many clients don't come back together. */
export function backoffMs(attempt: number, firstMs: number, maxMs: number): number {
  const longest = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 20))
  return longest / 2 + (Math.random() * longest) / 2
}

/** Resolves after `milliseconds`, or at once when the signal aborts. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return systemClock.sleep(milliseconds, signal).catch(() => undefined)
}
