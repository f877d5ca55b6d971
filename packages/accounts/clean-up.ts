import type { Pool } from 'pg'

/** Deletes sessions that have expired, and clients that nobody let in for 30 days. Codes and tokens go with the platform's upkeep, refresh tokens late (migration 021). `accounts` is a pool of crossfade_mcp_accounts. Idempotent. */
export async function cleanUpAccounts(accounts: Pool): Promise<void> {
  for (const sql of cleanUps) await accounts.query(sql)
}

const cleanUps: readonly string[] = [
  'DELETE FROM sessions WHERE expires_at < now()',
  `DELETE FROM oauth_clients c WHERE c.created_at < now() - interval '30 days'
     AND NOT EXISTS (SELECT FROM oauth_consents o WHERE o.client_id = c.client_id)
     AND NOT EXISTS (SELECT FROM oauth_refresh_tokens r WHERE r.client_id = c.client_id)`,
]
