import type { Pool } from 'pg'

/** Deletes what has expired: sessions, codes, tokens, and clients that nobody let in for 30 days. `accounts` is a pool of crossfade_mcp_accounts. Idempotent. */
export async function cleanUpAccounts(accounts: Pool): Promise<void> {
  for (const sql of cleanUps) await accounts.query(sql)
}

const cleanUps: readonly string[] = [
  'DELETE FROM sessions WHERE expires_at < now()',
  'DELETE FROM verifications WHERE expires_at < now()',
  "DELETE FROM oauth_access_tokens WHERE expires_at < now() - interval '1 day'",
  "DELETE FROM oauth_refresh_tokens WHERE expires_at < now() - interval '1 day'",
  'DELETE FROM oauth_client_assertions WHERE expires_at < now()',
  `DELETE FROM oauth_clients c WHERE c.created_at < now() - interval '30 days'
     AND NOT EXISTS (SELECT FROM oauth_consents o WHERE o.client_id = c.client_id)
     AND NOT EXISTS (SELECT FROM oauth_refresh_tokens r WHERE r.client_id = c.client_id)`,
]
