// Tests with many cases of one kind take every so many of them in each run, and all in a long one.

/** Whether this is `npm test -- --long`, which nobody waits for. */
export const isLongRun = process.env['CROSSFADE_LONG'] === '1'

/** Every `step`-th of the cases, from the first on; in a long run all of them. */
export function sampled<Case>(cases: readonly Case[], step: number): readonly Case[] {
  return isLongRun ? cases : cases.filter((_, index) => index % step === 0)
}
