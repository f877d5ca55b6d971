// What has to be there before the first migration: the roles, and an owner who may create tables.
import { fail } from '@crossfade/model/failure.ts'
import type pg from 'pg'

export const ownerRole = 'crossfade_mcp_owner'
export const loginRoles = {
  accounts: 'crossfade_mcp_accounts',
  api: 'crossfade_mcp_api',
  runtime: 'crossfade_mcp_runtime',
  keeper: 'crossfade_mcp_keeper',
} as const
export type LoginRole = keyof typeof loginRoles

/** Tables of the platform before shared instances, in the order in which they refer to each other. */
const legacyTables = ['users', 'mcp_types', 'mcp_instances'] as const
/** The migration that moves legacy rows. */
const legacyMigration = 10
const rolesLock = 7_163_371_193_127_467
/** Roles belong to the whole cluster, the lock to one database: two databases that are prepared at once may still meet. */
const raceTriesMax = 10

/** Creates roles, gives them the database, and gives legacy tables to the owner. Idempotent. */
export async function prepareOwner(
  admin: pg.ClientBase,
  options: { legacy: 'refuse' | 'migrate'; last: number | undefined },
): Promise<void> {
  await admin.query('SELECT pg_advisory_lock($1)', [rolesLock])
  try {
    for (const role of [ownerRole, ...Object.values(loginRoles)]) await createRole(admin, role)
    await becomeMember(admin)
    await holdSchema(admin)
    if ((options.last ?? legacyMigration) >= legacyMigration && options.legacy === 'refuse') await refuseLegacy(admin)
    await takeLegacyTables(admin)
  } finally {
    await admin.query('SELECT pg_advisory_unlock($1)', [rolesLock])
  }
}

/** None of them is more than an ordinary role, whatever it was before. */
async function createRole(admin: pg.ClientBase, role: string): Promise<void> {
  const { rows } = await admin.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role])
  if (rows.length > 0) return
  const login = role === ownerRole ? 'NOLOGIN' : 'LOGIN'
  await afterRaces(() =>
    admin.query(`CREATE ROLE ${role} ${login} NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS`),
  )
}

/** An admin who is no superuser has to be a member of the owner to act as it; having created it is not enough. */
async function becomeMember(admin: pg.ClientBase): Promise<void> {
  const { rows } = await admin.query('SELECT rolsuper AS super FROM pg_roles WHERE rolname = current_user')
  if (!rows[0].super) await afterRaces(() => admin.query(`GRANT ${ownerRole} TO CURRENT_USER`))
}

/** The owner creates tables in the schema; nobody else may, for whoever can create a function there can have others run it. */
async function holdSchema(admin: pg.ClientBase): Promise<void> {
  const before = await schemaRights(admin)
  if (before.anybody) await admin.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC')
  if (!before.owner) await admin.query(`GRANT USAGE, CREATE ON SCHEMA public TO ${ownerRole}`)
  // To somebody who doesn't own the schema the server only gives a warning.
  const after = await schemaRights(admin)
  if (after.anybody || !after.owner) throw fail('CF12506')
}

async function schemaRights(admin: pg.ClientBase): Promise<{ owner: boolean; anybody: boolean }> {
  const { rows } = await admin.query(
    `SELECT coalesce(bool_or(a.grantee = 0), false) AS anybody, coalesce(bool_or(a.grantee = $1::regrole), false) AS owner
     FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
     WHERE n.nspname = 'public' AND a.privilege_type = 'CREATE'`,
    [ownerRole],
  )
  return rows[0]
}

async function refuseLegacy(admin: pg.ClientBase): Promise<void> {
  const { rows } = await admin.query(`SELECT to_regclass('public.mcp_instances') IS NOT NULL AS found`)
  if (!rows[0].found) return
  const { rows: some } = await admin.query('SELECT count(*) AS count FROM public.mcp_instances')
  throw fail('CF12503', { count: Number(some[0].count) })
}

/** Migrations run as the owner and change these tables. Whoever owned one before keeps every right to it. */
async function takeLegacyTables(admin: pg.ClientBase): Promise<void> {
  for (const table of legacyTables) {
    const { rows } = await admin.query<{ owner: string }>(
      `SELECT quote_ident(pg_get_userbyid(relowner)) AS owner FROM pg_class
       WHERE oid = to_regclass('public.' || $1) AND pg_get_userbyid(relowner) <> $2`,
      [table, ownerRole],
    )
    const before = rows[0]?.owner
    if (before === undefined) continue
    await admin.query(`ALTER TABLE public.${table} OWNER TO ${ownerRole}`)
    await admin.query(`GRANT ALL ON public.${table} TO ${before}`)
    // Row-level security comes with 013; the legacy platform's own queries go on past it.
    await admin.query(`CREATE POLICY legacy_owner ON public.${table} TO ${before} USING (true) WITH CHECK (true)`)
  }
}

/** Runs `statement` again when another session changed the same role at the same moment. */
export async function afterRaces(statement: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await statement()
      return
    } catch (error) {
      const code = (error as { code?: string }).code
      if (code === '42710' || code === '23505') return
      const raced = code === 'XX000' && /tuple concurrently/.test((error as Error).message)
      if (!raced || tries >= raceTriesMax) throw error
    }
  }
}
