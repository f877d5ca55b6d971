import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { preparePlatform, type RoleUrls } from '@crossfade/mcp-database/roles.ts'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import { localKeyRing } from './key-ring.ts'
import { openVault } from './open-vault.ts'
import type { SecretOwner } from './vault.ts'

let made: Promise<{ database: TestDatabase; urls: RoleUrls; admin: pg.Pool; runtime: pg.Pool }> | undefined

function platform() {
  made ??= (async () => {
    const database = await freshDatabase(await sharedTestCluster(18), 'vault')
    const urls = await preparePlatform(database.url)
    return {
      database,
      urls,
      admin: openPool(database.url, { applicationName: 'test', connectionsMax: 2 }),
      runtime: openPool(urls.runtime, { applicationName: 'test', connectionsMax: 8 }),
    }
  })()
  return made
}

after(async () => {
  const all = await made
  await all?.admin.end()
  await all?.runtime.end()
  await all?.database.drop()
})

async function owner(admin: pg.Pool, serviceType = 'github'): Promise<SecretOwner> {
  const userId = randomUUID() as UserId
  await admin.query('INSERT INTO users (id, email) VALUES ($1, $2)', [userId, `${userId}@example.org`])
  return {
    userId,
    instanceId: `git_user_${userId.slice(0, 8)}_0a1b2c` as InstanceId,
    serviceType: serviceType as ServiceType,
  }
}

const keys = localKeyRing('the test', [{ id: 'first', key: randomBytes(32) }])

test('SI-08: what one vault seals another opens; once the data key is in memory, at once', async () => {
  const { admin, runtime } = await platform()
  const alice = await owner(admin)
  const one = await openVault({ pool: runtime, keys })
  const other = await openVault({ pool: runtime, keys })
  const sealed = await one.seal(alice, 'ghp_canary')
  assert.match(sealed, /^v1\.[A-Za-z0-9_-]{16}\./)
  assert.ok(!sealed.includes('canary'))
  assert.equal(one.open(alice, sealed), 'ghp_canary')
  const first = other.open(alice, sealed)
  assert.ok(first instanceof Promise)
  assert.equal(await first, 'ghp_canary')
  assert.equal(other.open(alice, sealed), 'ghp_canary')
  one.close()
  other.close()
  assert.throws(() => one.open(alice, sealed), { code: 'CF11013' })
})

test('SI-08: many who seal for a new user at once share one data key', async () => {
  const { admin, runtime } = await platform()
  const alice = await owner(admin)
  const vaults = await Promise.all([1, 2, 3].map(() => openVault({ pool: runtime, keys, dataKeysMax: 1 })))
  const sealed = await Promise.all(Array.from({ length: 30 }, (_, n) => vaults[n % 3]!.seal(alice, `secret ${n}`)))
  assert.equal(new Set(sealed.map((text) => text.split('.')[1])).size, 1)
  for (const [n, text] of sealed.entries()) assert.equal(await vaults[(n + 1) % 3]!.open(alice, text), `secret ${n}`)
  const { rows } = await admin.query('SELECT seals FROM data_keys WHERE user_id = $1', [alice.userId])
  assert.deepEqual(rows, [{ seals: 30 }])
  for (const vault of vaults) vault.close()
})
