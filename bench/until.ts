import { systemClock } from '@crossfade/model/clock.ts'

/** Whatever a benchmark waits for must have come by then. */
const waitMsMax = 120_000

/** Resolves when it is reached, which is looked at every `lookMs` milliseconds. Rejects with what was waited for when that has not come within two minutes. */
export async function until(what: string, lookMs: number, reached: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + waitMsMax
  while (!(await reached())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${waitMsMax} ms`)
    await systemClock.sleep(lookMs)
  }
}
