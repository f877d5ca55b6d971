// An answer's bytes as text, by what its header and its first bytes say of them.
import { isUtf8 } from 'node:buffer'
import type { AnswerHeaders } from './exchange.ts'

export interface DeclaredType {
  /** In lower case, without parameters; empty when nothing is declared. */
  readonly type: string
  readonly charset: string
}

export function declaredType(headers: AnswerHeaders): DeclaredType {
  const header = headers['content-type']
  const text = (Array.isArray(header) ? header[0] : header) ?? ''
  const [type = '', ...parameters] = text.split(';')
  const charset = parameters.map((part) => /^\s*charset="?([^"\s]+)"?\s*$/i.exec(part)?.[1]).find(Boolean)
  return { type: type.trim().toLowerCase(), charset: (charset ?? 'utf-8').toLowerCase() }
}

/** JSON is UTF-8 (RFC 8259), whatever the header says; what is not, is what the header says. */
export function jsonText(body: Buffer, charset: string): string {
  return isUtf8Label(charset) || isUtf8(body) ? textOf(body, 'utf-8') : textOf(body, charset)
}

/** A byte order mark has the first word (WHATWG Encoding), then `charset`; an unknown one is read as UTF-8. */
export function textOf(body: Buffer, charset: string): string {
  const marked = markedCharset(body)
  if (marked !== null) return new TextDecoder(marked).decode(body)
  if (isUtf8Label(charset)) {
    const start = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0
    return body.toString('utf8', start)
  }
  try {
    return new TextDecoder(charset).decode(body)
  } catch {
    return body.toString('utf8')
  }
}

function isUtf8Label(charset: string): boolean {
  return charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii'
}

function markedCharset(body: Buffer): 'utf-16le' | 'utf-16be' | null {
  if (body[0] === 0xff && body[1] === 0xfe) return 'utf-16le'
  return body[0] === 0xfe && body[1] === 0xff ? 'utf-16be' : null
}
