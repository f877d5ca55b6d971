// What the edge answers by itself, before the runtime sees a request: JSON-RPC errors without an id, as the protocol has it for refused HTTP requests.
import type { ServerResponse } from 'node:http'
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { type Details, Failure, fail } from '@crossfade/model/failure.ts'
import { httpAnswerOf } from '@crossfade/model/http-answers.ts'
import { INTERNAL_ERROR, INVALID_REQUEST } from '@modelcontextprotocol/server'

/** JSON-RPC's number for errors that a server defines itself. */
const serverErrorCode = -32_000

/**
 * Answers with a failure's sentence, remedy and code, under the status that the platform's table gives it; with the time to wait where that says one. `headers` say, among
 * others, that the connection is closed when the request's body was not read to its end.
 */
export function refuse(
  response: ServerResponse,
  failure: Failure,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, retryAfterSeconds } = httpAnswerOf(failure)
  const body = Buffer.from(
    JSON.stringify({
      jsonrpc: '2.0',
      id: null,
      error: {
        code: numberOf(status),
        message: failure.message,
        data: { code: failure.code, remedy: failure.remedy, retry: failure.retry },
      },
    }),
  )
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'x-content-type-options': 'nosniff',
    ...(retryAfterSeconds === null ? {} : { 'retry-after': String(retryAfterSeconds) }),
    ...headers,
  })
  response.end(body)
}

/** As `refuse`, with a failure made here. */
export function refuseWith(
  response: ServerResponse,
  code: ErrorCode,
  details: Details = {},
  headers: Readonly<Record<string, string>> = {},
): void {
  refuse(response, fail(code, details), headers)
}

/** Whatever was thrown, as a failure that may be shown. */
export function asFailure(thrown: unknown): Failure {
  return thrown instanceof Failure ? thrown : fail('CF9001', { reason: 'a request could not be served' }, thrown)
}

function numberOf(status: number): number {
  if (status === 400) return INVALID_REQUEST
  return status === 500 ? INTERNAL_ERROR : serverErrorCode
}
