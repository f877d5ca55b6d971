// Which OAuth client the platform is at an upstream. Registered there by the administrator; here by environment or table.

import { fail } from '@crossfade/model/failure.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { KeyRing } from '@crossfade/vault/key-ring.ts'
import type pg from 'pg'

export interface UpstreamClient {
  readonly clientId: string
  /** Null: a public client, which PKCE alone protects. */
  readonly clientSecret: string | null
}

export interface UpstreamClients {
  /** The client for a service, or null when none is configured. Rejects with CF11xxx when its secret can't be unwrapped. */
  find(serviceType: ServiceType): Promise<UpstreamClient | null>
}

/** How long a client read from the table is held. */
const clientTtlMs = 10_000

/** `CROSSFADE_MCP_OAUTH_GITHUB`: what the names of a service's variables begin with. */
export function clientVariable(serviceType: ServiceType): string {
  return `CROSSFADE_MCP_OAUTH_${serviceType.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`
}

/** Clients of the environment, `CROSSFADE_MCP_OAUTH_<SERVICE>_CLIENT_ID` and `_CLIENT_SECRET`, before those of the table `upstream_clients`. `pool` may be of any role that serves. */
export function configuredClients(
  environment: Readonly<Record<string, string | undefined>>,
  stored: { readonly pool: pg.Pool; readonly keys: KeyRing } | null,
): UpstreamClients {
  const held = new Map<ServiceType, { client: UpstreamClient | null; untilMs: number }>()
  return {
    async find(serviceType) {
      const variable = clientVariable(serviceType)
      const clientId = environment[`${variable}_CLIENT_ID`]
      if (clientId) return { clientId, clientSecret: environment[`${variable}_CLIENT_SECRET`] || null }
      if (stored === null) return null
      const known = held.get(serviceType)
      if (known && Date.now() < known.untilMs) return known.client
      const client = await readClient(stored.pool, stored.keys, serviceType)
      held.set(serviceType, { client, untilMs: Date.now() + clientTtlMs })
      return client
    },
  }
}

/** Keeps a client in the table, its secret wrapped by the current key-encryption key. `keeper` is of the role crossfade_mcp_keeper. Replaces one that is there. */
export async function storeClient(
  keeper: pg.Pool,
  keys: KeyRing,
  serviceType: ServiceType,
  { clientId, clientSecret }: UpstreamClient,
): Promise<void> {
  const wrapped =
    clientSecret === null ? null : await keys.current.wrap(Buffer.from(clientSecret), associated(serviceType, clientId))
  await keeper.query(
    `INSERT INTO upstream_clients (service_type, client_id, wrapped_secret, key_encryption_key_id) VALUES ($1, $2, $3, $4)
     ON CONFLICT (service_type) DO UPDATE SET client_id = excluded.client_id, wrapped_secret = excluded.wrapped_secret,
       key_encryption_key_id = excluded.key_encryption_key_id, updated_at = now()`,
    [serviceType, clientId, wrapped, wrapped && keys.current.id],
  )
}

/** Takes a client out of the table. Idempotent. */
export async function removeClient(keeper: pg.Pool, serviceType: ServiceType): Promise<void> {
  await keeper.query('DELETE FROM upstream_clients WHERE service_type = $1', [serviceType])
}

/** Wraps anew what an older key-encryption key wraps: part of rotating the master key. Gives how many there were. Idempotent. */
export async function rewrapClients(keeper: pg.Pool, keys: KeyRing): Promise<number> {
  const { rows } = await keeper.query<Row>(
    'SELECT service_type, client_id, wrapped_secret, key_encryption_key_id FROM upstream_clients WHERE key_encryption_key_id <> $1',
    [keys.current.id],
  )
  for (const row of rows) await storeClient(keeper, keys, row.service_type, await unwrapped(row, keys))
  return rows.length
}

interface Row {
  service_type: ServiceType
  client_id: string
  wrapped_secret: Buffer | null
  key_encryption_key_id: string | null
}

async function readClient(pool: pg.Pool, keys: KeyRing, serviceType: ServiceType): Promise<UpstreamClient | null> {
  const { rows } = await pool.query<Row>(
    'SELECT service_type, client_id, wrapped_secret, key_encryption_key_id FROM upstream_clients WHERE service_type = $1',
    [serviceType],
  )
  return rows[0] ? unwrapped(rows[0], keys) : null
}

async function unwrapped(row: Row, keys: KeyRing): Promise<UpstreamClient> {
  if (row.wrapped_secret === null) return { clientId: row.client_id, clientSecret: null }
  const key = keys.find(row.key_encryption_key_id!)
  if (!key) throw fail('CF11005', { keyEncryptionKeyId: row.key_encryption_key_id })
  const secret = await key.unwrap(row.wrapped_secret, associated(row.service_type, row.client_id))
  return { clientId: row.client_id, clientSecret: secret.toString('utf8') }
}

function associated(serviceType: ServiceType, clientId: string): Buffer {
  return Buffer.from(JSON.stringify(['crossfade upstream client', 'v1', serviceType, clientId]))
}
