// For tests: a platform's real database, users with instances in it, and pools of the roles that the vault works with.
import { randomUUID } from 'node:crypto'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { preparePlatform, type RoleUrls } from '@crossfade/mcp-database/roles.ts'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import type { SecretOwner } from '../vault.ts'

export interface VaultPlatform {
  readonly urls: RoleUrls
  /** Of the superuser. */
  readonly admin: pg.Pool
  readonly runtime: pg.Pool
  readonly keeper: pg.Pool
  /** A new user's instance of a service. Nothing is stored of it yet but the user. */
  newOwner(): Promise<SecretOwner>
  /** Writes sealed texts into the instance's row, which is made when it is missing. */
  store(owner: SecretOwner, main: string, additional: Record<string, string>): Promise<void>
  close(): Promise<void>
}

export const testServices = ['github', 'gitlab'] as const

export async function vaultPlatform(): Promise<VaultPlatform> {
  const database = await freshDatabase(await sharedTestCluster(18), 'vault')
  const urls = await preparePlatform(database.url)
  const admin = openPool(database.url, { applicationName: 'test', connectionsMax: 8 })
  const runtime = openPool(urls.runtime, { applicationName: 'test', connectionsMax: 8 })
  const keeper = openPool(urls.keeper, { applicationName: 'test', connectionsMax: 4 })
  await admin.query(
    `INSERT INTO service_registry (service_type, name, display_name, port)
     SELECT name, name, name, 70000 + row_number() OVER () FROM unnest($1::text[]) AS name ON CONFLICT (service_type) DO NOTHING`,
    [testServices],
  )
  return {
    urls,
    admin,
    runtime,
    keeper,
    async newOwner() {
      const userId = randomUUID() as UserId
      await admin.query('INSERT INTO users (id, email) VALUES ($1, $2)', [userId, `${userId}@example.org`])
      const instanceId = `git_user_${userId.slice(0, 8)}_0a1b2c` as InstanceId
      return { userId, instanceId, serviceType: 'github' as ServiceType }
    },
    async store(owner, main, additional) {
      await admin.query(
        `INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key, encrypted_additional_credentials)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (instance_id) DO UPDATE SET encrypted_api_key = excluded.encrypted_api_key,
         encrypted_additional_credentials = excluded.encrypted_additional_credentials,
         credential_version = user_service_instances.credential_version + 1`,
        [owner.instanceId, owner.userId, owner.serviceType, main, JSON.stringify(additional)],
      )
    },
    async close() {
      await Promise.all([admin.end(), runtime.end(), keeper.end()])
      await database.drop()
    },
  }
}
