import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadServices } from '@crossfade/catalog/load-services.ts'
import { registryRowsOf } from '@crossfade/catalog/registry.ts'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import pg from 'pg'
import { registrySql } from './registry-migration.ts'

test('SI-03 SI-15 migration 009 fills the registry of a real server, changes nothing when it runs again, and can be taken back', async () => {
  const database = await freshDatabase(await sharedTestCluster(18), 'registry')
  const client = new pg.Client(database.url)
  await client.connect()
  try {
    await client.query(tables)
    const { services } = loadServices()
    const content = registrySql(registryRowsOf(services.map(({ config }) => config)))
    const [, up = '', down = ''] = content.split(/^-- (?:Up|Down) Migration$/m)
    await client.query(up)
    await client.query(`UPDATE service_registry SET display_name = 'Ours' WHERE service_type = 'github'`)
    await client.query(up)
    const { rows } = await client.query('SELECT * FROM service_registry ORDER BY service_type COLLATE "C"')
    assert.equal(rows.length, services.length)
    const { rows: health } = await client.query('SELECT count(*)::integer AS count FROM service_health_status')
    assert.equal(health[0].count, services.length)
    for (const [at, { config }] of services.entries()) {
      assert.equal(rows[at].service_type, config.serviceType)
      assert.equal(rows[at].description, config.description)
      assert.equal(rows[at].base_url, config.baseUrl)
      assert.equal(rows[at].port, config.port)
      assert.deepEqual({ type: rows[at].auth_type, ...rows[at].auth_config }, config.auth)
      assert.deepEqual(rows[at].service_config.tools, config.tools)
    }
    assert.equal(rows.find((row) => row.service_type === 'github').display_name, 'Ours')
    await client.query(down)
    assert.equal((await client.query('SELECT 1 FROM service_registry')).rowCount, 0)
  } finally {
    await client.end()
    await database.drop()
  }
})

/** The columns that the migration writes, as its forerunner makes them. */
const tables = `
  CREATE TABLE service_registry (
    service_type varchar(50) PRIMARY KEY, name varchar(100) NOT NULL, display_name varchar(100) NOT NULL, description text,
    icon_url varchar(500), category varchar(100), port integer UNIQUE NOT NULL, base_url varchar(255),
    health_check_endpoint varchar(255) DEFAULT '/health', auth_type varchar(50) DEFAULT 'api_key',
    auth_config jsonb DEFAULT '{}', service_config jsonb DEFAULT '{}');
  CREATE TABLE service_health_status (service_type varchar(50) PRIMARY KEY REFERENCES service_registry (service_type));`
