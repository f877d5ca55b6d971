// For tests: a platform's database with a pool for each role, users with sessions, and services to have instances of.
import { randomBytes, randomUUID } from 'node:crypto'
import type { PostgresVersion } from '@crossfade/embedded/binaries.ts'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import type { UserProof } from '../as-user.ts'
import { type LoginRole, loginRoles } from '../owner.ts'
import { openPool } from '../pool.ts'
import { preparePlatform, type RoleUrls } from '../roles.ts'

export interface TestUser {
  readonly id: UserId
  readonly proof: UserProof
  readonly instanceId: string
}

export interface TestPlatform {
  /** The superuser's. */
  readonly url: string
  readonly urls: RoleUrls
  readonly admin: pg.Pool
  readonly pools: { readonly [role in LoginRole]: pg.Pool }
  /** A user with a session, and an instance of github that a token opens. */
  newUser(): Promise<TestUser & { readonly secretHash: Buffer }>
  close(): Promise<void>
}

export async function testPlatform(version: PostgresVersion = 18): Promise<TestPlatform> {
  const database = await freshDatabase(await sharedTestCluster(version), 'platform')
  const urls = await preparePlatform(database.url)
  const admin = openPool(database.url, { applicationName: 'test', connectionsMax: 2 })
  const names = Object.keys(loginRoles) as LoginRole[]
  const pools = Object.fromEntries(
    names.map((role) => [role, openPool(urls[role], { applicationName: `test ${role}`, connectionsMax: 3 })]),
  ) as Record<LoginRole, pg.Pool>
  await admin.query(
    `INSERT INTO service_registry (service_type, name, display_name, port) VALUES ('github', 'github', 'GitHub', 70000), ('figma', 'figma', 'Figma', 70001)
     ON CONFLICT (service_type) DO NOTHING`,
  )
  return {
    url: database.url,
    urls,
    admin,
    pools,
    async newUser() {
      const id = randomUUID() as UserId
      const token = randomBytes(32).toString('base64url')
      const secretHash = randomBytes(32)
      const instanceId = `git_user_${id.slice(0, 8)}_0a1b2c`
      await admin.query(`INSERT INTO users (id, email, name, role) VALUES ($1, $2, 'Somebody', 'member')`, [
        id,
        `${id}@example.org`,
      ])
      await admin.query(`INSERT INTO sessions (user_id, token, expires_at) VALUES ($1, $2, now() + interval '1 day')`, [
        id,
        token,
      ])
      await admin.query(
        `INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key, config) VALUES ($1, $2::uuid, 'github', 'canary ' || $2::uuid, '{"a": 1}')`,
        [instanceId, id],
      )
      await admin.query(
        `INSERT INTO instance_tokens (instance_id, user_id, kind, secret_hash, name, scopes) VALUES ($1, $2, 'bearer', $3, 'one', '{read,call}')`,
        [instanceId, id, secretHash],
      )
      return { id, proof: { kind: 'session', token }, instanceId, secretHash }
    },
    async close() {
      await Promise.all([admin, ...Object.values(pools)].map((pool) => pool.end()))
      await database.drop()
    },
  }
}
