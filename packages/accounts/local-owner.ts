// On a machine of one person there is nobody to sign up: the platform makes sure of an owner and a token for the CLI.
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type { Pool } from 'pg'
import { newApiSecret } from './api-tokens.ts'

export const localOwnerEmail = 'local@localhost'

export interface LocalOwner {
  readonly userId: UserId
  /** A new `cfp_…` token with both scopes. The caller writes it to a file of mode 0600. */
  readonly secret: string
}

/**
 * Makes sure that the owner of a local installation exists and is an admin, and mints a token of theirs. `accounts` is a
 * pool of the role crossfade_mcp_accounts. The user is the same at every call, the token a new one; earlier tokens of that
 * name end, so that a lost file leaves none behind. Race-safe.
 */
export async function createLocalOwner(accounts: Pool, tokenName: string): Promise<LocalOwner> {
  const owner = await accounts.query<{ id: UserId }>(
    `INSERT INTO users (email, name, email_verified, role) VALUES ($1, 'Local owner', true, 'admin')
     ON CONFLICT (email) DO UPDATE SET updated_at = now(), role = 'admin' RETURNING id`,
    [localOwnerEmail],
  )
  const userId = owner.rows[0]!.id
  const { secret, hash } = newApiSecret()
  await accounts.query('SELECT create_api_token_of($1, $2, $3, $4, NULL)', [userId, tokenName, hash, ['read', 'write']])
  return { userId, secret }
}
