import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { preparePlatform } from '@crossfade/mcp-database/roles.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import type pg from 'pg'
import { localKeyRing } from './key-ring.ts'
import { openPlatformSecret } from './platform-secret.ts'

let database: TestDatabase
let keeper: pg.Pool
before(async () => {
  database = await freshDatabase(await sharedTestCluster(18), 'platform_secret')
  const roles = await preparePlatform(database.url)
  keeper = openPool(roles.keeper, { applicationName: 'test', connectionsMax: 8 })
})
after(async () => {
  await keeper.end()
  await database.drop()
})

test('SI-08 M13 every process has the same secret, and a rotation of the master key takes it along', async () => {
  const first = { id: 'first', key: randomBytes(32) }
  const second = { id: 'second', key: randomBytes(32) }
  const before = localKeyRing('test', [first])
  const opened = await Promise.all(Array.from({ length: 8 }, () => openPlatformSecret(keeper, before)))
  const derived = new Set(opened.map((secret) => secret.derive('cookies').toString('hex')))
  assert.equal(derived.size, 1)
  assert.notEqual(opened[0]!.derive('cookies').toString('hex'), opened[0]!.derive('questions').toString('hex'))

  await openPlatformSecret(keeper, localKeyRing('test', [second, first]))
  const after = await openPlatformSecret(keeper, localKeyRing('test', [second]))
  assert.deepEqual(after.derive('cookies'), opened[0]!.derive('cookies'))
  await assert.rejects(openPlatformSecret(keeper, before), ({ code }: Failure) => code === 'CF11004')
  const { rows } = await keeper.query(`SELECT value FROM platform_settings WHERE key = 'wrapped_platform_secret'`)
  assert.match(rows[0].value as string, /^second\./)
})
