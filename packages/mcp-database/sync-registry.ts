import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'

/** A service as the registry tells of it. */
export interface RegistryRow {
  readonly serviceType: ServiceType
  readonly name: string
  readonly displayName: string
  readonly description: string | null
  readonly iconUrl: string | null
  readonly category: string | null
  readonly port: number
  readonly baseUrl: string | null
  readonly healthCheckEndpoint: string
  readonly authType: string
  /** Nothing secret: labels, where the credential goes, URLs of OAuth. */
  readonly authConfig: Readonly<Record<string, unknown>>
  readonly serviceConfig: Readonly<Record<string, unknown>>
}

export interface RegistrySync {
  readonly added: number
  readonly changed: number
  /** Services that are no longer in the catalog: kept, since instances refer to them, but not available. */
  readonly vanished: number
}

/**
 * Makes the registry say what the catalog says, in one transaction, and gives every service its health row. `keeper` is a pool of crossfade_mcp_keeper.
 * Rows that are already right are not touched. Idempotent; several at once wait for each other. A port that moved from one service to another is fine.
 * With `digest`, listeners hear of a catalog that differs from the one before.
 */
export async function syncRegistry(
  keeper: pg.Pool,
  rows: readonly RegistryRow[],
  digest?: string,
): Promise<RegistrySync> {
  const client = await keeper.connect()
  try {
    await client.query('BEGIN')
    await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('crossfade_mcp.registry', 0))`)
    await client.query(freePortsStatement, [JSON.stringify(rows)])
    const { rows: result } = await client.query(syncStatement, [JSON.stringify(rows)])
    await client.query(
      `INSERT INTO service_health_status (service_type) SELECT service_type FROM service_registry ON CONFLICT DO NOTHING`,
    )
    if (digest !== undefined) {
      await client.query(
        `INSERT INTO platform_settings AS s (key, value) VALUES ('catalog_digest', $1)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now() WHERE s.value <> excluded.value`,
        [digest],
      )
    }
    await client.query('COMMIT')
    return result[0] as RegistrySync
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}

/** The digest of the catalog that the database was told of last; null before the first. `pool` may be of any role that serves. */
export async function readCatalogDigest(pool: pg.Pool | pg.ClientBase): Promise<string | null> {
  const { rows } = await pool.query<{ value: string }>(
    `SELECT value FROM platform_settings WHERE key = 'catalog_digest'`,
  )
  return rows[0]?.value ?? null
}

/** A port that another service gets now is given up first, for a number below all others: uniqueness is checked row by row. */
const freePortsStatement = `
  UPDATE service_registry r SET port = freed.port
  FROM (
    SELECT t.service_type, (SELECT least(min(port), 0) FROM service_registry)::integer - row_number() OVER ()::integer AS port
    FROM service_registry t
    JOIN jsonb_to_recordset($1::jsonb) AS n("serviceType" text, port integer) ON n.port = t.port
    WHERE t.service_type <> n."serviceType"
  ) freed
  WHERE r.service_type = freed.service_type`

const columns = `name, display_name, description, icon_url, category, port, base_url, health_check_endpoint, auth_type,
  auth_config, service_config`

const syncStatement = `
  WITH wanted AS (
    SELECT "serviceType" AS service_type, name, "displayName" AS display_name, description, "iconUrl" AS icon_url, category,
      port, "baseUrl" AS base_url, "healthCheckEndpoint" AS health_check_endpoint, "authType" AS auth_type,
      "authConfig" AS auth_config, "serviceConfig" AS service_config
    FROM jsonb_to_recordset($1::jsonb) AS r("serviceType" text, name text, "displayName" text, description text,
      "iconUrl" text, category text, port integer, "baseUrl" text, "healthCheckEndpoint" text, "authType" text,
      "authConfig" jsonb, "serviceConfig" jsonb)
  ), written AS (
    INSERT INTO service_registry AS r (service_type, ${columns}, is_available)
    SELECT service_type, ${columns}, true FROM wanted ORDER BY service_type
    ON CONFLICT (service_type) DO UPDATE SET (${columns}, is_available, updated_at) =
      (${prefixed('excluded')}, true, now())
    WHERE (${prefixed('r')}, r.is_available) IS DISTINCT FROM (${prefixed('excluded')}, true)
    RETURNING xmax = 0 AS added
  ), vanished AS (
    UPDATE service_registry r SET is_available = false, updated_at = now()
    WHERE r.is_available AND NOT EXISTS (SELECT FROM wanted w WHERE w.service_type = r.service_type)
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM written WHERE added)::integer AS added,
    (SELECT count(*) FROM written WHERE NOT added)::integer AS changed,
    (SELECT count(*) FROM vanished)::integer AS vanished`

function prefixed(table: string): string {
  return columns
    .split(',')
    .map((column) => `${table}.${column.trim()}`)
    .join(', ')
}
