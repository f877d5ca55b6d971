// OAuth clients of upstreams that the administrator keeps in the table `upstream_clients`.
import { fail } from '@crossfade/model/failure.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { KeyRing } from '@crossfade/vault/key-ring.ts'
import type pg from 'pg'
import type { OAuthClient } from './oauth-client.ts'

/** A client as it may be shown: without its secret. */
export interface StoredClient {
  readonly serviceType: ServiceType
  readonly clientId: string
  /** Of the key that its secret is wrapped with; null: a public client, which has none. */
  readonly keyEncryptionKeyId: string | null
  readonly updatedAt: Date
}

/**
 * Keeps a client in the table, its secret wrapped by the current key-encryption key; replaces one that is there. Audited, and told to every worker. `keeper` is of the role
 * crossfade_mcp_keeper. Rejects with CF12013 for a service that is not available, CF12020 for one that is not connected by OAuth; nothing is stored then.
 */
export async function storeClient(
  keeper: pg.Pool,
  keys: KeyRing,
  serviceType: ServiceType,
  client: OAuthClient,
): Promise<void> {
  await needOauth(keeper, serviceType)
  const { clientId } = client
  const { wrapped, keyId } = await wrap(keys, serviceType, client)
  await keeper.query(
    `WITH stored AS (
       INSERT INTO upstream_clients (service_type, client_id, wrapped_secret, key_encryption_key_id) VALUES ($1, $2, $3, $4)
       ON CONFLICT (service_type) DO UPDATE SET client_id = excluded.client_id, wrapped_secret = excluded.wrapped_secret,
         key_encryption_key_id = excluded.key_encryption_key_id, updated_at = now()
       RETURNING service_type
     )
     SELECT public.record_audit('upstream_client.set', service_type, $5::jsonb, 'done', NULL, NULL), ${tellStatement} FROM stored`,
    [serviceType, clientId, wrapped, keyId, JSON.stringify({ clientId, public: client.clientSecret === null })],
  )
}

/** Takes a client out of the table, audited and told to every worker. False when there was none. Idempotent. */
export async function removeClient(keeper: pg.Pool, serviceType: ServiceType): Promise<boolean> {
  const { rowCount } = await keeper.query(
    `WITH removed AS (DELETE FROM upstream_clients WHERE service_type = $1 RETURNING service_type, client_id)
     SELECT public.record_audit('upstream_client.remove', service_type, jsonb_build_object('clientId', client_id), 'done', NULL, NULL),
       ${tellStatement} FROM removed`,
    [serviceType],
  )
  return rowCount === 1
}

/** All clients of the table by service, without their secrets. */
export async function listClients(keeper: pg.Pool): Promise<readonly StoredClient[]> {
  const { rows } = await keeper.query<Row & { updated_at: Date }>(
    'SELECT service_type, client_id, key_encryption_key_id, updated_at FROM upstream_clients ORDER BY service_type',
  )
  return rows.map((row) => ({
    serviceType: row.service_type,
    clientId: row.client_id,
    keyEncryptionKeyId: row.key_encryption_key_id,
    updatedAt: row.updated_at,
  }))
}

/**
 * Wraps anew what an older key-encryption key wraps: part of rotating the master key. Gives how many there were. One that is replaced meanwhile stays as it was replaced. Idempotent.
 * Rejects with CF11004 when a secret's key is not at hand.
 */
export async function rewrapClients(keeper: pg.Pool, keys: KeyRing): Promise<number> {
  const { rows } = await keeper.query<Row>(
    'SELECT service_type, client_id, wrapped_secret, key_encryption_key_id FROM upstream_clients WHERE key_encryption_key_id <> $1',
    [keys.current.id],
  )
  for (const row of rows) {
    const { wrapped, keyId } = await wrap(keys, row.service_type, await unwrap(keys, row))
    await keeper.query(
      `UPDATE upstream_clients SET wrapped_secret = $2, key_encryption_key_id = $3, updated_at = now()
       WHERE service_type = $1 AND wrapped_secret = $4`,
      [row.service_type, wrapped, keyId, row.wrapped_secret],
    )
  }
  return rows.length
}

/** The client of a service with its secret; null: none is stored. `pool` may be of any role that serves. Rejects with CF11004 and CF11005. */
export async function readClient(pool: pg.Pool, keys: KeyRing, serviceType: ServiceType): Promise<OAuthClient | null> {
  const { rows } = await pool.query<Row>(
    'SELECT service_type, client_id, wrapped_secret, key_encryption_key_id FROM upstream_clients WHERE service_type = $1',
    [serviceType],
  )
  return rows[0] ? unwrap(keys, rows[0]) : null
}

const tellStatement = `pg_notify('crossfade_mcp_changed', json_build_object('kind', 'service', 'serviceType', service_type)::text)`

async function needOauth(keeper: pg.Pool, serviceType: ServiceType): Promise<void> {
  const { rows } = await keeper.query<{ auth_type: string }>(
    'SELECT auth_type FROM service_registry WHERE service_type = $1 AND is_available',
    [serviceType],
  )
  if (!rows[0]) throw fail('CF12013', { service: serviceType })
  if (rows[0].auth_type !== 'oauth2') throw fail('CF12020', { service: serviceType })
}

interface Row {
  service_type: ServiceType
  client_id: string
  wrapped_secret: Buffer | null
  key_encryption_key_id: string | null
}

async function wrap(keys: KeyRing, serviceType: ServiceType, { clientId, clientSecret }: OAuthClient) {
  if (clientSecret === null) return { wrapped: null, keyId: null }
  const wrapped = await keys.current.wrap(Buffer.from(clientSecret), associated(serviceType, clientId))
  return { wrapped, keyId: keys.current.id }
}

async function unwrap(keys: KeyRing, row: Row): Promise<OAuthClient> {
  if (row.wrapped_secret === null) return { clientId: row.client_id, clientSecret: null }
  const keyEncryptionKeyId = row.key_encryption_key_id!
  const key = keys.find(keyEncryptionKeyId)
  if (!key) throw fail('CF11004', { keyEncryptionKeyId, origin: keys.origin })
  const secret = await key.unwrap(row.wrapped_secret, associated(row.service_type, row.client_id))
  return { clientId: row.client_id, clientSecret: secret.toString('utf8') }
}

function associated(serviceType: ServiceType, clientId: string): Buffer {
  return Buffer.from(JSON.stringify(['crossfade upstream client', 'v1', serviceType, clientId]))
}
