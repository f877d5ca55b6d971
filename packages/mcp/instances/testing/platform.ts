// For tests: a platform's database with roles, users, services and a vault, and as many workers on it as a test needs.
import { hash, randomBytes, randomUUID } from 'node:crypto'
import type { Catalog, Service } from '@crossfade/catalog/catalog.ts'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { UserProof } from '@crossfade/mcp-database/as-user.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { preparePlatform, type RoleUrls } from '@crossfade/mcp-database/roles.ts'
import type { ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import { localKeyRing } from '@crossfade/vault/key-ring.ts'
import { openVault } from '@crossfade/vault/open-vault.ts'
import type { Vault } from '@crossfade/vault/vault.ts'
import type pg from 'pg'
import type { InstanceStores } from '../connect.ts'
import { type DirectoryOptions, openDirectory, type PlatformDirectory } from '../directory.ts'
import type { VerifyKey } from '../verify-once.ts'

export interface TestUser {
  readonly id: UserId
  readonly email: string
  readonly proof: UserProof
}

export interface TestPlatform {
  readonly urls: RoleUrls
  readonly adminUrl: string
  /** The superuser's. */
  readonly admin: pg.Pool
  readonly api: pg.Pool
  readonly vault: Vault
  readonly stores: InstanceStores
  user(name?: string): Promise<TestUser>
  /** A worker of its own: pool, vault, directory. Closed with the platform. */
  worker(options?: Partial<DirectoryOptions>): Promise<TestWorker>
  close(): Promise<void>
}

export interface TestWorker {
  readonly runtime: pg.Pool
  readonly directory: PlatformDirectory
  readonly vault: Vault
  close(): Promise<void>
}

/** Opens a platform that serves `services`. What the upstream says of keys is `verifyKey`'s word. */
export async function openTestPlatform(
  services: readonly ServiceConfig[],
  verifyKey: VerifyKey,
): Promise<TestPlatform> {
  const database = await freshDatabase(await sharedTestCluster(18), 'instances')
  const urls = await preparePlatform(database.url)
  const admin = openPool(database.url, { applicationName: 'test admin', connectionsMax: 2 })
  const api = openPool(urls.api, { applicationName: 'test api', connectionsMax: 6 })
  const keys = localKeyRing('the test', [{ id: 'test', key: randomBytes(32) }])
  const vaultPool = openPool(urls.runtime, { applicationName: 'test vault', connectionsMax: 4 })
  const vault = await openVault({ pool: vaultPool, keys })
  // The registry comes with the services of the catalog; a test has its own, on the same ports.
  await admin.query('TRUNCATE service_registry CASCADE')
  for (const { serviceType, displayName, category, port, auth } of services) {
    await admin.query(
      `INSERT INTO service_registry (service_type, name, display_name, category, port, auth_type) VALUES ($1, $1, $2, $3, $4, $5)`,
      [serviceType, displayName, category, port, auth.type],
    )
  }
  const catalog = catalogOf(services)
  const workers: TestWorker[] = []
  return {
    urls,
    adminUrl: database.url,
    admin,
    api,
    vault,
    stores: { api, vault, catalog: () => catalog, verifyKey, pepper: 'pepper of the test' },
    async user(name = 'user') {
      const id = randomUUID() as UserId
      const token = randomBytes(24).toString('base64url')
      const email = `${name}-${id.slice(0, 8)}@example.org`
      await admin.query('INSERT INTO users (id, email, name) VALUES ($1, $2, $3)', [id, email, name])
      await admin.query("INSERT INTO sessions (user_id, token, expires_at) VALUES ($1, $2, now() + interval '1 day')", [
        id,
        token,
      ])
      return { id, email, proof: { kind: 'session', token } }
    },
    async worker(options = {}) {
      const runtime = openPool(urls.runtime, { applicationName: 'test worker', connectionsMax: 4 })
      const own = await openVault({ pool: runtime, keys })
      const directory = await openDirectory({
        runtime,
        databaseUrl: urls.runtime,
        vault: own,
        verifyAccessToken: null,
        refresher: null,
        ...options,
      })
      let closed = false
      const worker: TestWorker = {
        runtime,
        directory,
        vault: own,
        async close() {
          if (closed) return
          closed = true
          await directory.close()
          own.close()
          await runtime.end()
        },
      }
      workers.push(worker)
      return worker
    },
    async close() {
      for (const worker of workers) await worker.close()
      vault.close()
      await Promise.all([admin.end(), api.end(), vaultPool.end()])
      await database.drop()
    },
  }
}

/** A personal API token of the user, made directly in the database. */
export async function apiTokenOf(admin: pg.Pool, user: TestUser, scopes: readonly string[]): Promise<string> {
  const secret = `cfp_${randomBytes(32).toString('base64url')}`
  await admin.query(`INSERT INTO api_tokens (user_id, name, secret_hash, scopes) VALUES ($1, 'test', $2, $3)`, [
    user.id,
    hash('sha256', secret, 'buffer'),
    scopes,
  ])
  return secret
}

/** A service whose key goes into a header; `changes` over it. */
export function serviceConfig(serviceType: string, port: number, changes: Partial<ServiceConfig> = {}): ServiceConfig {
  return {
    serviceType: serviceType as ServiceType,
    displayName: serviceType.toUpperCase(),
    category: 'testing',
    description: `The service ${serviceType} of a test.`,
    docsUrl: 'https://example.org/docs',
    port,
    baseUrl: 'http://127.0.0.1:1',
    auth: { type: 'api_key', label: 'Key', send: { in: 'header', name: 'x-api-key' }, help: 'Made up by the test.' },
    verification: { method: 'GET', path: '/me', validStatuses: [200], invalidStatuses: [401] },
    source: { kind: 'operations' },
    tools: ['whoami'],
    ...changes,
  } as ServiceConfig
}

/** A catalog of these services; each has one tool, `whoami`, a GET of `/me`. */
export function catalogOf(configs: readonly ServiceConfig[]): Catalog {
  const services = new Map<ServiceType, Service>(configs.map((config) => [config.serviceType, serviceOf(config)]))
  return {
    digest: hash('sha256', JSON.stringify(configs)),
    services,
    searchServices: (query) => [...services.values()].filter(({ config }) => config.serviceType.includes(query)),
  }
}

function serviceOf(config: ServiceConfig): Service {
  const tool = {
    name: 'whoami',
    description: 'Who the key belongs to.',
    inputSchema: { type: 'object', properties: { verbose: { type: 'boolean' } } },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    call: { method: 'GET', path: '/me', parameters: [], body: null },
    digest: hash('sha256', 'whoami'),
  } as const
  return {
    config,
    listed: [tool],
    operationCount: 1,
    tool: (name) => (name === tool.name ? tool : undefined),
    searchTools: (query) => (tool.name.includes(query) ? [{ name: tool.name, description: tool.description }] : []),
  }
}
