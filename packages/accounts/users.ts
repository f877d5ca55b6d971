// What the platform itself does to users, for its operator.
import { fail } from '@crossfade/model/failure.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import { hashPassword } from 'better-auth/crypto'
import type { Pool } from 'pg'
import { passwordCharactersMax, passwordCharactersMin } from './sign-in-library.ts'

/**
 * Sets a user's password, makes the address count as verified, and ends every session: for an operator whose
 * installation sends no mail, for users of a legacy platform (whose hashes are not read), and for the first user of a
 * closed installation. Makes the user when there is none. Throws CF12305 for a password that is too short or too long.
 */
export async function setPassword(accounts: Pool, email: string, password: string): Promise<UserId> {
  if (password.length < passwordCharactersMin || password.length > passwordCharactersMax) {
    throw fail('CF12305', { least: passwordCharactersMin, most: passwordCharactersMax })
  }
  const hash = await hashPassword(password)
  const address = email.trim().toLowerCase()
  const client = await accounts.connect()
  try {
    await client.query('BEGIN')
    const user = await client.query<{ id: UserId }>(
      `INSERT INTO users (email, name, email_verified) VALUES ($1, $2, true)
       ON CONFLICT (email) DO UPDATE SET email_verified = true, updated_at = now() RETURNING id`,
      [address, address.split('@')[0]],
    )
    const userId = user.rows[0]!.id
    await client.query(
      `INSERT INTO accounts (user_id, provider_id, account_id, password) VALUES ($1::uuid, 'credential', $1::uuid::text, $2)
       ON CONFLICT (provider_id, account_id) DO UPDATE SET password = excluded.password, updated_at = now()`,
      [userId, hash],
    )
    await client.query('DELETE FROM sessions WHERE user_id = $1', [userId])
    await client.query('COMMIT')
    return userId
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => {})
    throw cause
  } finally {
    client.release()
  }
}

/** Switches a user off (their sessions and OAuth tokens end in the same transaction) or on again. Idempotent. */
export async function setActive(accounts: Pool, userId: UserId, active: boolean): Promise<void> {
  const done = await accounts.query('UPDATE users SET is_active = $2, updated_at = now() WHERE id = $1', [
    userId,
    active,
  ])
  if (done.rowCount === 0) throw fail('CF12306')
}

/** Links a subject of an external issuer to a user, so that its tokens act for them. Idempotent. */
export async function linkExternalSubject(
  accounts: Pool,
  userId: UserId,
  issuer: string,
  subject: string,
): Promise<void> {
  const done = await accounts.query(
    `INSERT INTO accounts (user_id, provider_id, account_id) VALUES ($1, $2, $3)
     ON CONFLICT (provider_id, account_id) DO UPDATE SET updated_at = now() WHERE accounts.user_id = excluded.user_id`,
    [userId, issuer, subject],
  )
  if (done.rowCount === 0) throw fail('CF12307', { issuer })
}
