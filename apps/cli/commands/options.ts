import { InvalidArgumentError } from 'commander'

/** A parser for options like `--sample 5s`; what does not fit is wrong usage. */
export function quantityOption(parse: (text: string) => number): (text: string) => number {
  return (text) => {
    try {
      return /^\d+$/.test(text) ? Number(text) : parse(text)
    } catch {
      throw new InvalidArgumentError('Give a number with its unit, like 500ms, 5s or 2min.')
    }
  }
}

const portMax = 65_535

/** A parser for ports that are listened on or asked. */
export function portNumber(text: string): number {
  const port = wholeNumber(text)
  if (port < 1 || port > portMax) throw new InvalidArgumentError(`Give a port from 1 to ${portMax}.`)
  return port
}

/** A parser for counts: whole numbers from 0 on. */
export function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give a whole number.')
}
