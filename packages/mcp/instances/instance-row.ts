// How the runtime reads an instance: through the functions that are all its role may use.
import { fail } from '@crossfade/model/failure.ts'
import type { InstanceId, ServiceType, TokenId, UserId } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import type { StoredCredential } from './sealed-credential.ts'
import type { InstanceSettings, TokenScope } from './session.ts'
import { readSettings } from './stored-settings.ts'

/** A look-up is given up after this long. */
export const lookupMsMax = 3_000

/** An instance and what opened it, as they are stored. */
export interface InstanceRow {
  readonly userId: UserId
  readonly tokenId: TokenId | null
  readonly scopes: readonly TokenScope[] | null
  readonly tokenExpiresAtMs: number | null
  readonly credential: StoredCredential
  readonly credentialVersion: number
  readonly needsAuthorization: boolean
  /** When the upstream's access token ends. */
  readonly accessExpiresAtMs: number | null
  readonly settings: InstanceSettings
}

/** What opens an instance: the hash of a secret, or a user who was made sure of otherwise. */
export type Opening =
  | { readonly kind: 'bearer' | 'url'; readonly secretHash: Buffer }
  | { readonly kind: 'user'; readonly userId: UserId }

/** The instance that `opening` opens, or null when it opens none. Rejects with CF12002 when the database does not answer within `lookupMsMax`. */
export async function findInstance(
  runtime: pg.Pool,
  instanceId: InstanceId,
  serviceType: ServiceType,
  opening: Opening,
): Promise<InstanceRow | null> {
  const query =
    opening.kind === 'user'
      ? {
          name: 'open_instance_of_user',
          text: 'SELECT * FROM open_instance_of_user($1, $2, $3)',
          values: [instanceId, serviceType, opening.userId],
        }
      : {
          name: 'open_instance',
          text: 'SELECT * FROM open_instance($1, $2, $3, $4)',
          values: [instanceId, serviceType, opening.kind, opening.secretHash],
        }
  const found = await inTime(runtime.query<StoredRow>(query))
  const row = found.rows[0]
  return row === undefined ? null : rowOf(row)
}

interface StoredRow {
  user_id: UserId
  token_id: TokenId | null
  scopes: TokenScope[] | null
  token_expires_at: Date | null
  encrypted_api_key: string
  encrypted_additional_credentials: Record<string, string> | null
  credential_kind: string
  credential_version: number
  credential_state: 'active' | 'needs_authorization'
  access_expires_at: Date | null
  config: unknown
}

const nothing: Readonly<Record<string, string>> = {}

function rowOf(row: StoredRow): InstanceRow {
  const additional = row.encrypted_additional_credentials
  return {
    userId: row.user_id,
    tokenId: row.token_id,
    scopes: row.scopes,
    tokenExpiresAtMs: row.token_expires_at?.getTime() ?? null,
    credential: {
      kind: row.credential_kind,
      main: row.encrypted_api_key,
      additional: additional === null || Object.keys(additional).length === 0 ? nothing : additional,
    },
    credentialVersion: row.credential_version,
    needsAuthorization: row.credential_state === 'needs_authorization',
    accessExpiresAtMs: row.access_expires_at?.getTime() ?? null,
    settings: readSettings(row.config),
  }
}

/** Any trouble of the database is CF12002 for the caller; a query that goes on too long is left behind. */
async function inTime<T>(query: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      query,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer in ${lookupMsMax} ms`)), lookupMsMax)
      }),
    ])
  } catch (cause) {
    query.catch(() => {})
    throw fail('CF12002', {}, cause)
  } finally {
    clearTimeout(timer)
  }
}
