// For tests: the platform's real database with users, services and instances in it.
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { preparePlatform, type RoleUrls } from '@crossfade/mcp-database/roles.ts'
import { syncRegistry } from '@crossfade/mcp-database/sync-registry.ts'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import pg from 'pg'
import type { UsageRecord } from './usage.ts'

export interface TestPlatform {
  readonly urls: RoleUrls
  /** Of the superuser, past row-level security. */
  readonly admin: pg.Pool
  readonly keeper: pg.Pool
  readonly users: readonly UserId[]
  readonly services: readonly ServiceType[]
  /** The token of a session of a user. */
  session(user: UserId): Promise<string>
  close(): Promise<void>
}

/** A fresh database with `users` users who each have an instance of each of the services. Ends with `close`. */
export async function testPlatform(users: number, services: readonly string[]): Promise<TestPlatform> {
  const cluster = await sharedTestCluster(18)
  const database = await freshDatabase(cluster, 'usage')
  const urls = await preparePlatform(database.url)
  const admin = new pg.Pool({ connectionString: database.url, max: 3 })
  admin.on('error', () => undefined)
  const keeper = openPool(urls.keeper, { applicationName: 'test keeper', connectionsMax: 4 })
  await syncRegistry(
    keeper,
    services.map((service, index) => ({
      serviceType: service as ServiceType,
      name: service,
      displayName: service,
      description: null,
      iconUrl: null,
      category: 'testing',
      port: 49_160 + index,
      baseUrl: 'https://example.com',
      healthCheckEndpoint: '/',
      authType: 'api_key',
      authConfig: {},
      serviceConfig: {},
    })),
  )
  const ids = Array.from({ length: users }, (_, user) => userId(user))
  for (const [index, id] of ids.entries()) {
    await admin.query('INSERT INTO users (id, email, name) VALUES ($1, $2, $3)', [
      id,
      `u${index}@example.com`,
      `u${index}`,
    ])
    for (const service of services)
      await admin.query(
        `INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key) VALUES ($1, $2, $3, '')`,
        [instanceOf(id, service), id, service],
      )
  }
  return {
    urls,
    admin,
    keeper,
    users: ids,
    services: services as readonly ServiceType[],
    async session(user) {
      const token = `session-of-${user}-${Math.random()}`
      await admin.query(
        `INSERT INTO sessions (user_id, token, expires_at) VALUES ($1, $2, now() + interval '1 hour')`,
        [user, token],
      )
      return token
    },
    async close() {
      await keeper.end()
      await admin.end()
      await database.drop()
    },
  }
}

export function instanceOf(user: UserId, service: string): InstanceId {
  return `${service.slice(0, 3)}_user_${user.slice(0, 8)}_00000a` as InstanceId
}

/** A call that went well, with whatever `fields` say else. */
export function usageOf(user: UserId, service: string, fields: Partial<UsageRecord> = {}): UsageRecord {
  return {
    userId: user,
    serviceType: service as ServiceType,
    instanceId: instanceOf(user, service),
    endpoint: 'get_thing',
    method: 'tools/call',
    statusCode: 200,
    responseTimeMs: 12,
    errorCode: null,
    atMs: Date.now(),
    ...fields,
  }
}

function userId(user: number): UserId {
  return `${(user + 1).toString(16).padStart(8, '0')}-0000-4000-8000-000000000000` as UserId
}
