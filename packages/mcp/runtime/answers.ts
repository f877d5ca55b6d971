// How the compiled path writes: one string, one length, one write.
import type { ServerResponse } from 'node:http'
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { type Details, type Failure, fail } from '@crossfade/model/failure.ts'
import { INVALID_REQUEST, PARSE_ERROR } from '@modelcontextprotocol/server'
import { compileGzip, type GzipAnswer, gzipWith } from './gzip-answer.ts'

export type RequestId = string | number

/** A result that was compiled beforehand: ASCII, so its length in characters is its length in bytes. `compiled` ends before the id. */
export function answerCompiled(response: ServerResponse, compiled: string, id: RequestId): void {
  const tail = typeof id === 'number' ? `${id}}` : `${asciiJson(id)}}`
  response.writeHead(200, ['Content-Type', 'application/json', 'Content-Length', String(compiled.length + tail.length)])
  response.end(compiled + tail, 'latin1')
}

/** A long compiled result. Compressed when the first client asks for it so. */
export interface CompiledList {
  readonly text: string
  gzip: GzipAnswer | null
}

/** Characters from which it pays to be compressed: what fits into one packet is sent as it is. */
const gzipCharactersMin = 1_400

/** As `answerCompiled`, and compressed for clients that take gzip (`acceptEncoding` is their header). */
export function answerList(
  response: ServerResponse,
  list: CompiledList,
  id: RequestId,
  acceptEncoding: string | undefined,
): void {
  if (list.text.length < gzipCharactersMin) return answerCompiled(response, list.text, id)
  if (acceptEncoding === undefined || !takesGzip.test(acceptEncoding)) return answerCompiled(response, list.text, id)
  list.gzip ??= compileGzip(list.text)
  const body = gzipWith(list.gzip, typeof id === 'number' ? `${id}}` : `${asciiJson(id)}}`)
  response.writeHead(200, [
    'Content-Type',
    'application/json',
    'Content-Encoding',
    'gzip',
    'Vary',
    'accept-encoding',
    'Content-Length',
    String(body.length),
  ])
  response.end(body, 'latin1')
}

/** Listed, and not with the quality of zero, which refuses it (RFC 9110, section 12.5.3). */
const takesGzip = /(?:^|,)\s*gzip\s*(?:;\s*q=(?:1|0?\.0*[1-9]|0\.\d*[1-9])|,|$)/i

/** What `answerCompiled` takes: everything of a response to `result` but the id. */
export function compileResult(result: unknown): string {
  return `{"result":${asciiJson(result)},"jsonrpc":"2.0","id":`
}

/** Any JSON body. */
export function answerJson(
  response: ServerResponse,
  status: number,
  json: string,
  headers: readonly string[] = [],
): void {
  const length = Buffer.byteLength(json)
  response.writeHead(status, ['Content-Type', 'application/json', 'Content-Length', String(length), ...headers])
  // What is ASCII is written together with the head, without being encoded.
  response.end(json, length === json.length ? 'latin1' : 'utf8')
}

/** A JSON-RPC error with a number of the protocol's. */
export function answerError(
  response: ServerResponse,
  status: number,
  error: { readonly code: number; readonly message: string; readonly data?: unknown },
  id: RequestId | null = null,
): void {
  answerJson(response, status, JSON.stringify({ jsonrpc: '2.0', error, id }))
}

/** Refuses a body before it is looked at as a message. */
export function refuseBody(response: ServerResponse, code: ErrorCode, details: Details = {}): void {
  const number = code === 'CF13007' ? PARSE_ERROR : INVALID_REQUEST
  answerError(response, 400, { code: number, ...told(fail(code, details)) })
}

/** A failure as the members of a JSON-RPC error. */
export function told(failure: Failure): { readonly message: string; readonly data: unknown } {
  return {
    message: `${failure.message} ${failure.remedy} (${failure.code})`,
    data: { code: failure.code, remedy: failure.remedy, retry: failure.retry },
  }
}

/** A notification was taken. */
export function answerAccepted(response: ServerResponse): void {
  response.writeHead(202, ['Content-Length', '0'])
  response.end()
}

/** JSON in ASCII alone: other characters as `\uXXXX`. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
