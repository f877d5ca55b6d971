import type { IncomingMessage } from 'node:http'

/** Why a body was not taken. */
export type BodyRefusal = 'too large' | 'encoded' | 'cut short'

export type BodyOutcome = { readonly body: Buffer } | { readonly refused: BodyRefusal }

const nothing = Buffer.alloc(0)

/**
 * Reads a request's body whole, at most `bytesMax`. Bodies in a content encoding are refused, so that a small request stays small. How long it may take is the
 * server's `requestTimeout`. Calls `done` exactly once; at once when there is no body.
 */
export function readBody(request: IncomingMessage, bytesMax: number, done: (outcome: BodyOutcome) => void): void {
  const { headers } = request
  const declared = headers['content-length']
  if (declared === '0' || (declared === undefined && headers['transfer-encoding'] === undefined))
    return done({ body: nothing })
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') return done({ refused: 'encoded' })
  if (declared !== undefined && Number(declared) > bytesMax) return done({ refused: 'too large' })

  let first: Buffer | null = null
  let more: Buffer[] | null = null
  let bytes = 0
  let isDone = false
  const finish = (outcome: BodyOutcome) => {
    if (isDone) return
    isDone = true
    done(outcome)
  }
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > bytesMax) return finish({ refused: 'too large' })
    if (first === null) first = chunk
    else if (more === null) more = [first, chunk]
    else more.push(chunk)
  })
  request.on('end', () => finish({ body: more === null ? (first ?? nothing) : Buffer.concat(more, bytes) }))
  request.on('error', () => finish({ refused: 'cut short' }))
  request.on('aborted', () => finish({ refused: 'cut short' }))
}
