// Who of an external issuer's subjects is which user here.
import { audit } from '@crossfade/mcp-database/audit.ts'
import { tellOfUser } from '@crossfade/mcp-database/changes.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type { Pool } from 'pg'
import { inTransaction } from './in-transaction.ts'

/** Of the column that keeps it; issuers give no longer ones (OpenID Connect Core §2). */
const subjectCharactersMax = 255

/**
 * Links a subject of an external issuer to a user, so that its tokens act for them, on every worker as soon as it has heard. Idempotent; audited. CF12309 for what can be no issuer or no subject,
 * CF12307 when the subject is another user's.
 */
export async function linkExternalSubject(
  accounts: Pool,
  userId: UserId,
  issuer: string,
  subject: string,
): Promise<void> {
  check(issuer, subject)
  await inTransaction(accounts, async (client) => {
    const done = await client.query(
      `INSERT INTO accounts (user_id, provider_id, account_id) VALUES ($1, $2, $3)
       ON CONFLICT (provider_id, account_id) DO UPDATE SET updated_at = now() WHERE accounts.user_id = excluded.user_id`,
      [userId, issuer, subject],
    )
    if (done.rowCount === 0) throw fail('CF12307', { issuer })
    // A worker may have found a moment ago that the subject is nobody's.
    await tellOfUser(client, userId)
    await audit(client, { action: 'user.link', subject: userId, details: { issuer }, outcome: 'done', userId })
  })
}

/** Takes such a link away; its tokens act for nobody then. False when there was none. Audited. */
export async function unlinkExternalSubject(
  accounts: Pool,
  userId: UserId,
  issuer: string,
  subject: string,
): Promise<boolean> {
  check(issuer, subject)
  return inTransaction(accounts, async (client) => {
    const done = await client.query(
      'DELETE FROM accounts WHERE user_id = $1 AND provider_id = $2 AND account_id = $3',
      [userId, issuer, subject],
    )
    if (done.rowCount === 0) return false
    await tellOfUser(client, userId)
    await audit(client, { action: 'user.unlink', subject: userId, details: { issuer }, outcome: 'done', userId })
    return true
  })
}

/** Passwords are kept in the same table under a name that is no address: nobody unlinks those. */
function check(issuer: string, subject: string): void {
  if (!URL.canParse(issuer))
    throw fail('CF12309', { what: 'issuer', rule: 'an address, as it stands in `iss` of its tokens' })
  if (subject === '' || subject.length > subjectCharactersMax) {
    throw fail('CF12309', { what: 'subject', rule: `1 to ${subjectCharactersMax} characters` })
  }
}
