// Wrong tokens cost a look-up each. This keeps a guesser from keeping the database busy.
import type { InstanceId } from '@crossfade/model/platform-ids.ts'

/** Wrong tokens for one instance within `windowMs`; after that only tokens already known are let in. */
export const wrongPerInstanceMax = 20
export const windowMs = 10_000
/** Wrong tokens for any instance within `windowMs`, in one worker. */
export const wrongMax = 5_000
/** Instances that are counted at once; the oldest window is forgotten first. */
const countedMax = 10_000

export interface GuessLimits {
  /** Whether another unknown token for the instance may be looked up. */
  mayLookUp(instanceId: InstanceId, nowMs: number): boolean
  /** Counts a token that opened nothing. */
  wrong(instanceId: InstanceId, nowMs: number): void
}

/** Counts wrong tokens in windows of `windowMs`, bounded in memory. */
export function createGuessLimits(): GuessLimits {
  const windows = new Map<InstanceId, { count: number; untilMs: number }>()
  let all = { count: 0, untilMs: 0 }
  return {
    mayLookUp(instanceId, nowMs) {
      if (all.untilMs > nowMs && all.count >= wrongMax) return false
      const window = windows.get(instanceId)
      return window === undefined || window.untilMs <= nowMs || window.count < wrongPerInstanceMax
    },
    wrong(instanceId, nowMs) {
      if (all.untilMs <= nowMs) all = { count: 0, untilMs: nowMs + windowMs }
      all.count += 1
      const window = windows.get(instanceId)
      if (window !== undefined && window.untilMs > nowMs) {
        window.count += 1
        return
      }
      windows.delete(instanceId)
      if (windows.size >= countedMax) windows.delete(windows.keys().next().value!)
      windows.set(instanceId, { count: 1, untilMs: nowMs + windowMs })
    },
  }
}
