import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import type { InstanceId, ServiceType } from '@crossfade/model/platform-ids.ts'
import { changeInstance, removeInstance } from './change-instance.ts'
import { connect } from './connect.ts'
import { formInstanceId } from './instance-ids.ts'
import { createToken, listTokens, revokeToken, tokensMax } from './instance-tokens.ts'
import type { Credential, InstanceSession } from './session.ts'
import { openTestPlatform, serviceConfig, type TestPlatform, type TestUser } from './testing/platform.ts'

const figma = 'figma' as ServiceType
const zendesk = 'zendesk' as ServiceType
const figshare = 'figshare' as ServiceType
let platform: TestPlatform
/** How often the upstream was asked for its word on a key. */
let asked = 0

before(async () => {
  platform = await openTestPlatform(
    [
      serviceConfig(figma, 49160),
      serviceConfig(figshare, 49161),
      serviceConfig(zendesk, 49400, {
        baseUrl: 'https://{subdomain}.example.org',
        variables: { subdomain: { label: 'Subdomain', pattern: '[a-z]+' } },
        auth: { type: 'basic_auth', usernameLabel: 'E-mail', passwordLabel: 'Password', help: 'Yours.' },
      }),
    ],
    async (_service, credential) => {
      asked += 1
      const key = credential.kind === 'api_key' ? credential.apiKey : 'right'
      if (key.startsWith('wrong')) return { kind: 'invalid' }
      if (key.startsWith('away')) return { kind: 'unreachable', reason: 'connection refused' }
      return { kind: 'valid', accountLabel: `owner of ${key.slice(0, 5)}` }
    },
  )
})
after(() => platform.close())

test('SI-06 SI-09: a key that the upstream takes becomes an instance, with an id of the documented form and one token', async () => {
  const user = await platform.user()
  const { record, minted, outcome, verification } = await connect(platform.stores, user, figma, {
    apiKey: ' key of mine ',
  })
  assert.equal(outcome, 'connected')
  assert.equal(verification, 'valid')
  assert.match(record.instanceId, new RegExp(`^fig_user_${user.id.slice(0, 8)}_[0-9a-f]{6}$`))
  assert.equal(record.accountLabel, 'owner of key o')
  assert.match(minted!.secret, /^cfi_[A-Za-z0-9_-]{43}$/)
  const { directory } = await platform.worker()
  const session = await directory.open(record.instanceId, figma, { kind: 'bearer', secret: minted!.secret })
  assert.equal(session.userId, user.id)
  assert.deepEqual(await session.credential(), { kind: 'api_key', apiKey: 'key of mine', additional: {} })
  // The second time nothing is waited for.
  const again = directory.open(record.instanceId, figma, { kind: 'bearer', secret: minted!.secret })
  assert.equal(again, session)
  assert.ok(!(session.credential() instanceof Promise))
})

test('SI-09: a wrong key is named so, stores nothing, is audited, and is not asked about again', async () => {
  const user = await platform.user()
  const before = asked
  for (let time = 0; time < 2; time += 1) {
    await assert.rejects(connect(platform.stores, user, figma, { apiKey: 'wrong one', force: true }), {
      code: 'CF12010',
    })
  }
  assert.equal(asked, before + 1)
  const { rows } = await platform.admin.query('SELECT 1 FROM user_service_instances WHERE user_id = $1', [user.id])
  assert.equal(rows.length, 0)
  const audited = await platform.admin.query('SELECT action, outcome, details FROM audit_log WHERE user_id = $1', [
    user.id,
  ])
  assert.equal(audited.rows.length, 2)
  assert.deepEqual(audited.rows[0], { action: 'instance.connect', outcome: 'refused', details: { code: 'CF12010' } })
  const all = await platform.admin.query('SELECT a::text, c::text FROM audit_log a, api_key_validation_cache c')
  assert.ok(!JSON.stringify(all.rows).includes('wrong one'))
})

test('SI-09: many different wrong keys are stopped before the upstream is asked', async () => {
  const user = await platform.user()
  for (let n = 0; n < 10; n += 1) {
    await assert.rejects(connect(platform.stores, user, figma, { apiKey: `wrong ${n}` }), { code: 'CF12010' })
  }
  const before = asked
  await assert.rejects(connect(platform.stores, user, figma, { apiKey: 'wrong again' }), { code: 'CF12035' })
  assert.equal(asked, before)
})

test('SI-09: an upstream that does not answer stores nothing, unless it is forced, and then it says so', async () => {
  const user = await platform.user()
  await assert.rejects(connect(platform.stores, user, figma, { apiKey: 'away' }), (error: Failure) => {
    return error.code === 'CF12011' && error.retry && error.message.includes('connection refused')
  })
  const forced = await connect(platform.stores, user, figma, { apiKey: 'away', force: true })
  assert.equal(forced.verification, 'unreachable')
  assert.equal(forced.record.verified, false)
})

test('M07: replacing a key keeps id, tokens and settings, and touches no other instance', async () => {
  const user = await platform.user()
  const { record, minted } = await connect(platform.stores, user, figma, { apiKey: 'first' })
  await connect(platform.stores, user, figshare, { apiKey: 'other' })
  const service = platform.stores.catalog().services.get(figma)!
  await asUser(platform.api, user.proof, (client) =>
    changeInstance(client, service, { settings: { tools: ['whoami'], search: false } }),
  )
  const rest = () =>
    platform.admin.query(
      `SELECT to_jsonb(i) - 'updated_at' AS row FROM user_service_instances i WHERE user_id = $1 AND service_type = 'figshare'`,
      [user.id],
    )
  const before = await rest()
  const replaced = await connect(platform.stores, user, figma, { apiKey: 'second' })
  assert.equal(replaced.outcome, 'replaced')
  assert.equal(replaced.minted, null)
  assert.equal(replaced.record.instanceId, record.instanceId)
  assert.equal(replaced.record.credentialVersion, 2)
  assert.equal(replaced.record.settings.search, false)
  assert.deepEqual((await rest()).rows, before.rows)
  const { directory } = await platform.worker()
  const session = await directory.open(record.instanceId, figma, { kind: 'bearer', secret: minted!.secret })
  assert.equal(((await session.credential()) as { apiKey: string }).apiKey, 'second')
  const same = await connect(platform.stores, user, figma, { apiKey: 'second' })
  assert.equal(same.outcome, 'unchanged')
  assert.equal(same.record.credentialVersion, 2)
})

test('M07: two replacements and two first connections at the same time both come to an end, in one instance', async () => {
  const user = await platform.user()
  const first = await Promise.all(['a', 'b', 'c'].map((apiKey) => connect(platform.stores, user, figma, { apiKey })))
  assert.equal(new Set(first.map(({ record }) => record.instanceId)).size, 1)
  assert.equal(first.filter(({ outcome }) => outcome === 'connected').length, 1)
  const { rows } = await platform.admin.query(
    'SELECT credential_version FROM user_service_instances WHERE user_id = $1',
    [user.id],
  )
  assert.deepEqual(rows, [{ credential_version: 3 }])
})

test('SI-06: an id that is taken gets a longer digest', async () => {
  const user = await platform.user()
  const taken = formInstanceId(figma, user.id)
  // Another user of the same first eight characters holds it.
  const other = `${user.id.slice(0, 8)}-0000-4000-8000-000000000000`
  await platform.admin.query('INSERT INTO users (id, email) VALUES ($1, $2)', [other, `${other}@example.org`])
  await platform.admin.query(
    `INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key) VALUES ($1, $2, 'figma', '')`,
    [taken, other],
  )
  const { record } = await connect(platform.stores, user, figma, { apiKey: 'key' })
  assert.equal(record.instanceId, formInstanceId(figma, user.id, 8))
})

test('M08: what is replaced, revoked, paused or deleted stops on two workers by what the database tells', async () => {
  const user = await platform.user()
  const workers = [await platform.worker(), await platform.worker()]
  const { record, minted } = await connect(platform.stores, user, figma, { apiKey: 'first' })
  const open = async (secret: string): Promise<(Credential | string)[]> =>
    Promise.all(
      workers.map(({ directory }) =>
        outcomeOf(() => directory.open(record.instanceId, figma, { kind: 'bearer', secret })),
      ),
    )
  const key = (apiKey: string) => ({ kind: 'api_key', apiKey, additional: {} })
  assert.deepEqual(await open(minted!.secret), [key('first'), key('first')])

  await connect(platform.stores, user, figma, { apiKey: 'second' })
  await eventually(async () => assert.deepEqual(await open(minted!.secret), [key('second'), key('second')]))

  const second = await asUser(platform.api, user.proof, (client) => createToken(client, record.instanceId, {}))
  assert.deepEqual(await open(second.secret), [key('second'), key('second')])
  await asUser(platform.api, user.proof, (client) => revokeToken(client, record.instanceId, minted!.record.id))
  await eventually(async () => assert.deepEqual(await open(minted!.secret), ['CF12001', 'CF12001']))
  assert.deepEqual(await open(second.secret), [key('second'), key('second')])

  const service = platform.stores.catalog().services.get(figma)!
  await asUser(platform.api, user.proof, (client) => changeInstance(client, service, { active: false }))
  await eventually(async () => assert.deepEqual(await open(second.secret), ['CF12001', 'CF12001']))
  await asUser(platform.api, user.proof, (client) => changeInstance(client, service, { active: true }))
  await eventually(async () => assert.deepEqual(await open(second.secret), [key('second'), key('second')]))

  await platform.admin.query('UPDATE users SET is_active = false WHERE id = $1', [user.id])
  await eventually(async () => assert.deepEqual(await open(second.secret), ['CF12001', 'CF12001']))
  await platform.admin.query('UPDATE users SET is_active = true WHERE id = $1', [user.id])
  await platform.admin.query(
    "INSERT INTO sessions (user_id, token, expires_at) VALUES ($1, $2, now() + interval '1 day')",
    [user.id, (user.proof as { token: string }).token],
  )
  await eventually(async () => assert.deepEqual(await open(second.secret), [key('second'), key('second')]))
  await asUser(platform.api, user.proof, (client) => removeInstance(client, figma))
  await eventually(async () => assert.deepEqual(await open(second.secret), ['CF12001', 'CF12001']))
})

test('M08: a request that holds a session across a replaced key gets the new one, and none after it was revoked', async () => {
  const user = await platform.user()
  const { directory } = await platform.worker()
  const { record, minted } = await connect(platform.stores, user, figma, { apiKey: 'first' })
  const session = await directory.open(record.instanceId, figma, { kind: 'bearer', secret: minted!.secret })
  await session.credential()
  await connect(platform.stores, user, figma, { apiKey: 'second' })
  await eventually(async () => assert.equal(((await session.credential()) as { apiKey: string }).apiKey, 'second'))
  await asUser(platform.api, user.proof, (client) => revokeToken(client, record.instanceId, minted!.record.id))
  await assert.rejects(async () => session.credential(), { code: 'CF12001' })
})

test('SI-06: wrong secrets, kinds, ids and services all say the same, and guessing stops asking the database', async () => {
  const user = await platform.user()
  const { directory } = await platform.worker()
  const { record, minted } = await connect(platform.stores, user, figma, { apiKey: 'key' })
  const secret = minted!.secret
  const refused = [
    () => directory.open(record.instanceId, figma, { kind: 'bearer', secret: `${secret.slice(0, -2)}xx` }),
    () => directory.open(record.instanceId, figma, { kind: 'url', secret }),
    () => directory.open(record.instanceId, figma, { kind: 'url', secret: secret.replace('cfi_', 'cfu_') }),
    () => directory.open(record.instanceId, figshare, { kind: 'bearer', secret }),
    () => directory.open('fig_user_00000000_000000' as InstanceId, figma, { kind: 'bearer', secret }),
    () => directory.open(record.instanceId, figma, { kind: 'bearer', secret: 'eyJhbGciOiJub25lIn0.e30.' }),
    () => directory.open(record.instanceId, figma, { kind: 'bearer', secret: '' }),
  ]
  for (const open of refused) assert.equal(await outcomeOf(open), 'CF12001')
  const codes = new Set<unknown>()
  for (let n = 0; n < 60; n += 1) {
    const guess = `cfi_${String(n).padStart(43, '0')}`
    codes.add(await outcomeOf(() => directory.open(record.instanceId, figma, { kind: 'bearer', secret: guess })))
  }
  assert.deepEqual(codes, new Set(['CF12001', 'CF12003']))
  assert.ok(directory.statistics().lookups <= 30, String(directory.statistics().lookups))
})

test('SI-06: requests that come at once with a token not seen before share one look-up', async () => {
  const user = await platform.user()
  const { directory } = await platform.worker()
  const { record, minted } = await connect(platform.stores, user, figma, { apiKey: 'key' })
  const presented = { kind: 'bearer', secret: minted!.secret } as const
  const sessions = await Promise.all(
    Array.from({ length: 50 }, async () => directory.open(record.instanceId, figma, presented)),
  )
  assert.equal(new Set(sessions).size, 1)
  assert.equal(directory.statistics().lookups, 1)
})

test('M12: a URL secret is made only when asked for, opens only as a URL, and is listed and revoked like any other', async () => {
  const user = await platform.user()
  const { directory } = await platform.worker()
  const { record } = await connect(platform.stores, user, figma, { apiKey: 'key' })
  const url = await asUser(platform.api, user.proof, (client) =>
    createToken(client, record.instanceId, { kind: 'url', scopes: ['read'], expiresInDays: 1 }),
  )
  assert.match(url.secret, /^cfu_/)
  const session = await directory.open(record.instanceId, figma, { kind: 'url', secret: url.secret })
  assert.deepEqual([...session.scopes], ['read'])
  assert.equal(
    await outcomeOf(() => directory.open(record.instanceId, figma, { kind: 'bearer', secret: url.secret })),
    'CF12001',
  )
  const tokens = await asUser(platform.api, user.proof, (client) => listTokens(client, record.instanceId))
  assert.deepEqual(tokens.map(({ kind }) => kind).sort(), ['bearer', 'url'])
})

test('SI-06: a decrypted credential is forgotten when it was not used for its time; the session stays', async () => {
  const user = await platform.user()
  const { directory } = await platform.worker({ credentialTtlMs: 40 })
  const { record, minted } = await connect(platform.stores, user, figma, { apiKey: 'key' })
  const session = await directory.open(record.instanceId, figma, { kind: 'bearer', secret: minted!.secret })
  await session.credential()
  assert.equal(directory.statistics().decrypted, 1)
  await eventually(async () => assert.equal(directory.statistics().decrypted, 0))
  assert.equal(directory.statistics().sessions, 1)
  assert.equal(((await session.credential()) as { apiKey: string }).apiKey, 'key')
})

test('M04: two users with the same upstream key share nothing: each session is its own, and one revoked leaves the other', async () => {
  const { directory } = await platform.worker()
  const users = [await platform.user(), await platform.user()] as [TestUser, TestUser]
  const instances = await Promise.all(
    users.map((user) => connect(platform.stores, user, figma, { apiKey: 'shared key' })),
  )
  const open = (n: number, withTokenOf = n): Promise<unknown> =>
    outcomeOf(() =>
      directory.open(instances[n]!.record.instanceId, figma, {
        kind: 'bearer',
        secret: instances[withTokenOf]!.minted!.secret,
      }),
    )
  assert.notEqual(await open(0), 'CF12001')
  assert.equal(await open(1, 0), 'CF12001')
  assert.equal(await open(0, 1), 'CF12001')
  await asUser(platform.api, users[0].proof, (client) => removeInstance(client, figma))
  await eventually(async () => assert.equal(await open(0), 'CF12001'))
  assert.notEqual(await open(1), 'CF12001')
  const rows = await platform.admin.query('SELECT key_hash FROM api_key_validation_cache WHERE user_id = ANY($1)', [
    users.map(({ id }) => id),
  ])
  assert.equal(rows.rows.length, 1)
})

test('SI-06: services with variables and user names; fields that are missing or malformed are named', async () => {
  const user = await platform.user()
  const wish = { username: 'ann@example.org', password: '', variables: { subdomain: 'acme' } }
  for (const [change, field] of [
    [{ username: '' }, 'username'],
    [{ variables: {} }, 'variables.subdomain'],
    [{ variables: { subdomain: 'evil.org/' } }, 'variables.subdomain'],
    [{ apiKey: 'x' }, 'apiKey'],
    [{ additional: { more: 'x' } }, 'additional.more'],
    [{ password: 'a\r\nhost: b' }, 'password'],
  ] as const) {
    await assert.rejects(connect(platform.stores, user, zendesk, { ...wish, ...change }), (error: Failure) => {
      return error.code === 'CF12012' && error.details['field'] === field
    })
  }
  const { record, minted } = await connect(platform.stores, user, zendesk, wish)
  const { directory } = await platform.worker()
  const session = await directory.open(record.instanceId, zendesk, { kind: 'bearer', secret: minted!.secret })
  assert.deepEqual(session.settings.variables, { subdomain: 'acme' })
  const credential = { kind: 'basic_auth', username: 'ann@example.org', password: '', additional: {} }
  assert.deepEqual(await session.credential(), credential)
  await assert.rejects(connect(platform.stores, user, 'nowhere' as ServiceType, {}), { code: 'CF12013' })
})

test('SI-08: nobody sends a stored key to another host by changing settings: the variables change together with the key', async () => {
  const user = await platform.user()
  const wish = { username: 'ann@example.org', password: 'secret', variables: { subdomain: 'acme' } }
  const { record } = await connect(platform.stores, user, zendesk, wish)
  const service = platform.stores.catalog().services.get(zendesk)!
  const change = (variables: Record<string, string>) =>
    asUser(platform.api, user.proof, (client) => changeInstance(client, service, { settings: { variables } }))
  await assert.rejects(change({ subdomain: 'evil' }), { code: 'CF12017' })
  const { settings } = await change({ subdomain: 'acme' })
  assert.deepEqual(settings.variables, { subdomain: 'acme' })
  const moved = await connect(platform.stores, user, zendesk, { ...wish, variables: { subdomain: 'other' } })
  assert.equal(moved.record.instanceId, record.instanceId)
  assert.deepEqual(moved.record.settings.variables, { subdomain: 'other' })
})

test('SI-06: settings name tools that there are, each once, and an instance has a bounded number of tokens', async () => {
  const user = await platform.user()
  const { record, minted } = await connect(platform.stores, user, figma, { apiKey: 'key' })
  const service = platform.stores.catalog().services.get(figma)!
  for (const settings of [
    { tools: ['nothing'] },
    { overrides: { nothing: { title: 'x' } } },
    { tools: ['whoami', 'whoami'] },
  ])
    await assert.rejects(
      asUser(platform.api, user.proof, (client) => changeInstance(client, service, { settings })),
      { code: 'CF12017' },
    )
  await platform.admin.query(
    `INSERT INTO instance_tokens (instance_id, user_id, kind, secret_hash, name, scopes)
     SELECT $1::text, $2, 'bearer', sha256(convert_to($1::text || n, 'UTF8')), 'one', '{read}' FROM generate_series(2, $3::integer) n`,
    [record.instanceId, user.id, tokensMax],
  )
  const another = () => asUser(platform.api, user.proof, (client) => createToken(client, record.instanceId, {}))
  await assert.rejects(another(), { code: 'CF12017' })
  await asUser(platform.api, user.proof, (client) => revokeToken(client, record.instanceId, minted!.record.id))
  assert.match((await another()).secret, /^cfi_/)
})

/** The credential behind an opening, or the code of its refusal. */
async function outcomeOf(open: () => InstanceSession | Promise<InstanceSession>): Promise<Credential | string> {
  try {
    return await (await open()).credential()
  } catch (error) {
    return (error as Failure).code ?? String(error)
  }
}

/** Tries until it holds; fails with its last error. */
async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await check()
    } catch (error) {
      if (tries >= 3_000) throw error
      await sleep(10)
    }
  }
}
