// A user's own instances, as the user sees them.
import type { InstanceId, ServiceType } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import type { StoredCredential } from './sealed-credential.ts'
import type { InstanceSettings } from './session.ts'
import { readSettings } from './stored-settings.ts'

export interface InstanceRecord {
  readonly instanceId: InstanceId
  readonly serviceType: ServiceType
  readonly state: 'active' | 'needs_authorization' | 'paused'
  readonly credentialKind: string
  readonly credentialVersion: number
  readonly accountLabel: string | null
  /** Whether the upstream has said that the credential is right. */
  readonly verified: boolean
  readonly accessExpiresAt: Date | null
  readonly settings: InstanceSettings
  /** Tokens that open it now. */
  readonly tokens: number
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly lastUsedAt: Date | null
  readonly usageCount: number
}

/** The instances of the client's user: all, or the one of a service; by service. */
export async function readInstances(client: pg.ClientBase, serviceType: ServiceType | null): Promise<InstanceRecord[]> {
  const { rows } = await client.query<Row>(
    `SELECT i.instance_id, i.service_type, i.is_active, i.credential_state, i.credential_kind, i.credential_version, i.account_label,
       i.credential_verified_at, i.token_expires_at, i.config, i.created_at, i.updated_at, i.last_used_at, i.usage_count,
       (SELECT count(*)::integer FROM instance_tokens t WHERE t.instance_id = i.instance_id AND t.revoked_at IS NULL
          AND (t.expires_at IS NULL OR t.expires_at > now())) AS tokens
     FROM user_service_instances i WHERE i.user_id = current_user_id() AND ($1::text IS NULL OR i.service_type = $1)
     ORDER BY i.service_type`,
    [serviceType],
  )
  return rows.map(recordOf)
}

/** The sealed credential of an instance, with its row locked when `forChange`. */
export async function readStoredCredential(
  client: pg.ClientBase,
  serviceType: ServiceType,
  forChange = false,
): Promise<{
  readonly instanceId: InstanceId
  readonly credential: StoredCredential
  readonly version: number
} | null> {
  const { rows } = await client.query<StoredRow>(
    `SELECT instance_id, credential_kind, encrypted_api_key, encrypted_additional_credentials, credential_version
     FROM user_service_instances WHERE user_id = current_user_id() AND service_type = $1 ${forChange ? 'FOR UPDATE' : ''}`,
    [serviceType],
  )
  const row = rows[0]
  if (!row) return null
  return {
    instanceId: row.instance_id,
    version: row.credential_version,
    credential: {
      kind: row.credential_kind,
      main: row.encrypted_api_key,
      additional: row.encrypted_additional_credentials ?? {},
    },
  }
}

interface Row {
  instance_id: InstanceId
  service_type: ServiceType
  is_active: boolean | null
  credential_state: 'active' | 'needs_authorization'
  credential_kind: string
  credential_version: number
  account_label: string | null
  credential_verified_at: Date | null
  token_expires_at: Date | null
  config: unknown
  created_at: Date
  updated_at: Date
  last_used_at: Date | null
  usage_count: number | null
  tokens: number
}

interface StoredRow {
  instance_id: InstanceId
  credential_kind: string
  encrypted_api_key: string
  encrypted_additional_credentials: Record<string, string> | null
  credential_version: number
}

function recordOf(row: Row): InstanceRecord {
  return {
    instanceId: row.instance_id,
    serviceType: row.service_type,
    state: row.is_active === false ? 'paused' : row.credential_state,
    credentialKind: row.credential_kind,
    credentialVersion: row.credential_version,
    accountLabel: row.account_label,
    verified: row.credential_verified_at !== null,
    accessExpiresAt: row.token_expires_at,
    settings: readSettings(row.config),
    tokens: row.tokens,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastUsedAt: row.last_used_at,
    usageCount: row.usage_count ?? 0,
  }
}
