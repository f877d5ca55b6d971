import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { migratePlatform } from './migrate.ts'
import { openPool } from './pool.ts'
import { preparePlatform } from './roles.ts'

async function connects(url: string): Promise<boolean> {
  const pool = openPool(url, { applicationName: 'test', connectionsMax: 1 })
  try {
    assert.equal((await pool.query('SELECT 9007199254740991::bigint AS n')).rows[0].n, 9007199254740991)
    return true
  } catch (error) {
    if ((error as { code?: string }).code === '28P01') return false
    throw error
  } finally {
    await pool.end()
  }
}

test('SI-14: where passwords are asked for, several processes that start at once get the same ones, and renewed ones replace them', async () => {
  // One who may create roles and owns the database, as hosted databases give it: no superuser.
  for (const version of [14, 18] as const) {
    const cluster = await startCluster({ version, password: 'of the superuser' })
    try {
      await cluster.createRole('administrator', { password: 'of the administrator', createRole: true })
      await cluster.createDatabase('platform', { owner: 'administrator' })
      const admin = cluster.url({ database: 'platform', user: 'administrator', password: 'of the administrator' })
      if (version === 14) {
        // There the schema public belongs to the superuser, and everybody may create in it.
        await assert.rejects(preparePlatform(admin), { code: 'CF12506' })
        const superuser = openPool(cluster.superuserUrl('platform'), { applicationName: 'test', connectionsMax: 1 })
        await superuser.query(
          'REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO crossfade_mcp_owner',
        )
        await superuser.end()
      }
      const all = await Promise.all([1, 2, 3, 4].map(() => preparePlatform(admin)))
      for (const urls of all) assert.deepEqual(urls, all[0])
      for (const url of Object.values(all[0]!)) assert.equal(await connects(url), true)
      assert.deepEqual(await preparePlatform(admin), all[0])
      const renewed = await preparePlatform(admin, { renewPasswords: true })
      for (const role of ['accounts', 'api', 'runtime', 'keeper'] as const) {
        assert.notEqual(renewed[role], all[0]![role])
        assert.equal(await connects(renewed[role]), true)
        assert.equal(await connects(all[0]![role]), false)
      }
    } finally {
      await cluster.destroy()
    }
  }
})

test('SI-15: a migration that fails leaves nothing of itself, and says what to do', async () => {
  const database = await freshDatabase(await sharedTestCluster(18), 'broken')
  const admin = openPool(database.url, { applicationName: 'test', connectionsMax: 1 })
  try {
    await admin.query('CREATE TABLE service_health_status (mine int)')
    await assert.rejects(migratePlatform(database.url), (error: { code: string; message: string; remedy: string }) => {
      assert.equal(error.code, 'CF12505')
      assert.match(error.message, /service_health_status/)
      return true
    })
    assert.equal((await admin.query(`SELECT to_regclass('service_registry') AS made`)).rows[0].made, null)
    await admin.query('DROP TABLE service_health_status')
    await migratePlatform(database.url)
    assert.notEqual((await admin.query(`SELECT to_regclass('service_registry') AS made`)).rows[0].made, null)
  } finally {
    await admin.end()
    await database.drop()
  }
  await assert.rejects(migratePlatform('postgres://nobody@127.0.0.1:1/none'), { code: 'CF12502' })
})
