// What the platform itself does to users, for its operator.
import { audit } from '@crossfade/mcp-database/audit.ts'
import { fail } from '@crossfade/model/failure.ts'
import { nearNames } from '@crossfade/model/near-names.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import { hashPassword } from 'better-auth/crypto'
import type { Pool, PoolClient } from 'pg'
import { inTransaction } from './in-transaction.ts'
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
  return inTransaction(accounts, async (client) => {
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
    return userId
  })
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
/** Of what somebody gave as an address, what is repeated. */
const addressCharactersMax = 100

/** All users, the oldest first. */
export async function listUsers(accounts: Pool): Promise<readonly ListedUser[]> {
  const { rows } = await accounts.query<ListedUser>(
    `SELECT id, email, name, role, is_active AS active, created_at AS "createdAt" FROM users
     ORDER BY created_at, id LIMIT ${listedUsersMax}`,
  )
  return rows
}

/** The user with that address, in whatever case. CF12313 when there is none, with the addresses that may be meant. */
export async function userByEmail(accounts: Pool, email: string): Promise<UserId> {
  const wanted = email.trim()
  const { rows } = await accounts.query<{ id: UserId }>('SELECT id FROM users WHERE lower(email) = lower($1)', [wanted])
  if (rows[0]) return rows[0].id
  const near = nearNames(
    wanted,
    (await listUsers(accounts)).map((user) => user.email),
  )
  const asked = wanted.slice(0, addressCharactersMax)
  throw fail('CF12313', { email: asked, near: near.length > 0 ? ` Did you mean ${near.join(', ')}?` : '' })
}

/** Makes a user an administrator or a member; holds from the next request on. CF12306 for an unknown user, CF12308 when no administrator would be left. Idempotent; audited. */
export function setRole(accounts: Pool, userId: UserId, role: UserRole): Promise<void> {
  return changeUser(accounts, userId, { action: 'user.role', details: { role } }, (client) =>
    client.query('UPDATE users SET role = $2, updated_at = now() WHERE id = $1', [userId, role]),
  )
}

/** Switches a user off (their sessions and OAuth tokens end in the same transaction) or on again. CF12306 for an unknown user, CF12308 when no administrator would be left. Idempotent; audited. */
export function setActive(accounts: Pool, userId: UserId, active: boolean): Promise<void> {
  return changeUser(accounts, userId, { action: active ? 'user.switch_on' : 'user.switch_off' }, (client) =>
    client.query('UPDATE users SET is_active = $2, updated_at = now() WHERE id = $1', [userId, active]),
  )
}

async function changeUser(
  accounts: Pool,
  userId: UserId,
  entry: { readonly action: string; readonly details?: Readonly<Record<string, unknown>> },
  change: (client: PoolClient) => Promise<unknown>,
): Promise<void> {
  await inTransaction(accounts, async (client) => {
    // Two operators that each take away the other one's last administrator wait for each other here.
    const before = await client.query<{ id: UserId }>(
      `SELECT id FROM users WHERE (role = 'admin' AND is_active) OR id = $1 ORDER BY id FOR UPDATE`,
      [userId],
    )
    if (!before.rows.some(({ id }) => id === userId)) throw fail('CF12306')
    const had = await hasAdministrator(client)
    await change(client)
    if (had && !(await hasAdministrator(client))) throw fail('CF12308')
    await audit(client, { ...entry, subject: userId, outcome: 'done', userId })
  })
}

async function hasAdministrator(client: PoolClient): Promise<boolean> {
  const found = await client.query(`SELECT FROM users WHERE role = 'admin' AND is_active LIMIT 1`)
  return found.rowCount === 1
}
