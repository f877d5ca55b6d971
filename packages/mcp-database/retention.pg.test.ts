import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { asUser } from './as-user.ts'
import type { RegistryRow } from './sync-registry.ts'
import { syncRegistry } from './sync-registry.ts'
import { type TestPlatform, testPlatform } from './testing/test-platform.ts'

let made: Promise<TestPlatform> | undefined
const platform = () => (made ??= testPlatform())
after(async () => (await made)?.close())

async function partitions(all: TestPlatform): Promise<string[]> {
  const { rows } = await all.admin.query(
    `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'service_usage_analytics'::regclass ORDER BY 1`,
  )
  return rows.map((row) => row.relname as string)
}

async function monthName(all: TestPlatform, offset: number): Promise<string> {
  const { rows } = await all.admin.query(
    `SELECT 'service_usage_analytics_' || to_char((now() AT TIME ZONE 'UTC') + make_interval(months => $1), '"y"YYYY"m"MM') AS name`,
    [offset],
  )
  return rows[0].name
}

test('SI-03 SI-05: months of usage are made ahead, rows that came early move into theirs, and old ones are dropped, each run logged', async () => {
  const all = await platform()
  const alice = await all.newUser()
  const usage = (at: string) =>
    all.admin.query(
      `INSERT INTO service_usage_analytics (user_id, service_type, instance_id, endpoint, "timestamp") VALUES ($1, 'github', $2, 'x', (${at}))`,
      [alice.id, alice.instanceId],
    )
  for (const ahead of [0, 1, 2, 3]) assert.ok((await partitions(all)).includes(await monthName(all, ahead)))
  await usage('now()')
  // Beyond what was made ahead, and of long ago: kept in the default partition until their months are made.
  const far = `date_trunc('month', now(), 'UTC') + interval '5 months 1 day'`
  const first = `date_trunc('month', now(), 'UTC') + interval '5 months'`
  await usage(far)
  await usage(first)
  await usage(`${first} - interval '1 microsecond'`)
  await usage(`now() - interval '8 months'`)
  await usage(`now() - interval '5 months'`)
  const inDefault = async () =>
    (await all.admin.query('SELECT count(*) FROM ONLY service_usage_analytics_default')).rows[0].count
  assert.equal(await inDefault(), 5)
  const sums = async () =>
    (
      await all.admin.query(
        `SELECT count(*), min(created_date)::text, max(created_date)::text, count(DISTINCT id) AS ids FROM service_usage_analytics`,
      )
    ).rows[0]
  const before = await sums()
  // Two keepers at once: one makes them, the other finds them.
  const [one, other] = await Promise.all(
    [1, 2].map(
      async () => (await all.pools.keeper.query('SELECT ensure_usage_partitions(6) AS made')).rows[0].made as string[],
    ),
  )
  const expected = [
    await monthName(all, 4),
    await monthName(all, 5),
    await monthName(all, 6),
    await monthName(all, -8),
    await monthName(all, -5),
  ]
  assert.deepEqual([...one!, ...other!].sort(), expected.sort())
  assert.equal(await inDefault(), 0)
  assert.deepEqual(await sums(), before)
  const { rows } = await all.admin.query(`SELECT count(*) FROM ONLY ${await monthName(all, 5)}`)
  assert.equal(rows[0].count, 2)

  await usage(`now() - interval '9 months'`)
  const { rows: dropped } = await all.pools.keeper.query('SELECT drop_old_usage() AS dropped')
  assert.deepEqual(dropped[0].dropped, [await monthName(all, -8)])
  assert.ok((await partitions(all)).includes(await monthName(all, -5)))
  assert.equal((await sums()).count, 5)
  const { rows: runs } = await all.pools.keeper.query(
    'SELECT task, rows_affected, partitions FROM retention_runs ORDER BY id DESC LIMIT 2',
  )
  assert.deepEqual(runs[0], { task: 'drop_old_usage', rows_affected: 2, partitions: [await monthName(all, -8)] })
  assert.equal(runs[1].task, 'ensure_usage_partitions')
  assert.equal(runs[1].rows_affected, 5)
  // Rows written through the functions find their partition, and rows of Alice are hers alone wherever they are.
  const seen = await asUser(all.pools.api, alice.proof, (client) =>
    client.query('SELECT count(*) FROM service_usage_analytics'),
  )
  assert.equal(seen.rows[0].count, 5)
  await assert.rejects(all.pools.keeper.query('SELECT drop_old_usage(0)'), { code: '22023' })
  await assert.rejects(all.pools.runtime.query('SELECT drop_old_usage(6)'), { code: '42501' })
})

test('SI-05: expired results of validations are forgotten, and it is logged', async () => {
  const all = await platform()
  const alice = await all.newUser()
  await asUser(all.pools.api, alice.proof, (client) =>
    client.query(
      `INSERT INTO api_key_validation_cache (user_id, service_type, key_hash, is_valid, expires_at) SELECT $1, 'github', n::text, true, now() + (n - 2) * interval '1 hour' FROM generate_series(0, 4) n`,
      [alice.id],
    ),
  )
  assert.equal((await all.pools.keeper.query('SELECT cleanup_validation_cache() AS removed')).rows[0].removed, 3)
  const { rows } = await all.pools.keeper.query(
    'SELECT task, rows_affected FROM retention_runs ORDER BY id DESC LIMIT 1',
  )
  assert.deepEqual(rows, [{ task: 'cleanup_validation_cache', rows_affected: 3 }])
})

test('SI-03: usage is written in batches; what refers to nobody is left out and the rest is kept', async () => {
  const all = await platform()
  const [alice, gone] = [await all.newUser(), await all.newUser()]
  await all.admin.query('DELETE FROM users WHERE id = $1', [gone.id])
  const record = (user: typeof alice, over: object = {}) => ({
    userId: user.id,
    serviceType: 'github',
    instanceId: user.instanceId,
    endpoint: 'tool',
    method: 'tools/call',
    statusCode: 200,
    responseTimeMs: 1.6,
    errorCode: null,
    atMs: Date.now(),
    ...over,
  })
  const batch = [
    record(alice),
    record(gone),
    record(alice, { serviceType: 'nowhere' }),
    record(alice, { endpoint: 'x'.repeat(400), errorCode: 'CF13001' }),
  ]
  const write = async (records: object[]) =>
    (await all.pools.runtime.query('SELECT record_usage($1) AS written', [JSON.stringify(records)])).rows[0].written
  assert.equal(await write(batch), 2)
  assert.equal(await write([]), 0)
  const { rows } = await all.admin.query(
    'SELECT usage_count, last_used_at IS NOT NULL AS used FROM user_service_instances WHERE instance_id = $1',
    [alice.instanceId],
  )
  assert.deepEqual(rows, [{ usage_count: 3, used: true }])
  const { rows: written } = await all.admin.query(
    'SELECT length(endpoint) AS endpoint, response_time_ms, error_message FROM service_usage_analytics WHERE user_id = $1 ORDER BY 1',
    [alice.id],
  )
  assert.deepEqual(written, [
    { endpoint: 4, response_time_ms: 2, error_message: null },
    { endpoint: 255, response_time_ms: 2, error_message: 'CF13001' },
  ])
  // Somebody else's instance in a record counts for nobody.
  const bob = await all.newUser()
  await write([record(alice, { instanceId: bob.instanceId })])
  assert.equal(
    (await all.admin.query('SELECT usage_count FROM user_service_instances WHERE instance_id = $1', [bob.instanceId]))
      .rows[0].usage_count,
    0,
  )
  // Many batches over the same instances at once, in different orders.
  await Promise.all(
    Array.from({ length: 12 }, (_, n) => write(n % 2 ? [record(alice), record(bob)] : [record(bob), record(alice)])),
  )
  const { rows: counts } = await all.admin.query('SELECT usage_count FROM user_service_instances WHERE user_id = $1', [
    bob.id,
  ])
  assert.deepEqual(counts, [{ usage_count: 12 }])
})

test('SI-04: the summary shows a user their URLs, the dashboard counts over everybody', async () => {
  const all = await platform()
  const [alice, bob] = [await all.newUser(), await all.newUser()]
  await all.pools.keeper.query(
    `INSERT INTO platform_settings (key, value) VALUES ('base_url', 'https://mcp.example.org/') ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  )
  const seen = await asUser(all.pools.api, alice.proof, async (client) => {
    const summary = await client.query('SELECT instance_url, display_name, user_id FROM user_services_summary')
    const dashboard = await client.query(
      `SELECT active_users FROM service_health_dashboard WHERE service_type = 'github'`,
    )
    await client.query(`SELECT set_config('crossfade.base_url', 'http://127.0.0.1:7070', true)`)
    const local = await client.query('SELECT instance_url FROM user_services_summary')
    return { summary: summary.rows, dashboard: dashboard.rows, local: local.rows }
  })
  assert.equal(seen.summary.length, 1)
  assert.equal(seen.summary[0].instance_url, `https://mcp.example.org/${alice.instanceId}/github/`)
  assert.equal(seen.summary[0].user_id, alice.id)
  assert.deepEqual(seen.local, [{ instance_url: `http://127.0.0.1:7070/${alice.instanceId}/github/` }])
  const { rows } = await all.admin.query(
    `SELECT count(*) FROM user_service_instances WHERE service_type = 'github' AND is_active`,
  )
  assert.deepEqual(seen.dashboard, [{ active_users: rows[0].count }])
  assert.ok(rows[0].count >= 2, bob.id)
})

test('SI-01: the registry follows the catalog: rows added, changed, vanished and come back, ports swapped, health rows made', async () => {
  const all = await platform()
  const row = (serviceType: string, port: number, over: Partial<RegistryRow> = {}): RegistryRow => ({
    serviceType: serviceType as ServiceType,
    name: serviceType,
    displayName: serviceType.toUpperCase(),
    description: null,
    iconUrl: null,
    category: 'test',
    port,
    baseUrl: 'https://example.org',
    healthCheckEndpoint: '/',
    authType: 'api_key',
    authConfig: { label: 'Key' },
    serviceConfig: {},
    ...over,
  })
  const { rows: existing } = await all.admin.query('SELECT count(*) FROM service_registry WHERE is_available')
  const first = await syncRegistry(
    all.pools.keeper,
    [row('one', 60001), row('two', 60002), row('github', 70000)],
    'digest 1',
  )
  assert.equal(first.added, 2)
  assert.equal(first.changed, 1)
  assert.equal(first.vanished, existing[0].count - 1)
  assert.deepEqual(await syncRegistry(all.pools.keeper, [row('one', 60001), row('two', 60002), row('github', 70000)]), {
    added: 0,
    changed: 0,
    vanished: 0,
  })
  assert.deepEqual(await syncRegistry(all.pools.keeper, [row('one', 60002), row('two', 60001)]), {
    added: 0,
    changed: 2,
    vanished: 1,
  })
  // A port of a service that vanished goes to another; when that one comes back it has the port that the catalog says.
  assert.deepEqual(
    await syncRegistry(all.pools.keeper, [row('one', 70000, { description: 'new' }), row('two', 60001)]),
    { added: 0, changed: 1, vanished: 0 },
  )
  assert.deepEqual(await syncRegistry(all.pools.keeper, [row('one', 60002), row('two', 60001), row('github', 70000)]), {
    added: 0,
    changed: 2,
    vanished: 0,
  })
  const { rows } = await all.pools.keeper.query(
    `SELECT r.service_type, r.port, r.is_available, h.is_healthy FROM service_registry r JOIN service_health_status h USING (service_type) WHERE service_type IN ('one', 'two', 'github') ORDER BY 1`,
  )
  assert.deepEqual(rows, [
    { service_type: 'github', port: 70000, is_available: true, is_healthy: true },
    { service_type: 'one', port: 60002, is_available: true, is_healthy: true },
    { service_type: 'two', port: 60001, is_available: true, is_healthy: true },
  ])
})
