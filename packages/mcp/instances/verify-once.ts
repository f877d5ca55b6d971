// Whether a key is right, asked of the upstream at most once in a while: what it said is kept beside a keyed hash of the key, never the key.
import { createHmac } from 'node:crypto'
import type { Service } from '@crossfade/catalog/catalog.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import type { Credential } from './session.ts'

/** The upstream's word that a key is right holds for this long, */
export const validMs = 300_000
/** and that it is wrong for this long: it may have been made a moment ago. */
export const invalidMs = 60_000
/** Different wrong keys that a user may try for one service within `invalidMs`. */
export const wrongKeysMax = 10

export type KeyVerdict =
  /** `accountLabel`: whose key it is, as the upstream says. */
  | { readonly kind: 'valid'; readonly accountLabel: string | null }
  | { readonly kind: 'invalid' }
  /** The upstream did not answer, or in a way that says neither. */
  | { readonly kind: 'unreachable'; readonly reason: string }
  /** There is no request that would tell. */
  | { readonly kind: 'unverifiable' }

/** Asks the upstream. Never rejects for what the upstream does. */
export type VerifyKey = (
  service: Service,
  credential: Credential,
  variables: Readonly<Record<string, string>>,
) => Promise<KeyVerdict>

/** HMAC-SHA-256 (hex) of a credential and where it is used, for this installation alone: nobody can try keys against a stolen table. */
export function keyHash(pepper: string, credential: Credential, variables: Readonly<Record<string, string>>): string {
  return createHmac('sha256', pepper)
    .update(JSON.stringify([credential, variables]))
    .digest('hex')
}

/** What is remembered of a key, or null. `client` acts for its user. Rejects with CF12035 when the user has tried too many wrong ones lately. */
export async function rememberedVerdict(
  client: pg.ClientBase,
  serviceType: ServiceType,
  hash: string,
): Promise<KeyVerdict | null> {
  const { rows } = await client.query<{ is_valid: boolean; response: { accountLabel?: string | null } | null }>(
    `SELECT is_valid, validation_response AS response FROM api_key_validation_cache
     WHERE service_type = $1 AND key_hash = $2 AND expires_at > now()`,
    [serviceType, hash],
  )
  const found = rows[0]
  if (found)
    return found.is_valid ? { kind: 'valid', accountLabel: found.response?.accountLabel ?? null } : { kind: 'invalid' }
  const wrong = await client.query<{ count: number }>(
    `SELECT count(*)::integer AS count FROM api_key_validation_cache WHERE service_type = $1 AND NOT is_valid AND expires_at > now()`,
    [serviceType],
  )
  if (wrong.rows[0]!.count >= wrongKeysMax) throw fail('CF12035', { service: serviceType })
  return null
}

/** Remembers what the upstream said, and forgets what the same user's older entries said. Verdicts that say nothing are not kept. */
export async function rememberVerdict(
  client: pg.ClientBase,
  serviceType: ServiceType,
  hash: string,
  verdict: KeyVerdict,
): Promise<void> {
  if (verdict.kind !== 'valid' && verdict.kind !== 'invalid') return
  const valid = verdict.kind === 'valid'
  await client.query('DELETE FROM api_key_validation_cache WHERE expires_at < now()')
  await client.query(
    `INSERT INTO api_key_validation_cache (user_id, service_type, key_hash, is_valid, validated_at, expires_at, validation_response)
     VALUES (current_user_id(), $1, $2, $3, now(), now() + $4 * interval '1 millisecond', $5)
     ON CONFLICT (user_id, service_type, key_hash) DO UPDATE SET is_valid = excluded.is_valid, validated_at = excluded.validated_at,
       expires_at = excluded.expires_at, validation_response = excluded.validation_response`,
    [
      serviceType,
      hash,
      valid,
      valid ? validMs : invalidMs,
      JSON.stringify(valid ? { accountLabel: verdict.accountLabel } : {}),
    ],
  )
}
