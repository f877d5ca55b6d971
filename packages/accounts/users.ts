// What the platform itself does to users, for its operator.
import { audit } from '@crossfade/mcp-database/audit.ts'
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
    await audit(client, { action: 'password.set', subject: userId, outcome: 'done', userId })
    await client.query('COMMIT')
    return userId
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => {})
    throw cause
  } finally {
    client.release()
  }
}

export interface ListedUser {
  readonly id: UserId
  readonly email: string
  readonly name: string | null
  readonly role: UserRole
  readonly active: boolean
  readonly createdAt: Date
}
export type UserRole = 'member' | 'admin'

/** More are not listed. */
const listedUsersMax = 10_000

/** All users, the oldest first. */
export async function listUsers(accounts: Pool): Promise<readonly ListedUser[]> {
  const { rows } = await accounts.query<ListedUser>(
    `SELECT id, email, name, role, is_active AS active, created_at AS "createdAt" FROM users
     ORDER BY created_at, id LIMIT ${listedUsersMax}`,
  )
  return rows
}

/** The user with that address, in whatever case. CF12306 when there is none. */
export async function userByEmail(accounts: Pool, email: string): Promise<UserId> {
  const { rows } = await accounts.query<{ id: UserId }>('SELECT id FROM users WHERE lower(email) = lower($1)', [
    email.trim(),
  ])
  if (!rows[0]) throw fail('CF12306')
  return rows[0].id
}

/** Makes a user an administrator or a member; holds from the next request on. CF12306 for an unknown user. Idempotent; audited. */
export async function setRole(accounts: Pool, userId: UserId, role: UserRole): Promise<void> {
  const done = await accounts.query('UPDATE users SET role = $2, updated_at = now() WHERE id = $1', [userId, role])
  if (done.rowCount === 0) throw fail('CF12306')
  await audit(accounts, { action: 'user.role', subject: userId, details: { role }, outcome: 'done', userId })
}

/** Switches a user off (their sessions and OAuth tokens end in the same transaction) or on again. Idempotent; audited. */
export async function setActive(accounts: Pool, userId: UserId, active: boolean): Promise<void> {
  const done = await accounts.query('UPDATE users SET is_active = $2, updated_at = now() WHERE id = $1', [
    userId,
    active,
  ])
  if (done.rowCount === 0) throw fail('CF12306')
  const action = active ? 'user.switch_on' : 'user.switch_off'
  await audit(accounts, { action, subject: userId, outcome: 'done', userId })
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
