import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { migratePlatform } from './migrate.ts'
import { openPool } from './pool.ts'
import { preparePlatform } from './roles.ts'
import { collidingIds, createLegacyPlatform, legacyTypes, md5, registeredTypes } from './testing/legacy-platform.ts'

const seed = testSeed()
const users = 8_000
const instances = 50_000

interface LegacyRow {
  id: string
  user_id: string
  type: string
  is_active: boolean
  encrypted_credentials: string | null
  config: unknown
  created: string | null
  updated: string | null
}

/** The registry as the tests know it; services that 009 brought are kept. */
const register = `INSERT INTO service_registry (service_type, name, display_name, port)
  SELECT name, name, name, 70000 + row_number() OVER () FROM unnest($1::text[]) AS name ON CONFLICT (service_type) DO NOTHING`

test(`SI-15: 50,000 legacy instances move into the new tables, each accounted for, and back again (seed ${seed})`, async (t) => {
  const database = await freshDatabase(await sharedTestCluster(18), 'legacy')
  const admin = openPool(database.url, { applicationName: 'test', connectionsMax: 2 })
  t.after(async () => {
    await admin.end()
    await database.drop()
  })
  const client = await admin.connect()
  await createLegacyPlatform(client, { seed, users, instances })
  // One user's figma and figshare whose ids by the first design's formula are the same, and another user's whose 12 digits are taken as well.
  const { rows: people } = await client.query<{ id: string }>('SELECT id FROM users ORDER BY email LIMIT 2')
  const [one, two] = collidingIds(seed)
  const [three, four] = collidingIds(seed + 1)
  await client.query('DELETE FROM mcp_instances WHERE user_id = ANY ($1)', [people.map(({ id }) => id)])
  const add = (id: string, person: number, type: string) =>
    client.query(
      `INSERT INTO mcp_instances (id, user_id, mcp_type_id, name, is_active, encrypted_credentials)
       SELECT $1, $2, id, 'one', true, 'legacy:collision' FROM mcp_types WHERE name = $3`,
      [id, people[person]!.id, type],
    )
  await add(one, 0, 'figma')
  await add(two, 0, 'figshare')
  await add(three, 1, 'figma')
  await add(four, 1, 'figshare')
  client.release()

  await assert.rejects(preparePlatform(database.url), { code: 'CF12503' })
  assert.equal((await admin.query(`SELECT to_regclass('mcp_instances') IS NOT NULL AS kept`)).rows[0].kept, true)

  await migratePlatform(database.url, { to: 9 })
  await admin.query(register, [[...registeredTypes, 'figjam', 'figbox']])
  // Connected on the new platform before the old rows came: kept as it is, and its id is not taken.
  const stem = `fig_user_${people[1]!.id.slice(0, 8)}_`
  const [lower, higher] = three < four ? [three, four] : [four, three]
  await admin.query(
    `INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key) VALUES ($1, $3, 'figjam', ''), ($2, $3, 'figbox', '')`,
    [stem + md5(lower).slice(0, 6), stem + md5(lower).slice(0, 12), people[1]!.id],
  )
  const legacy = await readLegacy(admin, 'mcp_instances', 'mcp_types')
  const startedMs = performance.now()
  await migratePlatform(database.url, { legacy: 'migrate', to: 14 })
  t.diagnostic(`moved ${legacy.length} rows in ${Math.round(performance.now() - startedMs)} ms`)

  const { expected, reasons } = expectedOf(legacy, [...registeredTypes])
  const { rows: moved } = await admin.query(
    `SELECT m.legacy_id, u.instance_id, u.user_id, u.service_type, u.encrypted_api_key, u.config, u.credential_kind, u.credential_state, u.is_active,
       (u.updated_at AT TIME ZONE 'UTC')::text AS updated FROM migrated_instances m JOIN user_service_instances u USING (instance_id)`,
  )
  assert.equal(moved.length, expected.size)
  for (const row of moved) {
    const source = expected.get(row.legacy_id)!
    assert.ok(source, `${row.legacy_id} should not have been moved`)
    assert.deepEqual(
      [row.user_id, row.service_type, row.encrypted_api_key, row.config, row.updated, row.is_active],
      [source.user_id, source.service, source.encrypted_credentials, source.config ?? {}, source.updated, true],
    )
    assert.deepEqual([row.credential_kind, row.credential_state], ['legacy', 'needs_authorization'])
    const prefix = source.service.slice(0, 3).replaceAll('_', '-')
    const digest = md5(row.legacy_id)
    const form = new RegExp(`^${prefix}_user_${source.user_id.slice(0, 8)}_([0-9a-f]{6}|[0-9a-f]{12}|[0-9a-f]{32})$`)
    assert.ok(digest.startsWith(form.exec(row.instance_id)?.[1] ?? '-'), row.instance_id)
  }
  const idOf = new Map(moved.map((row) => [row.legacy_id, row.instance_id as string]))
  assert.deepEqual([one, two].map((id) => idOf.get(id)!.split('_')[3]!.length).sort(), [12, 6].sort())
  assert.equal(idOf.get(lower)!.split('_')[3], md5(lower))
  assert.equal(idOf.get(higher)!.split('_')[3], md5(higher).slice(0, 12))
  const { rows: conflicts } = await admin.query('SELECT legacy_id, reason, winner_id FROM migration_conflicts')
  assert.deepEqual(new Map(conflicts.map((row) => [row.legacy_id, row.reason])), reasons)
  for (const row of conflicts) if (row.reason === 'newer_instance') assert.ok(expected.has(row.winner_id))

  // Somebody connects again on the new platform; then everything goes back, and comes again.
  const kept = moved[0]
  await admin.query(
    `UPDATE user_service_instances SET encrypted_api_key = 'v1', credential_kind = 'api_key' WHERE instance_id = $1`,
    [kept.instance_id],
  )
  await migratePlatform(database.url, { direction: 'down', to: 9 })
  assert.deepEqual(await readLegacy(admin, 'mcp_instances', 'mcp_types'), legacy)
  const { rows: constraints } = await admin.query(
    `SELECT conname FROM pg_constraint WHERE conrelid IN ('mcp_instances'::regclass, 'mcp_types'::regclass) AND contype IN ('p', 'f', 'u') ORDER BY 1`,
  )
  assert.deepEqual(
    constraints.map((row) => row.conname),
    [
      'mcp_instances_access_token_key',
      'mcp_instances_mcp_type_id_fkey',
      'mcp_instances_pkey',
      'mcp_instances_user_id_fkey',
      'mcp_types_name_key',
      'mcp_types_pkey',
    ],
  )
  assert.equal((await admin.query('SELECT count(*) FROM user_service_instances')).rows[0].count, 3)
  await migratePlatform(database.url, { legacy: 'migrate' })
  const { rows: again } = await admin.query('SELECT m.legacy_id, m.instance_id FROM migrated_instances m')
  assert.deepEqual(
    new Map(again.map((row) => [row.legacy_id, row.instance_id])),
    new Map([...idOf].filter(([id]) => id !== kept.legacy_id)),
  )
  const { rows: connected } = await admin.query('SELECT reason FROM migration_conflicts WHERE legacy_id = $1', [
    kept.legacy_id,
  ])
  assert.deepEqual(connected, [{ reason: 'already_connected' }])
  assert.equal(legacyTypes.length, 15)
})

async function readLegacy(
  admin: { query: (text: string) => Promise<{ rows: unknown[] }> },
  instanceTable: string,
  typeTable: string,
): Promise<LegacyRow[]> {
  const { rows } = await admin.query(
    `SELECT i.id, i.user_id, t.name AS type, i.is_active, i.encrypted_credentials, i.config, i.created_at::text AS created, i.updated_at::text AS updated
     FROM ${instanceTable} i JOIN ${typeTable} t ON t.id = i.mcp_type_id ORDER BY i.id`,
  )
  return rows as LegacyRow[]
}

/** The same decisions by another way: in order, in JavaScript. */
function expectedOf(rows: readonly LegacyRow[], services: readonly string[]) {
  const reasons = new Map<string, string>()
  const best = new Map<string, LegacyRow & { service: string }>()
  const better = (a: LegacyRow, b: LegacyRow) =>
    [
      [a.updated ?? '', b.updated ?? ''],
      [a.created ?? '', b.created ?? ''],
      [a.id, b.id],
    ]
      .map(([x, y]) => (x! < y! ? -1 : x! > y! ? 1 : 0))
      .find((order) => order !== 0) === 1
  for (const row of rows) {
    if (!row.is_active) continue
    const service = services.find((name) => name === row.type.trim().toLowerCase())
    if (service === undefined) reasons.set(row.id, 'unknown_service')
    else if ((row.encrypted_credentials ?? '').trim() === '') reasons.set(row.id, 'no_credential')
    else {
      const key = `${row.user_id}/${service}`
      const held = best.get(key)
      if (held && !better(row, held)) reasons.set(row.id, 'newer_instance')
      else {
        if (held) reasons.set(held.id, 'newer_instance')
        best.set(key, { ...row, service })
      }
    }
  }
  return { expected: new Map([...best.values()].map((row) => [row.id, row])), reasons }
}

test('SI-15: on a database without legacy tables, 010 and 011 do nothing, and every migration goes down and up again', async () => {
  for (const version of [14, 18] as const) {
    const database = await freshDatabase(await sharedTestCluster(version), 'fresh')
    const admin = openPool(database.url, { applicationName: 'test', connectionsMax: 1 })
    try {
      await Promise.all([preparePlatform(database.url), preparePlatform(database.url)])
      const shape = await shapeOf(admin)
      await migratePlatform(database.url, { direction: 'down', to: 0 })
      const { rows } = await admin.query(
        `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') ORDER BY 1`,
      )
      assert.deepEqual(
        rows.map((row) => row.relname),
        ['crossfade_mcp_schema_version', 'users'],
      )
      const { rows: functions } = await admin.query(
        `SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace`,
      )
      assert.deepEqual(functions, [])
      await migratePlatform(database.url)
      const again = await shapeOf(admin)
      assert.deepEqual(
        again.filter((line) => !shape.includes(line)),
        [],
      )
      assert.equal(again.length, shape.length)
      const names = (await admin.query('SELECT name FROM crossfade_mcp_schema_version ORDER BY id')).rows.map(
        (row) => row.name as string,
      )
      assert.deepEqual(names, names.toSorted())
    } finally {
      await admin.end()
      await database.drop()
    }
  }
})

/** Tables, columns, constraints, indexes, policies and rights: what must be the same after the way down and up. */
async function shapeOf(admin: { query: (text: string) => Promise<{ rows: unknown[] }> }): Promise<string[]> {
  const { rows } = await admin.query(`
    SELECT c.relname::text AS thing, c.relkind::text, coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))::text AS rights, c.relrowsecurity, c.relforcerowsecurity,
      (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || a.attnotnull || coalesce(a.attacl::text, ''), ',' ORDER BY a.attname)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
      (SELECT string_agg(conname::text || pg_get_constraintdef(oid), ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid) AS constraints,
      (SELECT string_agg(polname || polcmd::text, ',' ORDER BY polname) FROM pg_policy WHERE polrelid = c.oid) AS policies,
      (SELECT string_agg(tgname, ',' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS triggers
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT p.oid::regprocedure::text, 'f', coalesce(p.proacl::text, ''), p.prosecdef, false, array_to_string(p.proconfig, ','), md5(p.prosrc), NULL, NULL
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    ORDER BY 1`)
  return rows.map((row) => JSON.stringify(row))
}
