import { createHash, timingSafeEqual } from 'node:crypto'
import { fail } from '@crossfade/model/failure.ts'
import type { FastifyRequest } from 'fastify'

/** What a caller may do. Each role may do everything that the ones before it may. */
export const roles = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

/** What a token may be called: it stands in the journal, in front of a colon. */
export const tokenNamePattern = /^[\w.@-]{1,100}$/

/** A token as the server keeps it: never the token itself. */
export interface TokenRecord {
  readonly name: string
  readonly role: Role
  /** SHA-256 of the token, hex. Tokens are long random strings, so a slow hash would add nothing. */
  readonly sha256: string
}

export interface Caller {
  readonly name: string
  readonly role: Role
}

/**
 * - `tokens`: every request needs `Authorization: Bearer …` with a known token.
 * - `local`: for one person on one machine; no token, but the server listens on the loopback interface alone and refuses requests
 *   whose Host or Origin is not a loopback name, so that no web page elsewhere can reach it through the person's browser.
 */
export type Access = { readonly kind: 'tokens'; readonly tokens: readonly TokenRecord[] } | { readonly kind: 'local' }

/** Who is calling. Throws CF7201 (no or unknown token) or CF7203 (not from this machine). */
export function authenticate(request: FastifyRequest, access: Access): Caller {
  if (access.kind === 'local') {
    refuseForeignOrigins(request)
    return { name: 'local', role: 'admin' }
  }
  const presented = bearerToken(request)
  if (presented === null) throw fail('CF7201')
  const digest = createHash('sha256').update(presented).digest()
  let found: TokenRecord | undefined
  // Every record is compared, so that the time taken says nothing about which one matched.
  for (const record of access.tokens) if (timingSafeEqual(Buffer.from(record.sha256, 'hex'), digest)) found = record
  if (!found) throw fail('CF7201')
  return { name: found.name, role: found.role }
}

/** Throws CF7202 when the caller's role is below the one needed. */
export function requireRole(caller: Caller, needed: Role): void {
  if (roles.indexOf(caller.role) < roles.indexOf(needed)) throw fail('CF7202', { role: caller.role, needed })
}

/**
 * Reads `name:role:sha256` lines; empty lines and lines that start with `#` are passed over.
 * Throws CF7204 with the line's number on anything else.
 */
export function parseTokens(text: string): TokenRecord[] {
  const records: TokenRecord[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const match = /^([^:]+):(viewer|operator|admin):([0-9a-f]{64})$/.exec(trimmed)
    if (!match || !tokenNamePattern.test(match[1]!)) throw fail('CF7204', { line: index + 1 })
    records.push({ name: match[1]!, role: match[2] as Role, sha256: match[3]! })
  }
  return records
}

function bearerToken(request: FastifyRequest): string | null {
  return /^Bearer ([\x21-\x7e]{16,512})$/i.exec(request.headers.authorization ?? '')?.[1] ?? null
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]'])

function refuseForeignOrigins(request: FastifyRequest): void {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '')
  const origin = request.headers.origin
  const originHost = origin === undefined ? null : hostnameOf(origin)
  if (!loopbackNames.has(host) || (originHost !== null && !loopbackNames.has(originHost))) throw fail('CF7203')
}

function hostnameOf(origin: string): string {
  try {
    return new URL(origin).hostname
  } catch {
    return ''
  }
}
