/** An error of the server outside `pg`'s reach: SQLSTATE as `code`, as `pg` has it. */
export interface ServerError extends Error {
  readonly code: string | undefined
  readonly severity: string | undefined
  readonly detail: string | undefined
  /** The server's own function that raised it; unlike the message it is in no language. */
  readonly routine: string | undefined
}

/** Reads the body of an ErrorResponse or a NoticeResponse: letters, each followed by text that ends in a zero byte. */
export function readServerError(body: Buffer): ServerError {
  const fields = new Map<string, string>()
  let position = 0
  while (position < body.length && body[position] !== 0) {
    const end = body.indexOf(0, position + 1)
    if (end < 0) break
    fields.set(String.fromCharCode(body[position]!), body.toString('utf8', position + 1, end))
    position = end + 1
  }
  const error = new Error(fields.get('M') ?? 'the server sent an error without a message')
  return Object.assign(error, {
    code: fields.get('C'),
    severity: fields.get('S'),
    detail: fields.get('D'),
    routine: fields.get('R'),
  })
}
