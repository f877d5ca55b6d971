import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadServices } from '@crossfade/catalog/load-services.ts'
import { registryRowsOf } from '@crossfade/catalog/registry.ts'
import { registrySql } from './registry-migration.ts'

test('SI-15 migration 009 inserts every service once, with its health row, and takes them away again', () => {
  const { services } = loadServices()
  const content = registrySql(registryRowsOf(services.map(({ config }) => config)))
  const [, up = '', down = ''] = content.split(/^-- (?:Up|Down) Migration$/m)
  const rows = up.split('\n').filter((line) => line.startsWith("  ('"))
  const types = services.map(({ config }) => config.serviceType as string)
  assert.deepEqual(
    rows.map((row) => /^ {2}\('([^']+)'/.exec(row)![1]),
    types,
  )
  assert.match(up, /ON CONFLICT DO NOTHING;[\s\S]*INSERT INTO service_health_status[\s\S]*ON CONFLICT DO NOTHING;/)
  for (const type of types) assert.equal(down.split(`'${type}'`).length - 1, 2, type)
  for (const row of rows) assert.equal((row.match(/'/g) ?? []).length % 2, 0, row)
})
