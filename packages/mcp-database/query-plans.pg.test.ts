// The plans of the look-ups that every request makes, as the server chose them on a filled database: read by auto_explain, inside functions too.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import pg from 'pg'
import { type TestPlatform, testPlatform } from './testing/test-platform.ts'

const users = 3_400
const instancesPerUser = 3
const usageRows = 20_000

interface Plan {
  'Node Type': string
  'Total Cost': number
  'Relation Name'?: string
  'Index Name'?: string
  'Subplans Removed'?: number
  Plans?: Plan[]
}

let made: Promise<TestPlatform> | undefined
after(async () => (await made)?.close())

/** One session of the superuser that can act as any role and hears the plan of every statement. */
async function explaining(url: string, as: string): Promise<{ client: pg.Client; plans: Plan[] }> {
  const client = new pg.Client({ connectionString: url })
  const plans: Plan[] = []
  client.on('notice', ({ message }) => {
    const json = message?.slice(message.indexOf('{'))
    if (json?.startsWith('{')) plans.push((JSON.parse(json) as { Plan: Plan }).Plan)
  })
  await client.connect()
  await client.query(`LOAD 'auto_explain'`)
  for (const [name, value] of Object.entries({
    'auto_explain.log_min_duration': '0',
    'auto_explain.log_nested_statements': 'on',
    'auto_explain.log_format': 'json',
    'auto_explain.log_level': 'notice',
  }))
    await client.query('SELECT set_config($1, $2, false)', [name, value])
  await client.query(`SET SESSION AUTHORIZATION ${as}`)
  return { client, plans }
}

function nodes(plans: readonly Plan[]): Plan[] {
  return plans.flatMap((plan) => [plan, ...nodes(plan.Plans ?? [])])
}

/** Tables read from end to end, but for the one that has one row and for partitions that are empty (which cost nothing). */
function sequential(plans: readonly Plan[]): string[] {
  return nodes(plans)
    .filter(
      (node) =>
        node['Node Type'] === 'Seq Scan' && node['Relation Name'] !== 'context_secret' && node['Total Cost'] > 0,
    )
    .map((node) => node['Relation Name']!)
}

function indexes(plans: readonly Plan[]): string[] {
  return nodes(plans).flatMap((node) => node['Index Name'] ?? [])
}

async function fill(all: TestPlatform): Promise<void> {
  await all.admin.query(`
    INSERT INTO service_registry (service_type, name, display_name, port) SELECT 'service' || n, 'x', 'x', 80000 + n FROM generate_series(1, 3000) n;
    INSERT INTO service_health_status (service_type, last_health_check) SELECT service_type, now() - interval '1 day' FROM service_registry ON CONFLICT DO NOTHING;
    UPDATE service_health_status SET last_health_check = CASE WHEN service_type LIKE 'service%7' AND length(service_type) = 9 THEN now() ELSE now() - interval '1 day' END;
    INSERT INTO users (id, email, role) SELECT md5('user' || n)::uuid, n || '@example.org', 'member' FROM generate_series(1, ${users}) n;
    INSERT INTO sessions (user_id, token, expires_at) SELECT md5('user' || n)::uuid, 'session ' || n, now() + interval '1 day' FROM generate_series(1, ${users}) n;
    INSERT INTO api_tokens (user_id, name, secret_hash, scopes) SELECT md5('user' || n)::uuid, 'x', sha256(n::text::bytea), '{read}' FROM generate_series(1, ${users}) n;
    INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key)
      SELECT 'ser_user_' || left(md5('user' || n), 8) || '_' || left(md5(m::text), 6), md5('user' || n)::uuid, 'service' || m, 'x' FROM generate_series(1, ${users}) n, generate_series(1, ${instancesPerUser}) m;
    INSERT INTO instance_tokens (instance_id, user_id, kind, secret_hash, name, scopes) SELECT instance_id, user_id, 'bearer', sha256(instance_id::bytea), 'x', '{read}' FROM user_service_instances;
    INSERT INTO data_keys (id, user_id, key_encryption_key_id, wrapped_key) SELECT 'data-key-' || n, md5('user' || n)::uuid, 'one', 'x' FROM generate_series(1, ${users}) n;
    INSERT INTO audit_log (user_id, actor, action, subject, outcome) SELECT md5('user' || 1 + n % ${users})::uuid, 'user', 'x', 'x', 'done' FROM generate_series(1, ${users} * 5) n;
    INSERT INTO service_usage_analytics (user_id, service_type, instance_id, "timestamp")
      SELECT md5('user' || 1 + n % ${users})::uuid, 'service1', 'x', date_trunc('month', now(), 'UTC') - interval '2 minutes' * n - interval '2 days' FROM generate_series(1, ${usageRows}) n;
    SELECT ensure_usage_partitions(3)`)
  await all.admin.query('VACUUM ANALYZE')
}

test('SI-03 SI-19: hot look-ups go by an index on a database of more than 10,000 instances, and usage of a day reads its partitions only', async () => {
  made = testPlatform()
  const all = await made
  await fill(all)
  const user = createHash('md5')
    .update('user77')
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  const instance = `ser_user_${user.slice(0, 8)}_${createHash('md5').update('2').digest('hex').slice(0, 6)}`
  const hash = createHash('sha256').update(instance).digest()

  const runtime = await explaining(all.url, 'crossfade_mcp_runtime')
  const api = await explaining(all.url, 'crossfade_mcp_api')
  const keeper = await explaining(all.url, 'crossfade_mcp_keeper')
  const planOf = async (session: typeof api, text: string, values: unknown[] = [], rows?: number) => {
    session.plans.splice(0)
    const result = await session.client.query(text, values)
    if (rows !== undefined) assert.equal(result.rows.length, rows, text)
    assert.ok(session.plans.length > 0)
    assert.deepEqual(sequential(session.plans), [], `${text}\n${JSON.stringify(session.plans)}`)
    return { used: indexes(session.plans), plans: [...session.plans] }
  }
  try {
    // Six times, so that the plan which is kept for all values is seen too.
    for (let time = 0; time < 6; time += 1) {
      const opened = await planOf(
        runtime,
        'SELECT * FROM open_instance($1, $2, $3, $4)',
        [instance, 'service2', 'bearer', hash],
        1,
      )
      // By the token or the instance, the user, or both: each is a handful of rows.
      assert.ok(opened.used.length >= 3, JSON.stringify(opened.plans))
      await planOf(runtime, 'SELECT * FROM open_instance_of_user($1, $2, $3)', [instance, 'service2', user], 1)
      await planOf(runtime, 'SELECT * FROM find_data_key($1)', ['data-key-77'], 1)
      await planOf(runtime, 'SELECT * FROM use_data_key($1, 100)', [user], 1)
    }
    await api.client.query('BEGIN')
    await planOf(api, 'SELECT enter_session($1)', ['session 77'])
    await planOf(api, 'SELECT enter_api_token($1)', [createHash('sha256').update('77').digest()])
    // The policy is evaluated once and finds the user's rows by their index.
    await planOf(
      api,
      'SELECT instance_id, service_type FROM user_service_instances WHERE is_active',
      [],
      instancesPerUser,
    )
    await planOf(
      api,
      'SELECT instance_id, service_type FROM user_service_instances WHERE user_id = $1 AND is_active',
      [user],
      instancesPerUser,
    )
    await planOf(api, 'SELECT * FROM instance_tokens', [], instancesPerUser)
    await planOf(api, 'SELECT * FROM audit_log ORDER BY id DESC LIMIT 50', [], 5)
    await planOf(api, 'SELECT * FROM data_keys', [], 1)
    await planOf(api, `SELECT count(*) FROM service_usage_analytics WHERE "timestamp" > now() - interval '24 hours'`)
    await api.client.query('COMMIT')

    await planOf(
      keeper,
      `SELECT service_type, is_healthy, response_time_ms FROM service_health_status WHERE last_health_check > now() - interval '5 minutes'`,
    )
    const { rows } = await all.admin.query(
      `SELECT 'service_usage_analytics_' || to_char(now() AT TIME ZONE 'UTC' - interval '3 months', '"y"YYYY"m"MM') AS old`,
    )
    keeper.plans.splice(0)
    await keeper.client.query(
      `SELECT service_type, count(*), avg(response_time_ms) FROM service_usage_analytics WHERE "timestamp" > now() - interval '24 hours' GROUP BY 1`,
    )
    const read = nodes(keeper.plans).map((node) => node['Relation Name'])
    assert.ok(!read.includes(rows[0].old))
    assert.ok(
      nodes(keeper.plans).some((node) => (node['Subplans Removed'] ?? 0) >= 1),
      JSON.stringify(keeper.plans),
    )
    const { used, plans } = await planOf(
      keeper,
      `SELECT service_type, count(*), avg(response_time_ms) FROM service_usage_analytics
       WHERE "timestamp" > date_trunc('month', now(), 'UTC') - interval '10 days' AND "timestamp" < date_trunc('month', now(), 'UTC') - interval '9 days' GROUP BY 1`,
    )
    assert.ok(
      used.some((name) => /_timestamp_idx\d*$/.test(name)),
      JSON.stringify(plans),
    )
    await planOf(
      keeper,
      `SELECT DISTINCT k.user_id, r.instance_id FROM data_keys k JOIN instance_data_keys r ON r.data_key_id = k.id
       WHERE k.state = 'retired' ORDER BY k.user_id, r.instance_id LIMIT 50`,
    ).catch((error: Error) => {
      // Empty, the table of references may be read as it is.
      if (!error.message.includes('instance_data_keys')) throw error
    })
  } finally {
    for (const { client } of [runtime, api, keeper]) await client.end()
  }
})
