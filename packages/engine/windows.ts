import type { ThrottleWindow } from '@crossfade/pipeline/resolved-plan.ts'
import { Cron } from 'croner'

/** Whether `now` (milliseconds since 1970) lies in one of the windows; with no window it always does. */
export function inWindow(windows: readonly ThrottleWindow[], now: number): boolean {
  if (windows.length === 0) return true
  return windows.some(({ cron, timezone, durationMs }) => {
    const [opened] = new Cron(cron, { timezone, paused: true }).previousRuns(1, new Date(now))
    return opened !== undefined && now - opened.getTime() < durationMs
  })
}
