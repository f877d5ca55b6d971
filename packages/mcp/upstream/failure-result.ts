// Troubles of an upstream as MCP results: what happened, what to do, and the upstream's own words, bounded and without secrets.

import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { type Failure, fail } from '@crossfade/model/failure.ts'
import type { Credential } from '../instances/session.ts'
import type { AnswerHeaders } from './exchange.ts'
import { keysOf, secretsOf } from './place-credential.ts'
import type { ToolOutcome } from './upstream.ts'

/** Of an upstream's own message, what is passed on. */
const messageCharactersMax = 2_000
/** Of an upstream's error body, what is looked at. */
const bodyBytesMax = 65_536
/** Of one secret in any spelling, more than is ever stored. */
const secretBytesMax = 65_536

/** The outcome that tells of `failure`. */
export function failureOutcome(failure: Failure, statusCode = 0): ToolOutcome {
  const text = `${failure.code}: ${failure.message} ${failure.remedy}`
  return { result: { content: [{ type: 'text', text }], isError: true }, statusCode, errorCode: failure.code }
}

/** What a status outside 2xx means. 429 and redirects are not this function's. */
export function statusFailure(
  status: number,
  headers: AnswerHeaders,
  body: Buffer,
  service: string,
  credential: Credential,
): Failure {
  const said = upstreamMessage(headers, body, secretsOf(credential))
  const reason = said === '' ? 'it said nothing more' : said
  return fail(codeOf(status), { service, status, reason })
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'CF13331'
  if (status === 403) return 'CF13332'
  if (status === 404 || status === 410) return 'CF13333'
  if (status === 409 || status === 412 || status === 423) return 'CF13334'
  if (status === 400 || status === 422) return 'CF13335'
  return status >= 500 ? 'CF13336' : 'CF13330'
}

/** The upstream's own words without `secrets`, one line. Empty when it said nothing that a person could read. */
export function upstreamMessage(headers: AnswerHeaders, body: Buffer, secrets: readonly string[]): string {
  const type = String(headers['content-type'] ?? '').toLowerCase()
  const line = (words: string) => oneLine(redact(words, secrets))
  // Secrets go before anything is cut: half of one is still told.
  const text = redact(body.subarray(0, bodyBytesMax + secretBytesMax).toString('utf8'), secrets).slice(0, bodyBytesMax)
  if (type.includes('html')) return line(/<title[^>]*>([^<]*)/i.exec(text)?.[1] ?? '')
  if (text.includes('\u0000')) return ''
  try {
    const value: unknown = JSON.parse(text)
    return line(messageIn(value, 0) ?? text)
  } catch {
    return line(text)
  }
}

const messageNames = [
  'message',
  'error_description',
  'error_message',
  'detail',
  'description',
  'error',
  'errors',
  'title',
  'reason',
]

/** Where APIs put their message, most telling first; two levels deep. */
function messageIn(value: unknown, depth: number): string | null {
  if (typeof value === 'string') return value
  if (depth > 3) return null
  if (Array.isArray(value)) {
    const texts = value.slice(0, 5).map((item) => messageIn(item, depth + 1))
    return texts.filter(Boolean).join('; ') || null
  }
  if (typeof value !== 'object' || value === null) return null
  const found = messageNames.flatMap((name) => {
    const member = (value as Record<string, unknown>)[name]
    const text = member === undefined ? null : messageIn(member, depth + 1)
    return text ? [text] : []
  })
  return found.length > 0 ? [...new Set(found)].slice(0, 3).join(': ') : null
}

function oneLine(text: string): string {
  // Control characters and the marks that turn the direction of text have no business in a message.
  const plain = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  const short = plain.length > messageCharactersMax ? `${plain.slice(0, messageCharactersMax)}…` : plain
  return short.replace(/[.\s]+$/, '')
}

/** The text without any of the secrets. Secrets of fewer than `secretCharactersMin` characters would take out half of every word. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text
  for (const secret of secrets) {
    if (secret.length >= secretCharactersMin) clean = clean.replaceAll(secret, '[redacted]')
  }
  return clean
}

const secretCharactersMin = 4

/**
 * An answer's bytes without the key that the request was sent with, in case the upstream repeats it: whoever may call tools need not know the key, and a model never.
 * The same bytes where it doesn't.
 */
export function withoutKey(body: Buffer, credential: Credential): Buffer {
  let clean = body
  for (const key of keysOf(credential)) {
    if (clean.includes(key))
      clean = Buffer.from(clean.toString('latin1').replaceAll(key.toString('latin1'), '[redacted]'), 'latin1')
  }
  return clean
}
