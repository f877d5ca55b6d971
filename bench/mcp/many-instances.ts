// An installation of many users: what it needs in memory when it serves all of them.
import { homePaths, openHome } from '@crossfade/gateway-app/home.ts'
import { openPlatform } from '@crossfade/gateway-app/platform.ts'
import type { ServerProcess } from '@crossfade/gateway-app/testing/server-process.ts'
import { formInstanceId } from '@crossfade/mcp/instances/instance-ids.ts'
import { mintSecret } from '@crossfade/mcp/instances/instance-secrets.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import { masterKeys } from '@crossfade/vault/master-keys.ts'
import { openVault } from '@crossfade/vault/open-vault.ts'
import { Pool } from 'undici'
import { residentMb } from './processes.ts'
import { listBody, mcpHeaders } from './requests.ts'

const connections = 16
const services = ['github', 'figma', 'slack', 'gmail', 'trello'] as ServiceType[]
const batch = 500

export interface ManyInstances {
  readonly instances: number
  readonly opened: number
  readonly residentMb: number
}

interface Made {
  readonly path: string
  readonly token: string
}

/** Makes so many users with an instance each, uses every one of them once, and looks at the memory of the workers. */
export async function manyInstances(server: ServerProcess, count: number): Promise<ManyInstances> {
  const made = await makeInstances(server, count)
  const pool = new Pool(server.origin, { connections, pipelining: 1 })
  let opened = 0
  const next = made[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (const { path, token } of { [Symbol.iterator]: () => next }) {
        const headers = mcpHeaders('tools/list', undefined, token)
        const answer = await pool.request({ path, method: 'POST', headers, body: listBody(opened) })
        await answer.body.dump()
        if (answer.statusCode === 200) opened += 1
      }
    }),
  )
  await pool.close()
  return { instances: count, opened, residentMb: server.workers.reduce((sum, pid) => sum + residentMb(pid), 0) }
}

/** Written past the API, which would ask upstreams: with credentials that the vault has sealed, each under its user's own key. */
async function makeInstances(server: ServerProcess, count: number): Promise<Made[]> {
  const home = openHome(server.directory)
  const platform = await openPlatform(home)
  const admin = openPool(platform.adminUrl, { applicationName: 'bench', connectionsMax: 4 })
  const runtime = openPool(platform.roles.runtime, { applicationName: 'bench', connectionsMax: 8 })
  const vault = await openVault({
    pool: runtime,
    keys: masterKeys({ defaultFile: homePaths(server.directory).masterKeyFile }),
  })
  const made: Made[] = []
  try {
    for (let from = 0; from < count; from += batch) {
      const { rows } = await admin.query<{ id: UserId }>(
        `INSERT INTO users (email, name) SELECT 'bench-' || n || '@example.com', 'bench' FROM generate_series($1::int, $2::int) n RETURNING id`,
        [from, Math.min(from + batch, count) - 1],
      )
      const instances = await Promise.all(
        rows.map(async ({ id: userId }, n) => {
          const serviceType = services[n % services.length]!
          const instanceId = formInstanceId(serviceType, userId)
          const { secret, hash } = mintSecret('bearer')
          made.push({ path: `/${instanceId}/${serviceType}/`, token: secret })
          const key = await vault.seal({ userId, instanceId, serviceType }, `key-of-${userId}`)
          return { instanceId, userId, serviceType, key, hash: hash.toString('hex') }
        }),
      )
      await admin.query(
        `WITH given AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS g("instanceId" text, "userId" uuid, "serviceType" text, key text, hash text)),
         stored AS (
           INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key, credential_kind, credential_state)
           SELECT "instanceId", "userId", "serviceType", key, 'api_key', 'active' FROM given RETURNING instance_id)
         INSERT INTO instance_tokens (instance_id, user_id, kind, secret_hash, name, scopes)
         SELECT "instanceId", "userId", 'bearer', decode(hash, 'hex'), 'bench', ARRAY['read', 'call'] FROM given`,
        [JSON.stringify(instances)],
      )
    }
  } finally {
    vault.close()
    await runtime.end()
    await admin.end()
    await platform.release()
  }
  return made
}
