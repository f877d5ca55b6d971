/** One JSON document on standard output. Big integers become text. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(
    value,
    (_key, held) => (typeof held === 'bigint' ? held.toString() : (held as unknown)),
    2,
  )
  process.stdout.write(`${text}\n`)
}

/** The result of a command: goes to standard output. */
export function printText(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** For people, beside the result: goes to standard error, so that results can be piped. */
export function printNote(text: string): void {
  process.stderr.write(`${text}\n`)
}
