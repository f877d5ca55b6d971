import { InvalidArgumentError } from 'commander'
import { wholeNumber } from '../options.ts'

const workersMax = 64

/** A parser for how many processes share a port. */
export function workerCount(text: string): number {
  const count = wholeNumber(text)
  if (count < 1 || count > workersMax) throw new InvalidArgumentError(`Give a number from 1 to ${workersMax}.`)
  return count
}
