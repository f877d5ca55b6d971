// Row-level security attacked by somebody who can run any SQL as the api role (as after an injection), and by the other roles.
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type pg from 'pg'
import { asUser } from './as-user.ts'
import { audit } from './audit.ts'
import { type TestPlatform, testPlatform } from './testing/test-platform.ts'

let made: Promise<TestPlatform> | undefined
const platform = () => (made ??= testPlatform())
after(async () => (await made)?.close())

const denied = { code: '42501' }
const userTables = [
  'user_service_instances',
  'instance_tokens',
  'api_tokens',
  'data_keys',
  'api_key_validation_cache',
  'service_usage_analytics',
  'audit_log',
] as const

/** Runs SQL in a transaction of Mallory's, which is rolled back. */
async function asAttacker<T>(
  all: TestPlatform,
  proof: Parameters<typeof asUser>[1],
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  let result: T | undefined
  const undo = new Error('undone')
  await assert.rejects(
    asUser(all.pools.api, proof, async (client) => {
      result = await work(client)
      throw undo
    }),
    (error: Error) => {
      if (error !== undo) throw error
      return true
    },
  )
  return result as T
}

/** A statement that must fail, without ending the transaction. */
async function refused(
  client: pg.ClientBase,
  text: string,
  values: unknown[] = [],
  expected: object = denied,
): Promise<void> {
  await client.query('SAVEPOINT attempt')
  await assert.rejects(client.query(text, values), expected, text)
  await client.query('ROLLBACK TO SAVEPOINT attempt')
}

async function users(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query('SELECT DISTINCT user_id FROM user_service_instances')
  return rows.map((row) => row.user_id)
}

test('SI-14 M03: a user sees and changes rows of their own only, in every table', async () => {
  const all = await platform()
  const [alice, mallory] = [await all.newUser(), await all.newUser()]
  for (const id of [alice.id, mallory.id]) {
    await all.admin.query(
      `INSERT INTO api_tokens (user_id, name, secret_hash, scopes) VALUES ($1::uuid, 'one', sha256($1::uuid::text::bytea), '{read}')`,
      [id],
    )
    await all.admin.query(
      `INSERT INTO data_keys (id, user_id, key_encryption_key_id, wrapped_key) VALUES (left($1::uuid::text, 20), $1::uuid, 'one', 'x')`,
      [id],
    )
    await all.admin.query(
      `INSERT INTO api_key_validation_cache (user_id, service_type, key_hash, is_valid) VALUES ($1, 'github', 'x', true)`,
      [id],
    )
    await all.admin.query(
      `INSERT INTO service_usage_analytics (user_id, service_type, instance_id) VALUES ($1, 'github', 'x')`,
      [id],
    )
    await asUser(all.pools.api, id === alice.id ? alice.proof : mallory.proof, (client) =>
      audit(client, { action: 'test', subject: 'x', outcome: 'done' }),
    )
  }
  await asAttacker(all, mallory.proof, async (client) => {
    for (const table of userTables) {
      const { rows } = await client.query(`SELECT DISTINCT user_id FROM ${table}`)
      assert.deepEqual(rows, [{ user_id: mallory.id }], table)
      const { rows: asked } = await client.query(`SELECT 1 FROM ${table} WHERE user_id = $1`, [alice.id])
      assert.deepEqual(asked, [], table)
    }
    const { rows } = await client.query('SELECT id, email FROM users')
    assert.deepEqual(
      rows.map((row) => row.id),
      [mallory.id],
    )
    assert.deepEqual((await client.query('SELECT DISTINCT user_id FROM user_services_summary')).rows, [
      { user_id: mallory.id },
    ])
    for (const statement of [
      `UPDATE user_service_instances SET config = '{}' WHERE user_id = $1`,
      'DELETE FROM user_service_instances WHERE user_id = $1',
      'UPDATE instance_tokens SET revoked_at = NULL WHERE user_id = $1',
      'DELETE FROM api_tokens WHERE user_id = $1',
    ]) {
      assert.equal((await client.query(statement, [alice.id])).rowCount, 0, statement)
    }
    // Giving a row to somebody else, or making one of theirs.
    await refused(client, 'UPDATE user_service_instances SET user_id = $1', [alice.id])
    await refused(
      client,
      `INSERT INTO api_tokens (user_id, name, secret_hash, scopes) VALUES ($1, 'mine', sha256('x'), '{read}')`,
      [alice.id],
    )
    await refused(
      client,
      `INSERT INTO data_keys (id, user_id, key_encryption_key_id, wrapped_key) VALUES ('aaaaaaaaaa', $1, 'one', 'x')`,
      [alice.id],
    )
    await refused(
      client,
      `INSERT INTO api_key_validation_cache (user_id, service_type, key_hash, is_valid) VALUES ($1, 'github', 'y', true) ON CONFLICT DO NOTHING`,
      [alice.id],
    )
    // A token that names Mallory as its owner and Alice's instance as what it opens.
    const stolen = `INSERT INTO instance_tokens (instance_id, user_id, kind, secret_hash, name, scopes) VALUES ($1, $2, 'bearer', sha256('stolen'), 'x', '{read}')`
    await refused(client, stolen, [alice.instanceId, mallory.id], { code: '23503' })
    await refused(client, stolen, [alice.instanceId, alice.id])
    // Columns that nobody but sign-in reads.
    await refused(client, 'SELECT password_hash FROM users')
    await refused(client, `UPDATE users SET role = 'admin'`)
  })
})

test('SI-14 SI-01: what somebody imported is seen, connected to and decided on by them alone', async () => {
  const all = await platform()
  const [alice, mallory] = [await all.newUser(), await all.newUser()]
  const service = `own-${alice.id.slice(0, 8)}`
  const digest = 'a'.repeat(64)
  await all.admin.query(
    `INSERT INTO service_registry (service_type, name, display_name, port, service_config)
     SELECT $1::text, $1, $1, max(port) + 1, jsonb_build_object('owner', $2::text) FROM service_registry`,
    [service, alice.id],
  )
  await all.admin.query(
    `INSERT INTO service_imports (service_type, user_id, file_name, findings) VALUES ($1, $2, 'own.yaml', '[]')`,
    [service, alice.id],
  )
  await all.admin.query(
    `INSERT INTO remote_tool_pins (service_type, tool_name, digest, definition, state) VALUES ($1, 'echo', $2, '{}', 'quarantined')`,
    [service, digest],
  )
  const seen = async (client: pg.ClientBase) => {
    const counts = []
    for (const rows of [
      'service_registry',
      'service_imports',
      'list_own_remote_tools($1)',
      'count_own_waiting_tools()',
    ])
      counts.push(
        (
          await client.query(
            `SELECT FROM ${rows} WHERE $1 = $1 AND ${rows.endsWith(')') ? true : 'service_type = $1'}`,
            [service],
          )
        ).rowCount,
      )
    return counts
  }
  const decide = async (client: pg.ClientBase, what: 'approve' | 'quarantine') =>
    (await client.query(`SELECT ${what}_own_remote_tool($1, 'echo', $2) AS done`, [service, digest])).rows[0].done
  await asAttacker(all, mallory.proof, async (client) => {
    assert.deepEqual(await seen(client), [0, 0, 0, 0])
    assert.deepEqual([await decide(client, 'approve'), await decide(client, 'quarantine')], [false, false])
    const connect = `INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key) VALUES ('own_user_1', $1, $2, 'x')`
    await refused(client, connect, [mallory.id, service])
    // Nor can it be made one's own.
    await refused(
      client,
      `INSERT INTO service_imports (service_type, user_id, file_name, findings) VALUES ('github', $1, 'x', '[]')`,
      [mallory.id],
    )
    await refused(client, 'UPDATE service_imports SET user_id = $1', [mallory.id])
    await refused(client, `UPDATE service_registry SET service_config = '{}' WHERE service_type = $1`, [service])
    await refused(client, `SELECT approve_remote_tool($1, 'echo', $2)`, [service, digest])
  })
  await asUser(all.pools.api, alice.proof, async (client) => {
    assert.deepEqual(await seen(client), [1, 1, 1, 1])
    assert.deepEqual([await decide(client, 'approve'), await decide(client, 'quarantine')], [true, true])
  })
})

test('SI-14: an id of another user can not be taken, and a refusal does not tell whether it exists', async () => {
  const all = await platform()
  const [alice, mallory] = [await all.newUser(), await all.newUser()]
  await asAttacker(all, mallory.proof, async (client) => {
    await client.query('DELETE FROM user_service_instances')
    const texts: string[] = []
    for (const id of [alice.instanceId, `git_user_${alice.id.slice(0, 8)}_ffffff`]) {
      await client.query('SAVEPOINT attempt')
      await client
        .query(
          `INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key) VALUES ($1, $2, 'github', '')`,
          [id, mallory.id],
        )
        .catch((error: pg.DatabaseError) => texts.push(`${error.code} ${error.message} ${error.constraint}`))
      await client.query('ROLLBACK TO SAVEPOINT attempt')
    }
    assert.equal(texts.length, 2)
    assert.equal(texts[0], texts[1])
    assert.match(texts[0]!, /^23514 .*user_service_instances_id_of_user$/)
  })
})

test('SI-14: the context can not be forged, replayed in another transaction, or carried to another connection', async () => {
  const all = await platform()
  const [alice, mallory] = [await all.newUser(), await all.newUser()]
  const contexts: string[] = []
  for (const user of [alice, mallory]) {
    await asUser(all.pools.api, user.proof, async (client) => {
      contexts.push((await client.query(`SELECT current_setting('crossfade.context') AS context`)).rows[0].context)
    })
  }
  const [ofAlice, ofMallory] = contexts as [string, string]
  const client = await all.pools.api.connect()
  try {
    await client.query('BEGIN')
    assert.deepEqual(await users(client), [])
    const forged = [
      ofAlice, // of an earlier transaction
      `${alice.id}${ofMallory.slice(36)}`, // another's signature
      `${alice.id}/`,
      alice.id,
      '',
      `${alice.id}/${'0'.repeat(64)}`,
      `${alice.id}/${createHash('sha256').update(alice.id).digest('hex')}`,
      `${ofAlice}\n`,
      ` ${ofAlice}`,
      ofAlice.toUpperCase(),
      `${ofAlice}' OR true --`,
    ]
    for (const context of forged) {
      for (const local of [true, false]) {
        await client.query(`SELECT set_config('crossfade.context', $1, $2)`, [context, local])
        assert.deepEqual(await users(client), [], context)
        assert.equal((await client.query('SELECT current_user_id() AS id')).rows[0].id, null)
      }
    }
    // While Alice's own transaction runs on another connection, her context is worth nothing on this one.
    await asUser(all.pools.api, alice.proof, async (hers) => {
      const { rows } = await hers.query(`SELECT current_setting('crossfade.context') AS context`)
      await client.query(`SELECT set_config('crossfade.context', $1, true)`, [rows[0].context])
      assert.deepEqual(await users(client), [])
      assert.deepEqual(await users(hers), [alice.id])
    })
    await client.query('COMMIT')
    // A context that was set for the session does not come alive in a transaction of somebody else.
    await client.query(`SELECT set_config('crossfade.context', $1, false)`, [ofAlice])
    assert.deepEqual(await users(client), [])
  } finally {
    client.release(true)
  }
  // Entered, then altered.
  await asAttacker(all, mallory.proof, async (attacker) => {
    const { rows } = await attacker.query(`SELECT current_setting('crossfade.context') AS context`)
    await attacker.query(`SELECT set_config('crossfade.context', $1, true)`, [
      `${alice.id}${rows[0].context.slice(36)}`,
    ])
    assert.deepEqual(await users(attacker), [])
    await refused(attacker, 'SELECT sign_context($1)', [alice.id])
    await refused(attacker, 'SELECT * FROM context_secret')
    await refused(attacker, 'TABLE role_passwords')
  })
})

test('SI-14: a proof that is unknown, expired, revoked or of an inactive user opens nothing', async () => {
  const all = await platform()
  const alice = await all.newUser()
  const secret = `cfp_${randomUUID()}`
  const hash = createHash('sha256').update(secret).digest()
  const { rows } = await all.admin.query(
    `INSERT INTO api_tokens (user_id, name, secret_hash, scopes) VALUES ($1, 'mine', $2, '{read}') RETURNING id`,
    [alice.id, hash],
  )
  const by = (proof: Parameters<typeof asUser>[1]) => asUser(all.pools.api, proof, async (_, userId) => userId)
  assert.equal(await by({ kind: 'api_token', secret }), alice.id)
  assert.equal(
    (await all.admin.query('SELECT last_used_at IS NOT NULL AS used FROM api_tokens WHERE id = $1', [rows[0].id]))
      .rows[0].used,
    true,
  )
  const nobody = { code: 'CF12501' }
  for (const proof of [
    { kind: 'session', token: '' },
    { kind: 'session', token: secret },
    { kind: 'api_token', secret: 'cfp_x' },
  ] as const)
    await assert.rejects(by(proof), nobody)
  await all.admin.query(`UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = $1`, [rows[0].id])
  await assert.rejects(by({ kind: 'api_token', secret }), nobody)
  await all.admin.query(`UPDATE api_tokens SET expires_at = NULL, revoked_at = now() WHERE id = $1`, [rows[0].id])
  await assert.rejects(by({ kind: 'api_token', secret }), nobody)
  await all.admin.query('UPDATE api_tokens SET revoked_at = NULL WHERE id = $1', [rows[0].id])
  await all.admin.query('UPDATE users SET is_active = false WHERE id = $1', [alice.id])
  await assert.rejects(by({ kind: 'api_token', secret }), nobody)
  await assert.rejects(by(alice.proof), nobody)
})

test('SI-14: the role can not become another, make objects that others run into, or reach functions of other roles', async () => {
  const all = await platform()
  const [alice, mallory] = [await all.newUser(), await all.newUser()]
  await asAttacker(all, mallory.proof, async (client) => {
    for (const role of [
      'crossfade_mcp_owner',
      'crossfade_mcp_keeper',
      'crossfade_mcp_runtime',
      'crossfade_mcp_accounts',
      'postgres',
      'pg_read_all_data',
    ]) {
      await refused(client, `SET ROLE ${role}`)
      await refused(client, `SET SESSION AUTHORIZATION ${role}`)
    }
    await client.query('RESET ROLE')
    await client.query('SET row_security = on')
    assert.deepEqual(await users(client), [mallory.id])
    // With row security off, PostgreSQL refuses the query instead of filtering it.
    await client.query('SET LOCAL row_security = off')
    await refused(client, 'SELECT * FROM user_service_instances')
    await client.query('SET LOCAL row_security = on')
    for (const statement of [
      'CREATE FUNCTION public.trap() RETURNS void LANGUAGE sql AS $$SELECT$$',
      'CREATE TABLE public.trap (x int)',
      'CREATE OPERATOR public.= (FUNCTION = uuid_eq, LEFTARG = uuid, RIGHTARG = text)',
      'CREATE SCHEMA trap',
      'CREATE EXTENSION dblink',
      'ALTER TABLE user_service_instances DISABLE ROW LEVEL SECURITY',
      'CREATE POLICY open ON user_service_instances USING (true)',
      'DROP POLICY own_rows ON user_service_instances',
      'ALTER TABLE user_service_instances OWNER TO crossfade_mcp_api',
      'GRANT crossfade_mcp_keeper TO crossfade_mcp_api',
      'TRUNCATE user_service_instances CASCADE',
      `COPY user_service_instances TO PROGRAM 'cat'`,
      `COPY (SELECT 1) TO '/tmp/out'`,
      'ALTER ROLE crossfade_mcp_api BYPASSRLS',
      'SELECT pg_read_file($$PG_VERSION$$)',
      'SELECT lo_import($$/etc/passwd$$)',
      `LOAD 'auto_explain'`,
      'TABLE sessions',
      'TABLE accounts',
      'TABLE verifications',
      'TABLE key_checks',
      'TABLE instance_data_keys',
      'TABLE service_usage_analytics_default',
      `SELECT open_instance_of_user('${alice.instanceId}', 'github', '${alice.id}')`,
      `SELECT find_data_key('x')`,
      `SELECT add_data_key('aaaaaaaaaa', '${alice.id}', 'x', 'x', 9)`,
      `SELECT record_usage('[]')`,
      `SELECT store_refreshed_credential('${alice.instanceId}', 1, '', '{}', NULL)`,
      `SELECT create_api_token_of('${alice.id}', 'x', sha256('x'), '{read}', NULL)`,
      `SELECT find_instance_owner('${alice.instanceId}', 'github')`,
      'SELECT drop_old_usage(1)',
    ])
      await refused(
        client,
        statement,
        [],
        (error: { code: string }) =>
          ['42501', '42502', '22023', '42883', '58P01'].includes(error.code) || assert.fail(error as never),
      )
    // Temporary objects in front of everything: the functions look at their own schemas only.
    await client.query('SET LOCAL search_path = pg_temp, public')
    await client.query(`CREATE TEMP TABLE sessions (user_id uuid, token text, expires_at timestamptz)`)
    await client.query(`CREATE TEMP TABLE users (id uuid, is_active boolean)`)
    await client.query(
      `CREATE TEMP TABLE context_secret AS SELECT true AS only_one, '\\x00'::bytea AS inner_pad, '\\x00'::bytea AS outer_pad`,
    )
    await client.query(`INSERT INTO pg_temp.sessions VALUES ($1, 'trap', now() + interval '1 day')`, [alice.id])
    await client.query('INSERT INTO pg_temp.users VALUES ($1, true)', [alice.id])
    await client.query(
      `CREATE FUNCTION pg_temp.current_user_id() RETURNS uuid LANGUAGE sql AS $$SELECT '${alice.id}'::uuid$$`,
    )
    await client.query(
      `CREATE FUNCTION pg_temp.sign_context(uuid) RETURNS text LANGUAGE sql AS $$SELECT repeat('0', 64)$$`,
    )
    assert.deepEqual(await users(client), [mallory.id])
    assert.equal((await client.query(`SELECT public.enter_session('trap') AS id`)).rows[0].id, null)
    await client.query(`SELECT set_config('crossfade.context', $1, true)`, [`${alice.id}/${'0'.repeat(64)}`])
    assert.deepEqual(await users(client), [])
  })
})

test('SI-14: COPY, cursors, prepared statements, views, EXPLAIN and functions that tell what they see leak nothing', async () => {
  const all = await platform()
  const [alice, mallory] = [await all.newUser(), await all.newUser()]
  await all.admin.query('ANALYZE')
  await asAttacker(all, mallory.proof, async (client) => {
    const notices: string[] = []
    client.on('notice', (notice) => notices.push(String(notice.message)))
    await client.query('DECLARE reader CURSOR FOR SELECT * FROM user_service_instances')
    assert.equal((await client.query('FETCH ALL reader')).rows.length, 1)
    await client.query('PREPARE reader AS SELECT * FROM user_service_instances')
    assert.equal((await client.query('EXECUTE reader')).rows.length, 1)
    await client.query('CREATE TEMP VIEW mine AS SELECT * FROM user_service_instances')
    assert.equal((await client.query('SELECT * FROM mine')).rows.length, 1)
    // A cheap function that shows its argument must not be called before the policy has spoken.
    await client.query(
      `CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END$$`,
    )
    await client.query('SELECT * FROM user_service_instances WHERE pg_temp.tell(encrypted_api_key)')
    await client.query('SELECT * FROM user_services_summary WHERE pg_temp.tell(instance_id)')
    assert.deepEqual(
      notices.filter((text) => !text.includes(mallory.id) && !text.includes(mallory.instanceId)),
      [],
    )
    assert.ok(notices.length >= 2)
    // An error that shows the value of a row it may not see.
    const { rows } = await client.query(
      `SELECT encrypted_api_key::text FROM user_service_instances WHERE user_id = $1 AND encrypted_api_key::int > 0`,
      [alice.id],
    )
    assert.deepEqual(rows, [])
    const { rows: plan } = await client.query(
      'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) SELECT * FROM user_service_instances',
    )
    assert.ok(!JSON.stringify(plan).includes(alice.id))
    // Statistics of columns hold values of all users: the view shows none where row security holds the reader.
    assert.deepEqual(
      (await client.query(`SELECT * FROM pg_stats WHERE tablename IN ('user_service_instances', 'instance_tokens')`))
        .rows,
      [],
    )
    assert.deepEqual(
      (
        await client.query(
          `SELECT query FROM pg_stat_activity WHERE query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()`,
          [String((alice.proof as { token: string }).token)],
        )
      ).rows,
      [],
    )
  })
})

test('SI-14: an administrator of the platform reads no credential of others, and not the trail of others either', async () => {
  const all = await platform()
  const [alice, admin] = [await all.newUser(), await all.newUser()]
  await all.admin.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [admin.id])
  await asAttacker(all, admin.proof, async (client) => {
    assert.deepEqual(await users(client), [admin.id])
    assert.deepEqual((await client.query('SELECT 1 FROM audit_log WHERE user_id = $1', [alice.id])).rows, [])
  })
})

test('SI-14: runtime, accounts and keeper read nothing that is not theirs', async () => {
  const all = await platform()
  const alice = await all.newUser()
  const readable = async (role: 'runtime' | 'accounts' | 'keeper', tables: readonly string[]) => {
    for (const table of tables)
      await assert.rejects(all.pools[role].query(`SELECT * FROM ${table}`), denied, `${role} ${table}`)
  }
  await readable('runtime', [
    ...userTables,
    'users',
    'sessions',
    'accounts',
    'verifications',
    'context_secret',
    'role_passwords',
    'key_checks',
    'user_services_summary',
    'migration_conflicts',
  ])
  await readable('accounts', [
    ...userTables,
    'service_registry',
    'context_secret',
    'role_passwords',
    'key_checks',
    'instance_data_keys',
    'user_services_summary',
  ])
  await readable('keeper', [
    'users',
    'sessions',
    'accounts',
    'verifications',
    'oauth_access_tokens',
    'api_tokens',
    'instance_tokens',
    'audit_log',
    'context_secret',
    'role_passwords',
    'key_checks',
    'api_key_validation_cache',
  ])
  // The keeper sees sealed texts, for rotation, and of an instance nothing that a person wrote.
  await assert.rejects(all.pools.keeper.query('SELECT config, account_label FROM user_service_instances'), denied)
  await assert.rejects(all.pools.keeper.query(`UPDATE user_service_instances SET user_id = user_id`), denied)
  await assert.rejects(all.pools.keeper.query(`INSERT INTO instance_tokens (instance_id) VALUES ('x')`), denied)
  for (const role of ['runtime', 'accounts', 'keeper'] as const) {
    await assert.rejects(all.pools[role].query(`SELECT enter_session('x')`), denied)
    await assert.rejects(all.pools[role].query('SET ROLE crossfade_mcp_owner'), denied)
    await assert.rejects(all.pools[role].query('CREATE TABLE trap (x int)'), denied)
  }
  // What the runtime can do: open by the right secret, and by nothing else.
  const open = async (...values: unknown[]) =>
    (await all.pools.runtime.query('SELECT * FROM open_instance($1, $2, $3, $4)', values)).rows
  assert.equal((await open(alice.instanceId, 'github', 'bearer', alice.secretHash))[0]?.user_id, alice.id)
  const other = await all.newUser()
  for (const wrong of [
    [other.instanceId, 'github', 'bearer', alice.secretHash],
    [alice.instanceId, 'figma', 'bearer', alice.secretHash],
    [alice.instanceId, 'github', 'url', alice.secretHash],
    [alice.instanceId, 'github', 'bearer', Buffer.alloc(32)],
    [alice.instanceId, 'github', 'bearer', null],
  ])
    assert.deepEqual(await open(...wrong), [])
})

test('SI-14: the audit log can be added to and nothing else, also by its owner', async () => {
  const all = await platform()
  const [alice, mallory] = [await all.newUser(), await all.newUser()]
  await asUser(all.pools.api, alice.proof, (client) =>
    audit(client, {
      action: 'key.replace',
      subject: alice.instanceId,
      outcome: 'done',
      details: { kind: 'api_key' },
      userId: mallory.id,
      sourceIp: '192.0.2.1',
    }),
  )
  await audit(all.pools.accounts, { action: 'sign_in', subject: alice.id, outcome: 'refused', userId: alice.id })
  const { rows } = await all.admin.query(
    'SELECT user_id, actor, action, outcome, host(source_ip) AS ip, details FROM audit_log WHERE user_id = $1 ORDER BY id',
    [alice.id],
  )
  assert.deepEqual(rows, [
    {
      user_id: alice.id,
      actor: 'user',
      action: 'key.replace',
      outcome: 'done',
      ip: '192.0.2.1',
      details: { kind: 'api_key' },
    },
    { user_id: alice.id, actor: 'accounts', action: 'sign_in', outcome: 'refused', ip: null, details: {} },
  ])
  await assert.rejects(audit(all.pools.api, { action: 'x', subject: 'x', outcome: 'done' }), denied)
  await assert.rejects(all.pools.runtime.query(`SELECT record_audit('x', 'x', '{}', 'done', NULL, NULL)`), denied)
  for (const statement of ['DELETE FROM audit_log', `UPDATE audit_log SET outcome = 'done'`, 'TRUNCATE audit_log']) {
    await assert.rejects(all.admin.query(statement), denied)
    await asAttacker(all, mallory.proof, (client) => refused(client, statement))
  }
})
