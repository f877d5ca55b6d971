import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import pg from 'pg'
import { connectionOptions } from './connection.ts'
import { migratePlatform } from './migrate.ts'
import { afterRaces, type LoginRole, loginRoles } from './owner.ts'

/** The URLs that each part of the platform connects with. Secrets: they hold passwords. */
export type RoleUrls = { readonly [role in LoginRole]: string }

export interface PrepareOptions {
  /** See `MigrateOptions.legacy`. */
  readonly legacy?: 'refuse' | 'migrate'
  /** Gives the roles new passwords: what is connected stays connected, whoever holds the old URLs can't connect anew. Default: the passwords that the first process gave them. */
  readonly renewPasswords?: boolean
}

const passwordsLock = 7_163_371_193_127_468
const passwordBytes = 24
const scramIterations = 4096

/**
 * Makes the database ready: roles, all migrations, passwords. Gives the URL of each login role, made from `adminUrl`. Idempotent, and safe when several processes start at
 * once: all of them get the same passwords, which the database keeps where only the owner reads. Rejects as `migratePlatform` does.
 * One platform per PostgreSQL server: roles belong to the server, so a second database's platform would change the first one's passwords.
 */
export async function preparePlatform(adminUrl: string, options: PrepareOptions = {}): Promise<RoleUrls> {
  await migratePlatform(adminUrl, options.legacy === undefined ? {} : { legacy: options.legacy })
  const client = new pg.Client({ ...connectionOptions(adminUrl), application_name: 'crossfade mcp roles' })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const urls: Partial<Record<LoginRole, string>> = {}
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [passwordsLock])
    for (const role of Object.keys(loginRoles) as LoginRole[]) {
      urls[role] = urlOf(
        adminUrl,
        loginRoles[role],
        await passwordOf(client, loginRoles[role], options.renewPasswords ?? false),
      )
    }
    await client.query('COMMIT')
    return urls as RoleUrls
  } catch (error) {
    throw fail('CF12502', { reason: reasonOf(error) }, error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function passwordOf(client: pg.Client, role: string, renew: boolean): Promise<string> {
  await client.query('SET LOCAL ROLE crossfade_mcp_owner')
  const { rows } = await client.query('SELECT password FROM public.role_passwords WHERE role_name = $1', [role])
  const known = renew ? undefined : (rows[0]?.password as string | undefined)
  const password = known ?? randomBytes(passwordBytes).toString('base64url')
  if (known === undefined) {
    await client.query(
      `INSERT INTO public.role_passwords (role_name, password) VALUES ($1, $2)
       ON CONFLICT (role_name) DO UPDATE SET password = excluded.password, created_at = now()`,
      [role, password],
    )
  }
  await client.query('RESET ROLE')
  // Set every time: the roles may have come with the passwords of a database that is gone.
  await alterPassword(client, role, password)
  return password
}

async function alterPassword(client: pg.Client, role: string, password: string): Promise<void> {
  await afterRaces(async () => {
    await client.query('SAVEPOINT password')
    try {
      await client.query(`ALTER ROLE ${role} PASSWORD '${scramVerifier(password)}'`)
    } catch (error) {
      await client.query('ROLLBACK TO SAVEPOINT password')
      throw error
    }
  })
}

/** What PostgreSQL keeps of a password (RFC 5803), made here so that the password itself is in no statement that a server might log. */
function scramVerifier(password: string): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, scramIterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  const storedKey = createHash('sha256').update(clientKey).digest('base64')
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64')
  return `SCRAM-SHA-256$${scramIterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}

function urlOf(adminUrl: string, role: string, password: string): string {
  const url = new URL(adminUrl)
  url.username = role
  url.password = password
  return url.href
}
