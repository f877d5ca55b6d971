import type { Client } from 'pg'
import { messagingSchema } from './messaging-schema.ts'

export interface Volume {
  /** Rows over all tables of one shard, about. */
  readonly rows: number
  /** Shards of the side and which one this is: identity values of different shards never meet. */
  readonly shards: number
  readonly ordinal: number
}

/** Share of each table in the rows, in percent; deliveries are where such a system's volume is. */
const shares = {
  webhook_deliveries: 62,
  users: 12,
  message_templates: 5,
  api_keys: 4,
  tenant_settings: 4,
  channels: 2,
  webhooks: 2,
  roles: 1,
} as const

/**
 * Fills one empty database with the tenants given, skewed as real tenants are: a handful hold most of the rows
 * (the tenant at rank r gets a share proportional to 1/(r+1)).
 *
 * Deterministic for the same tenants and volume, so that two runs can be compared. Not idempotent: it creates the schema.
 */
export async function populateShard(client: Client, tenants: readonly string[], volume: Volume): Promise<number> {
  // Foreign keys hold by construction; checking them row by row would take most of the time.
  await client.query('SET session_replication_role = replica')
  await client.query(messagingSchema)
  await client.query(
    `ALTER TABLE webhook_deliveries ALTER COLUMN id SET INCREMENT BY ${volume.shards} SET START WITH ${volume.ordinal + 1} RESTART`,
  )
  await client.query(
    `CREATE TEMP TABLE seed_tenant AS
       SELECT id, rank, sum(1.0 / (rank + 1)) OVER (ORDER BY rank) / sum(1.0 / (rank + 1)) OVER () AS upto
       FROM unnest($1::uuid[]) WITH ORDINALITY AS t(id, rank)`,
    [tenants],
  )
  // Ranks are drawn by a hash of the row number, so the same volume always gives the same rows.
  await client.query(`
    CREATE FUNCTION pg_temp.skewed(n bigint, salt text) RETURNS uuid LANGUAGE sql STABLE AS $$
      SELECT id FROM seed_tenant WHERE upto >= ((hashtextextended(salt || n::text, 7) & 1048575) / 1048576.0) ORDER BY rank LIMIT 1 $$;
    CREATE FUNCTION pg_temp.made(salt text, n bigint) RETURNS uuid LANGUAGE sql STABLE AS $$
      SELECT md5(salt || '${volume.ordinal}' || n::text)::uuid $$`)
  const count = (table: keyof typeof shares) => Math.max(8, Math.round((volume.rows * shares[table]) / 100))
  const fill = async (sql: string, values: unknown[] = []) => (await client.query(sql, values)).rowCount ?? 0
  let rows = 0
  rows += await fill(
    `INSERT INTO permissions SELECT md5('permission' || n)::uuid, 'permission.' || n, 'Lets a role do thing ' || n FROM generate_series(1, 40) n`,
  )
  rows += await fill(
    `INSERT INTO tenants SELECT id, 'Tenant ' || rank, (enum_range(NULL::tenant_status))[1 + rank % 4], now() - rank * interval '1 day' FROM seed_tenant`,
  )
  rows += await fill(
    `INSERT INTO tenant_limits SELECT id, 10000 * (1 + rank % 9), 5 + rank % 20, 512.50 * rank FROM seed_tenant`,
  )
  rows += await fill(
    `INSERT INTO tenant_feature_flags SELECT id, 'feature-' || f, (rank + f) % 3 = 0, jsonb_build_object('limit', f * 10) FROM seed_tenant, generate_series(1, 6) f`,
  )
  rows += await fill(
    `INSERT INTO tenant_settings SELECT pg_temp.skewed(n, 'settings'), 'setting.' || n, jsonb_build_object('value', n, 'text', repeat('s', n::int % 40)) FROM generate_series(1, $1::bigint) n ON CONFLICT DO NOTHING`,
    [count('tenant_settings')],
  )
  rows += await fill(
    `INSERT INTO channels SELECT pg_temp.made('channel', n), pg_temp.skewed(n, 'channel'), (enum_range(NULL::channel_type))[1 + n % 5], CASE WHEN n % 7 = 0 THEN 'paused' ELSE 'active' END FROM generate_series(1, $1::bigint) n`,
    [count('channels')],
  )
  rows += await fill(
    `INSERT INTO channel_configurations SELECT id, 'key-' || k, repeat('value ', k) FROM channels, generate_series(1, 3) k`,
  )
  rows += await fill(`INSERT INTO channel_credentials SELECT id, 'token', decode(md5(id::text), 'hex') FROM channels`)
  rows += await fill(
    `INSERT INTO webhooks SELECT pg_temp.made('webhook', n), pg_temp.skewed(n, 'webhook'), 'hook ' || n, 'https://example.com/hooks/' || n, md5(n::text), n % 11 <> 0 FROM generate_series(1, $1::bigint) n`,
    [count('webhooks')],
  )
  rows += await fill(`INSERT INTO webhook_events SELECT id, 'event.' || e FROM webhooks, generate_series(1, 3) e`)
  rows += await fill(
    `INSERT INTO webhook_deliveries (webhook_id, event_id, status, attempts, last_attempt_at, payload)
     SELECT pg_temp.made('webhook', 1 + (hashtextextended('delivery' || n, 3) & 2147483647) % $2), pg_temp.made('event', n),
            (enum_range(NULL::delivery_status))[1 + n % 4], n % 5, now() - n * interval '1 second',
            jsonb_build_object('n', n, 'body', repeat(md5(n::text), 2))
     FROM generate_series(1, $1::bigint) n`,
    [count('webhook_deliveries'), count('webhooks')],
  )
  // Some templates are long enough to be stored out of line, so that updates leave TOAST values unsent.
  rows += await fill(
    `INSERT INTO message_templates SELECT pg_temp.made('template', n), pg_temp.skewed(n, 'template'), 'Template ' || n, CASE WHEN n % 50 = 0 THEN (SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 200) i) ELSE 'Hello {{name}} ' || n END, ARRAY['name', 'n' || n], (enum_range(NULL::channel_type))[1 + n % 5] FROM generate_series(1, $1::bigint) n`,
    [count('message_templates')],
  )
  rows += await fill(
    `INSERT INTO api_keys SELECT pg_temp.made('key', n), pg_temp.skewed(n, 'key'), sha256(('key' || $2::text || n)::bytea), 'key ' || n, ARRAY['read', 'write'], now(), CASE WHEN n % 3 = 0 THEN now() + interval '1 year' END FROM generate_series(1, $1::bigint) n`,
    [count('api_keys'), volume.ordinal],
  )
  rows += await fill(
    `INSERT INTO users SELECT pg_temp.made('user', n), pg_temp.skewed(n, 'user'), 'user' || n, 'user' || n || '@example.com', md5('secret' || n), CASE WHEN n % 20 = 0 THEN 'admin' ELSE 'member' END FROM generate_series(1, $1::bigint) n`,
    [count('users')],
  )
  rows += await fill(
    `INSERT INTO roles SELECT pg_temp.made('role', n), pg_temp.skewed(n, 'role'), 'role ' || n, NULL FROM generate_series(1, $1::bigint) n`,
    [count('roles')],
  )
  rows += await fill(
    `INSERT INTO role_permissions SELECT r.id, md5('permission' || p)::uuid FROM roles r, generate_series(1, 4) p`,
  )
  await client.query('DROP TABLE seed_tenant; RESET session_replication_role; ANALYZE')
  return rows
}
