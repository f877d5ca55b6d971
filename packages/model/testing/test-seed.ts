// The seed of random tests: one for all tests of a run, so that whoever reads a failure needs one number.
import { randomInt } from 'node:crypto'

/** What somebody sets to repeat a run. */
export const replayVariable = 'CROSSFADE_SEED'
/** What `npm test` hands to its test processes: drawn for the run, and told again beside every test that failed. */
export const runVariable = 'CROSSFADE_RUN_SEED'

/** Seeds are below this: they fit the 32 signed bits that fast-check wants. */
const seedMax = 2 ** 31

let ownSeed: number | undefined

/**
 * The seed for a random test: `CROSSFADE_SEED` where somebody repeats a run, else the one of this run of `npm test`,
 * else one that is drawn and printed once in a process. The same for every caller in a process.
 */
export function testSeed(): number {
  const given = process.env[replayVariable] ?? process.env[runVariable]
  if (given !== undefined) return seedOf(given)
  if (ownSeed === undefined) {
    ownSeed = newSeed()
    console.log(`${replayVariable}=${ownSeed}`)
  }
  return ownSeed
}

/** A seed that nobody has chosen. */
export function newSeed(): number {
  return randomInt(seedMax)
}

function seedOf(text: string): number {
  const seed = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(seed))
    throw new Error(`${replayVariable} is a whole number, not ${text}`)
  return seed
}
