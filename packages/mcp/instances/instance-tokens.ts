// The secrets that open an instance, as their owner manages them.
import { audit } from '@crossfade/mcp-database/audit.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { InstanceId, TokenId } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import { mintSecret, type SecretKind } from './instance-secrets.ts'
import type { TokenScope } from './session.ts'

/** Tokens of one instance that are not revoked. */
export const tokensMax = 100

export interface TokenRecord {
  readonly id: TokenId
  readonly kind: SecretKind
  readonly name: string
  readonly scopes: readonly TokenScope[]
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  readonly lastUsedAt: Date | null
}

export interface TokenWish {
  /** `url` is for clients that can send no header; never made unless asked for. */
  readonly kind?: SecretKind
  readonly name?: string
  readonly scopes?: readonly TokenScope[]
  /** Null or absent: it does not expire. */
  readonly expiresInDays?: number | null
}

export interface MintedToken {
  readonly record: TokenRecord
  /** Shown once; the database has only its hash. */
  readonly secret: string
}

/** Makes a token for an instance of the client's user. Rejects with CF12017 when there are `tokensMax` already. */
export async function createToken(
  client: pg.ClientBase,
  instanceId: InstanceId,
  wish: TokenWish,
  sourceIp?: string,
): Promise<MintedToken> {
  const kind = wish.kind ?? 'bearer'
  const counted = await client.query<{ count: number }>(
    'SELECT count(*)::integer AS count FROM instance_tokens WHERE instance_id = $1 AND revoked_at IS NULL',
    [instanceId],
  )
  if (counted.rows[0]!.count >= tokensMax)
    throw fail('CF12017', { reason: `an instance has at most ${tokensMax} tokens` })
  const { secret, hash } = mintSecret(kind)
  const { rows } = await client.query<Row>(
    `INSERT INTO instance_tokens (instance_id, user_id, kind, secret_hash, name, scopes, expires_at)
     VALUES ($1, current_user_id(), $2, $3, $4, $5, now() + $6 * interval '1 day') RETURNING ${columns}`,
    [instanceId, kind, hash, wish.name ?? 'default', wish.scopes ?? ['read', 'call'], wish.expiresInDays ?? null],
  )
  const record = recordOf(rows[0]!)
  await audit(client, {
    action: 'token.create',
    subject: record.id,
    details: { instanceId, kind, scopes: record.scopes, expiresAt: record.expiresAt?.toISOString() ?? null },
    outcome: 'done',
    ...(sourceIp !== undefined && { sourceIp }),
  })
  return { record, secret }
}

/** All tokens of an instance, revoked ones too; the newest first. */
export async function listTokens(client: pg.ClientBase, instanceId: InstanceId): Promise<TokenRecord[]> {
  const { rows } = await client.query<Row>(
    `SELECT ${columns} FROM instance_tokens WHERE instance_id = $1 ORDER BY created_at DESC, id LIMIT 500`,
    [instanceId],
  )
  return rows.map(recordOf)
}

/** Revokes a token on every worker, in the time that a notification takes. Idempotent. Rejects with CF12015 when the instance has no such token. */
export async function revokeToken(
  client: pg.ClientBase,
  instanceId: InstanceId,
  tokenId: TokenId,
  sourceIp?: string,
): Promise<void> {
  const { rows } = await client.query<{ revoked_now: boolean }>(
    `WITH before AS (SELECT id, revoked_at FROM instance_tokens WHERE id = $1 AND instance_id = $2 FOR UPDATE)
     UPDATE instance_tokens t SET revoked_at = coalesce(t.revoked_at, now()) FROM before b WHERE t.id = b.id
     RETURNING b.revoked_at IS NULL AS revoked_now`,
    [tokenId, instanceId],
  )
  if (!rows[0]) throw fail('CF12015')
  if (!rows[0].revoked_now) return
  await audit(client, {
    action: 'token.revoke',
    subject: tokenId,
    details: { instanceId },
    outcome: 'done',
    ...(sourceIp !== undefined && { sourceIp }),
  })
}

const columns = 'id, kind, name, scopes, created_at, expires_at, revoked_at, last_used_at'

interface Row {
  id: TokenId
  kind: SecretKind
  name: string
  scopes: TokenScope[]
  created_at: Date
  expires_at: Date | null
  revoked_at: Date | null
  last_used_at: Date | null
}

function recordOf(row: Row): TokenRecord {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    scopes: row.scopes,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  }
}
