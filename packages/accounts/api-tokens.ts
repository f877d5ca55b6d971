// Personal API tokens: `cfp_…`, shown once, kept as SHA-256, with scopes, an end, and a time of last use.
import { createHash, randomBytes } from 'node:crypto'
import { asUser, type UserProof } from '@crossfade/mcp-database/as-user.ts'
import { audit } from '@crossfade/mcp-database/audit.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { Pool, PoolClient } from 'pg'

export const apiTokenPrefix = 'cfp_'
const secretBytes = 32
const nameCharactersMax = 100
/** Tokens of one user that are neither revoked nor expired. */
const tokensOfUserMax = 50
const expiryDaysMax = 366

/** `read` may look, `write` may also change. */
export type ApiTokenScope = 'read' | 'write'

export interface ApiToken {
  readonly id: string
  readonly name: string
  readonly scopes: readonly ApiTokenScope[]
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  readonly lastUsedAt: Date | null
  readonly createdAt: Date
}

export interface NewApiToken {
  readonly name: string
  readonly scopes: readonly ApiTokenScope[]
  /** Days until it ends, at most 366; null: it doesn't. */
  readonly expiresInDays: number | null
}

/**
 * Makes a token for the user of `proof`, which must be a session: a token can't beget tokens (CF12302). The secret is in
 * the answer and nowhere else. Throws CF12301 for a bad name, scope or end, and CF12304 beyond 50 live tokens.
 */
export async function createApiToken(
  api: Pool,
  proof: UserProof,
  wanted: NewApiToken,
  sourceIp?: string,
): Promise<{ token: ApiToken; secret: string }> {
  if (proof.kind !== 'session') throw fail('CF12302')
  checkWanted(wanted)
  const { secret, hash } = newApiSecret()
  const token = await asUser(api, proof, async (client, userId) => {
    const live = await client.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM api_tokens
       WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
      [userId],
    )
    if (live.rows[0]!.count >= tokensOfUserMax) throw fail('CF12304', { limit: tokensOfUserMax })
    const made = await client.query<TokenRow>(
      `INSERT INTO api_tokens (user_id, name, secret_hash, scopes, expires_at)
       VALUES ($1, $2, $3, $4, now() + $5 * interval '1 day') RETURNING ${columns}`,
      [userId, wanted.name.trim(), hash, [...new Set(wanted.scopes)], wanted.expiresInDays],
    )
    const { id } = made.rows[0]!
    await audit(client, { action: 'api_token.create', subject: id, outcome: 'done', ...from(sourceIp) })
    return toToken(made.rows[0]!)
  })
  return { token, secret }
}

/** The user's tokens, newest first, revoked ones too. */
export function listApiTokens(api: Pool, proof: UserProof): Promise<ApiToken[]> {
  return asUser(api, proof, async (client) => {
    const found = await client.query<TokenRow>(
      `SELECT ${columns} FROM api_tokens ORDER BY created_at DESC, id LIMIT 500`,
    )
    return found.rows.map(toToken)
  })
}

/** Ends a token of the user's at once. Idempotent; CF12303 when the user has no such token. Not reversible. */
export function revokeApiToken(api: Pool, proof: UserProof, id: string, sourceIp?: string): Promise<void> {
  return asUser(api, proof, async (client) => {
    const done = await client.query(
      'UPDATE api_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id::text = $1',
      [id],
    )
    if (done.rowCount === 0) throw fail('CF12303')
    await audit(client, { action: 'api_token.revoke', subject: id, outcome: 'done', ...from(sourceIp) })
  })
}

function from(sourceIp: string | undefined): { sourceIp?: string } {
  return sourceIp === undefined ? {} : { sourceIp }
}

/** What the token that opened this transaction may do; nothing when it isn't the user's. */
export async function scopesOfApiToken(client: PoolClient, secret: string): Promise<ReadonlySet<ApiTokenScope>> {
  const found = await client.query<{ scopes: ApiTokenScope[] }>(
    'SELECT scopes FROM api_tokens WHERE secret_hash = $1 AND revoked_at IS NULL',
    [apiTokenHash(secret)],
  )
  return new Set(found.rows[0]?.scopes ?? [])
}

/** A new secret and the digest to store for it. */
export function newApiSecret(): { secret: string; hash: Buffer } {
  const secret = `${apiTokenPrefix}${randomBytes(secretBytes).toString('base64url')}`
  return { secret, hash: apiTokenHash(secret) }
}

/** SHA-256 of the whole token, prefix included. A random token of 256 bits needs no slow hash. */
export function apiTokenHash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

interface TokenRow {
  id: string
  name: string
  scopes: ApiTokenScope[]
  expires_at: Date | null
  revoked_at: Date | null
  last_used_at: Date | null
  created_at: Date
}
const columns = 'id, name, scopes, expires_at, revoked_at, last_used_at, created_at'

function toToken(row: TokenRow): ApiToken {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
    createdAt: row.created_at,
  }
}

function checkWanted(wanted: NewApiToken): void {
  const { expiresInDays } = wanted
  const name = typeof wanted.name === 'string' ? wanted.name.trim() : ''
  if (name.length < 1 || name.length > nameCharactersMax) {
    throw fail('CF12301', { part: 'name', rule: `1 to ${nameCharactersMax} characters` })
  }
  const known = wanted.scopes.every((scope) => scope === 'read' || scope === 'write')
  if (wanted.scopes.length === 0 || !known) throw fail('CF12301', { part: 'scopes', rule: 'read, write, or both' })
  if (
    expiresInDays !== null &&
    !(Number.isInteger(expiresInDays) && expiresInDays >= 1 && expiresInDays <= expiryDaysMax)
  ) {
    throw fail('CF12301', { part: 'end', rule: `1 to ${expiryDaysMax} days` })
  }
}
