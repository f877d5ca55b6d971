// What an operator says about external issuers, as it stands in a file.
import { fail } from '@crossfade/model/failure.ts'
import { createExternalIssuers, type ExternalIssuer } from './external-issuers.ts'

/** Every request for its metadata names them all. */
const issuersMax = 20
const fields: ReadonlySet<string> = new Set(['issuer', 'jwksUrl', 'algorithms', 'audience', 'userBy', 'scopes'])

/**
 * The issuers of a JSON document: a list of `ExternalIssuer`. Throws CF12312 for what is none, with where it is and what it must be; a field that is unknown is refused, since what somebody
 * meant to restrict would be open. Throws CF12311 for an issuer that can't be safe.
 */
export function parseExternalIssuers(document: unknown): readonly ExternalIssuer[] {
  if (!Array.isArray(document)) throw wrong('The document', 'must be a list')
  if (document.length > issuersMax) throw wrong('The list', `must name no more than ${issuersMax} issuers`)
  const issuers = document.map((entry: unknown, index) => parseIssuer(entry, `Entry ${index + 1}`))
  const twice = issuers.find(({ issuer }, index) => issuers.findIndex((other) => other.issuer === issuer) < index)
  if (twice) throw wrong('The list', `must name ${twice.issuer} once`)
  createExternalIssuers(issuers)
  return issuers
}

function parseIssuer(entry: unknown, at: string): ExternalIssuer {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw wrong(at, 'must be an object')
  const unknown = Object.keys(entry).find((field) => !fields.has(field))
  if (unknown !== undefined) {
    throw wrong(at, `has a field ${JSON.stringify(unknown.slice(0, 40))}; known are ${[...fields].join(', ')}`)
  }
  const { issuer, jwksUrl, algorithms, audience, userBy, scopes } = entry as Record<string, unknown>
  const must = (holds: boolean, field: string, rule: string) => {
    if (!holds) throw wrong(`${field} in ${at[0]!.toLowerCase()}${at.slice(1)}`, rule)
  }
  must(typeof issuer === 'string', 'issuer', 'must be the address that stands in `iss` of its tokens')
  must(isAbsent(jwksUrl) || typeof jwksUrl === 'string', 'jwksUrl', 'must be an address')
  must(isAbsent(algorithms) || isTexts(algorithms), 'algorithms', 'must be a list of names, like ["RS256"]')
  must(isAudience(audience), 'audience', 'must be "instance", or { "value": "…" } with the one audience of its tokens')
  const isKnownWay = isAbsent(userBy) || userBy === 'linked_subject' || userBy === 'verified_email'
  must(isKnownWay, 'userBy', 'must be "linked_subject" or "verified_email"')
  const isScopes = isTexts(scopes) && scopes.length > 0 && scopes.every((scope) => /^mcp:(read|call)$/.test(scope))
  must(
    isAbsent(scopes) || scopes === 'claim' || isScopes,
    'scopes',
    'must be "claim", or a list of mcp:read and mcp:call',
  )
  return entry as ExternalIssuer
}

function isAbsent(value: unknown): value is undefined {
  return value === undefined
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}

function isAudience(audience: unknown): boolean {
  if (audience === undefined || audience === 'instance') return true
  if (typeof audience !== 'object' || audience === null) return false
  const { value, ...more } = audience as Record<string, unknown>
  return typeof value === 'string' && value !== '' && Object.keys(more).length === 0
}

function wrong(at: string, rule: string) {
  return fail('CF12312', { at, rule })
}
