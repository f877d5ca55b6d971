import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { localKeyRing } from '@crossfade/vault/key-ring.ts'
import type pg from 'pg'
import { createToken } from '../instances/instance-tokens.ts'
import type { Credential, InstanceSession } from '../instances/session.ts'
import {
  openTestPlatform,
  serviceConfig,
  type TestPlatform,
  type TestUser,
  type TestWorker,
} from '../instances/testing/platform.ts'
import { createTokenTransport, type TokenTransport } from './authorization-server.ts'
import {
  type ActingInBrowser,
  type AuthorizationFailed,
  type AuthorizationStores,
  expiryOf,
  finishAuthorization,
  startAuthorization,
} from './authorize.ts'
import { createTokenRefresher } from './refresh.ts'
import { listClients, removeClient, rewrapClients, storeClient } from './stored-clients.ts'
import { startAuthorizationServer, type TestAuthorizationServer } from './testing/authorization-server.ts'
import { clientFor, clientVariable, configuredClients } from './upstream-clients.ts'

const github = 'github' as ServiceType
const slack = 'slack' as ServiceType
const baseUrl = 'https://platform.example.org'
let platform: TestPlatform
let server: TestAuthorizationServer
let transport: TokenTransport
let stores: AuthorizationStores
const pools: pg.Pool[] = []

before(async () => {
  server = await startAuthorizationServer((uri) =>
    /^https:\/\/platform\.example\.org\/api\/v1\/oauth\/callback\/\w+$/.test(uri),
  )
  const auth = {
    type: 'oauth2',
    authorizationUrl: `${server.url}/authorize`,
    tokenUrl: `${server.url}/token`,
    scopes: ['read', 'write'],
    clientAuthentication: 'basic',
    send: { in: 'header', name: 'authorization', prefix: 'Bearer ' },
  } as const
  platform = await openTestPlatform(
    [
      serviceConfig(github, 49294, { auth: { ...auth, scopes: [...auth.scopes] }, baseUrl: server.url }),
      serviceConfig(slack, 49320, {
        auth: { ...auth, scopes: ['chat'], clientAuthentication: 'body', authorizationParameters: { user: 'slacker' } },
        baseUrl: server.url,
      }),
    ],
    async (_service, credential) => {
      const accessToken = credential.kind === 'oauth2' ? credential.accessToken : ''
      const answer = await fetch(`${server.url}/me`, { headers: { authorization: `Bearer ${accessToken}` } })
      const { login } = (await answer.json()) as { login: string }
      return answer.ok ? { kind: 'valid', accountLabel: login } : { kind: 'invalid' }
    },
  )
  transport = createTokenTransport({ allowedPrivateHosts: [server.host] })
  const environment = {
    CROSSFADE_MCP_OAUTH_GITHUB_CLIENT_ID: server.clientId,
    CROSSFADE_MCP_OAUTH_GITHUB_CLIENT_SECRET: server.clientSecret,
    CROSSFADE_MCP_OAUTH_SLACK_CLIENT_ID: server.clientId,
    CROSSFADE_MCP_OAUTH_SLACK_CLIENT_SECRET: server.clientSecret,
  }
  stores = { ...platform.stores, clients: configuredClients(environment, null), transport, baseUrl }
})
after(async () => {
  await platform.close()
  for (const pool of pools) await pool.end()
  await transport.close()
  await server.close()
})

const inBrowser = (user: TestUser): ActingInBrowser => user as unknown as ActingInBrowser

/** What the browser brings back from the consent page. */
async function consent(start: URL): Promise<URLSearchParams> {
  const answer = await fetch(start, { redirect: 'manual' })
  assert.equal(answer.status, 302, await answer.text())
  return new URL(answer.headers.get('location')!).searchParams
}

async function authorize(user: TestUser, service = github) {
  const start = await startAuthorization(stores, inBrowser(user), service, { returnTo: '/back' })
  return finishAuthorization(stores, inBrowser(user), service, await consent(start))
}

test('SI-09: a service that one person imported is never told the client of the installation, whatever it is called', async () => {
  const user = await platform.user()
  const catalog = stores.catalog()
  const service = catalog.services.get(github)!
  const owned = { ...service, config: { ...service.config, owner: user.id } }
  const services = new Map([...catalog.services, [github, owned]])
  const hostile = { ...stores, catalog: () => ({ ...catalog, services }) }
  await assert.rejects(startAuthorization(hostile, inBrowser(user), github, { returnTo: '/' }), { code: 'CF12021' })
  // `google-drive` and `google_drive` would have one variable.
  assert.equal(clientVariable('google-drive' as ServiceType), clientVariable('google_drive' as ServiceType))
  assert.equal(await clientFor(stores.clients, owned.config), null)
  assert.equal((await clientFor(stores.clients, service.config))?.clientId, server.clientId)
})

/** A worker that renews tokens. */
async function renewingWorker(): Promise<TestWorker> {
  const runtime = openPool(platform.urls.runtime, { applicationName: 'test renewals', connectionsMax: 4 })
  const locks = openPool(platform.urls.runtime, { applicationName: 'test locks', connectionsMax: 2 })
  pools.push(runtime, locks)
  const { vault, catalog } = stores
  return platform.worker({
    refresher: createTokenRefresher({
      runtime,
      locks,
      vault,
      catalog,
      clients: stores.clients,
      transport,
    }),
  })
}

async function open(worker: TestWorker, user: TestUser, service = github): Promise<InstanceSession> {
  const { rows } = await platform.admin.query(
    'SELECT instance_id FROM user_service_instances WHERE user_id = $1 AND service_type = $2',
    [user.id, service],
  )
  return worker.directory.openForUser(rows[0].instance_id, service, user.id)
}

/** Lets the access token of a user end at another time, as the database knows it; workers that hold a session have heard of it afterwards. */
async function endAccess(user: TestUser, sql: string, ...workers: TestWorker[]): Promise<void> {
  await platform.admin.query(`UPDATE user_service_instances SET token_expires_at = ${sql} WHERE user_id = $1`, [
    user.id,
  ])
  for (const { directory } of workers) {
    for (let tries = 0; directory.statistics().sessions > 0; tries += 1) {
      assert.ok(tries < 6_000, 'a worker was not told')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

const tokenOf = async (session: InstanceSession): Promise<string> =>
  ((await session.credential()) as Extract<Credential, { kind: 'oauth2' }>).accessToken

test('SI-09: a walk through the consent page ends in an instance with the account’s name, and no token that nobody would see', async () => {
  const user = await platform.user()
  const done = await authorize(user)
  assert.equal(done.outcome, 'connected')
  assert.equal(done.returnTo, '/back')
  assert.equal(done.minted, null)
  assert.equal(done.record.accountLabel, 'somebody')
  assert.equal(done.record.state, 'active')
  const { rows } = await platform.admin.query(
    'SELECT to_jsonb(i) AS row FROM user_service_instances i WHERE user_id = $1',
    [user.id],
  )
  assert.ok(!JSON.stringify(rows).includes('access-'), 'the token stands in the table as it is')
  const worker = await renewingWorker()
  const minted = await asUser(platform.api, user.proof, (client) => createToken(client, done.record.instanceId, {}))
  const session = await worker.directory.open(done.record.instanceId, github, { kind: 'bearer', secret: minted.secret })
  assert.match(await tokenOf(session), /^access-somebody-/)
})

test('SI-09: scopes, further parameters and the way a client authenticates are those of the service', async () => {
  const user = await platform.user()
  const start = await startAuthorization(stores, inBrowser(user), slack, { returnTo: '/' })
  assert.equal(start.searchParams.get('scope'), 'chat')
  assert.equal(start.searchParams.get('redirect_uri'), `${baseUrl}/api/v1/oauth/callback/slack`)
  assert.equal(start.searchParams.get('code_challenge_method'), 'S256')
  const done = await finishAuthorization(stores, inBrowser(user), slack, await consent(start))
  assert.equal(done.record.accountLabel, 'slacker')
})

test('SI-09 M07: authorizing again replaces the token and leaves id and tokens as they are', async () => {
  const user = await platform.user()
  const first = await authorize(user)
  const second = await authorize(user)
  assert.equal(second.outcome, 'replaced')
  assert.equal(second.record.instanceId, first.record.instanceId)
  assert.equal(second.record.credentialVersion, 2)
})

test('confused deputy: a state of A is nothing to B, to another session of A, a second time, or to another service', async () => {
  const [alice, bob] = [await platform.user('alice'), await platform.user('bob')]
  const begin = async () => consent(await startAuthorization(stores, inBrowser(alice), github, { returnTo: '/' }))
  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: Failure) => error.code,
    )
  const stolen = await begin()
  assert.equal(await codeOf(finishAuthorization(stores, inBrowser(bob), github, stolen)), 'CF12022')
  const elsewhere = 'another session of hers, of 32 characters'
  await platform.admin.query(
    "INSERT INTO sessions (user_id, token, expires_at) VALUES ($1, $2, now() + interval '1 day')",
    [alice.id, elsewhere],
  )
  const other = { proof: { kind: 'session', token: elsewhere } } as const
  assert.equal(await codeOf(finishAuthorization(stores, other, github, stolen)), 'CF12023')
  // It was taken out by the look: not even its owner can use it now.
  assert.equal(await codeOf(finishAuthorization(stores, inBrowser(alice), github, stolen)), 'CF12022')
  assert.equal(await codeOf(finishAuthorization(stores, inBrowser(alice), slack, await begin())), 'CF12022')
  assert.equal(await codeOf(finishAuthorization(stores, inBrowser(alice), github, new URLSearchParams())), 'CF12022')
  const late = await begin()
  await platform.admin.query("UPDATE upstream_authorizations SET expires_at = now() - interval '1 second'")
  assert.equal(await codeOf(finishAuthorization(stores, inBrowser(alice), github, late)), 'CF12022')
  // Bob's account, brought to Alice's browser by a link: the code is right, the state is not hers.
  const his = await consent(await startAuthorization(stores, inBrowser(bob), github, { returnTo: '/' }))
  assert.equal(await codeOf(finishAuthorization(stores, inBrowser(alice), github, his)), 'CF12022')
  const { rows } = await platform.admin.query('SELECT 1 FROM user_service_instances WHERE user_id = ANY($1)', [
    [alice.id, bob.id],
  ])
  assert.equal(rows.length, 0)
  const refused = await platform.admin.query(
    `SELECT count(*)::integer AS count FROM audit_log WHERE user_id = $1 AND action = 'authorization.finish' AND outcome = 'refused'`,
    [alice.id],
  )
  assert.ok(refused.rows[0].count >= 5)
})

test('mix-up: an answer that names another issuer is refused before the code goes anywhere', async () => {
  const user = await platform.user()
  const before = server.seen.code
  server.behaviour.issuer = 'https://evil.example.org'
  await assert.rejects(authorize(user), (error: AuthorizationFailed) => error.failure.code === 'CF12025')
  assert.equal(server.seen.code, before)
  server.behaviour.issuer = `${server.url}/tenant`
  assert.equal((await authorize(user)).outcome, 'connected')
  server.behaviour.issuer = null
})

test('SI-09: a refusal, an authorization server that is away, and a missing client are told apart', async () => {
  const user = await platform.user()
  server.behaviour.refuses = true
  await assert.rejects(authorize(user), (error: AuthorizationFailed) => {
    return (
      error.failure.code === 'CF12024' && error.failure.message.includes('access_denied') && error.returnTo === '/back'
    )
  })
  server.behaviour.refuses = false
  server.behaviour.token = 'away'
  await assert.rejects(authorize(user), (error: AuthorizationFailed) => error.failure.code === 'CF12025')
  server.behaviour.token = 'right'
  const none = { ...stores, clients: configuredClients({}, null) }
  await assert.rejects(startAuthorization(none, inBrowser(user), github, { returnTo: '/' }), (error: Failure) => {
    return error.code === 'CF12021' && error.remedy.includes('CROSSFADE_MCP_OAUTH_GITHUB_CLIENT_ID')
  })
  const { rows } = await platform.admin.query('SELECT 1 FROM user_service_instances WHERE user_id = $1', [user.id])
  assert.equal(rows.length, 0)
})

test('M05: ten calls on each of two workers that find the token about to end renew it exactly once, and all get the new one', async () => {
  const user = await platform.user()
  await authorize(user)
  const workers = [await renewingWorker(), await renewingWorker()]
  await endAccess(user, "now() + interval '20 seconds'")
  const sessions = await Promise.all(workers.map((worker) => open(worker, user)))
  const before = server.seen.refresh
  server.behaviour.delayMs = 50
  const tokens = await Promise.all(sessions.flatMap((session) => Array.from({ length: 10 }, () => tokenOf(session))))
  server.behaviour.delayMs = 0
  assert.equal(server.seen.refresh, before + 1)
  assert.equal(new Set(tokens).size, 1)
  // Rotated: the next renewal works with the refresh token that came with this one.
  await endAccess(user, "now() + interval '20 seconds'", ...workers)
  const again = await tokenOf(await open(workers[1]!, user))
  assert.notEqual(again, tokens[0])
  assert.equal(server.seen.refresh, before + 2)
})

test('M05: a token that the upstream refuses is renewed once; refused again it is not the token', async () => {
  const user = await platform.user()
  await authorize(user)
  const worker = await renewingWorker()
  const session = await open(worker, user)
  const first = await tokenOf(session)
  const before = server.seen.refresh
  session.credentialRefused()
  const second = await tokenOf(session)
  assert.notEqual(second, first)
  const later = await open(worker, user)
  later.credentialRefused()
  assert.equal(await tokenOf(later), second)
  assert.equal(server.seen.refresh, before + 1)
})

test('M05: a grant that has ended is told with its remedy, to every worker, and authorizing again mends it', async () => {
  const user = await platform.user()
  await authorize(user)
  const [one, other] = [await renewingWorker(), await renewingWorker()]
  const before = server.seen.refresh
  server.revokeAll()
  await endAccess(user, "now() - interval '1 second'")
  const needsUser = (error: Failure) =>
    error.code === 'CF12004' && error.remedy.includes('connect github') && !error.retry
  await assert.rejects(async () => tokenOf(await open(one, user)), needsUser)
  await assert.rejects(async () => tokenOf(await open(other, user)), needsUser)
  await assert.rejects(async () => tokenOf(await open(one, user)), needsUser)
  // The authorization server was asked once: the answer is final.
  assert.equal(server.seen.refresh, before + 1)
  const { rows } = await platform.admin.query(
    'SELECT credential_state FROM user_service_instances WHERE user_id = $1',
    [user.id],
  )
  assert.equal(rows[0].credential_state, 'needs_authorization')
  await authorize(user)
  for (let tries = 0; tries < 3_000; tries += 1) {
    const token = await tokenOf(await open(one, user)).catch(() => null)
    if (token !== null) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail('the renewed authorization was not heard of')
})

test('M05: while the authorization server is away a token that is still good goes on, and one that has ended says to come back', async () => {
  const user = await platform.user()
  await authorize(user)
  const worker = await renewingWorker()
  const good = await tokenOf(await open(worker, user))
  server.behaviour.token = 'away'
  await endAccess(user, "now() + interval '30 seconds'", worker)
  assert.equal(await tokenOf(await open(worker, user)), good)
  await endAccess(user, "now() - interval '1 second'", worker)
  await assert.rejects(
    async () => tokenOf(await open(worker, user)),
    (error: Failure) => error.code === 'CF12006' && error.retry,
  )
  server.behaviour.token = 'right'
})

test('M05 M07: a credential that is replaced while its token is being renewed is the one that stays', async () => {
  const user = await platform.user()
  await authorize(user)
  const worker = await renewingWorker()
  await endAccess(user, "now() - interval '1 second'")
  const session = await open(worker, user)
  let release = () => {}
  server.behaviour.holdRefresh = new Promise((resolve) => {
    release = resolve
  })
  const before = server.seen.refresh
  const renewing = tokenOf(session)
  while (server.seen.refresh === before) await new Promise((resolve) => setTimeout(resolve, 5))
  const replaced = await authorize(user)
  const newest = server.shown.at(-1)
  release()
  server.behaviour.holdRefresh = null
  assert.equal(replaced.record.credentialVersion, 2)
  assert.equal(await renewing, newest)
  const fresh = await platform.worker()
  assert.equal(await tokenOf(await open(fresh, user)), newest)
  const { rows } = await platform.admin.query(
    'SELECT credential_version FROM user_service_instances WHERE user_id = $1',
    [user.id],
  )
  assert.equal(rows[0].credential_version, 2)
})

test('M05: a worker that lost its lock and comes too late does not take the credential for ended', async () => {
  const user = await platform.user()
  await authorize(user)
  const worker = await renewingWorker()
  await endAccess(user, "now() - interval '1 second'")
  const session = await open(worker, user)
  let release = () => {}
  server.behaviour.holdRefresh = new Promise((resolve) => {
    release = resolve
  })
  const before = server.seen.refresh
  const renewing = tokenOf(session)
  while (server.seen.refresh === before) await new Promise((resolve) => setTimeout(resolve, 5))
  // Another worker has used the refresh token up, and stored what it got for it.
  const { userId, instanceId, serviceType } = session
  const sealed = await platform.vault.seal({ userId, instanceId, serviceType }, 'access of the other worker')
  await platform.admin.query(
    `UPDATE user_service_instances SET encrypted_api_key = $2, token_expires_at = now() + interval '1 hour' WHERE user_id = $1`,
    [user.id, sealed],
  )
  server.revokeAll()
  release()
  server.behaviour.holdRefresh = null
  assert.equal(await renewing, 'access of the other worker')
  const { rows } = await platform.admin.query(
    'SELECT credential_state FROM user_service_instances WHERE user_id = $1',
    [user.id],
  )
  assert.deepEqual(rows, [{ credential_state: 'active' }])
})

test('SI-09: an access token that is said to live longer than a date can tell ends in ten years', () => {
  const tokens = { access_token: 'x', token_type: 'bearer' } as const
  assert.equal(expiryOf(tokens), null)
  const soonMs = expiryOf({ ...tokens, expires_in: 3600 })!.getTime() - Date.now()
  assert.ok(soonMs > 3_590_000 && soonMs <= 3_600_000)
  for (const seconds of [1e12, 1e20, Number.MAX_VALUE]) {
    const years = (expiryOf({ ...tokens, expires_in: seconds })!.getTime() - Date.now()) / (365.25 * 86_400_000)
    assert.ok(Math.abs(years - 10) < 0.01)
  }
})

test('SI-09: clients of the table are wrapped, found after those of the environment, and wrapped anew with the master key', async () => {
  const keeper = openPool(platform.urls.keeper, { applicationName: 'test keeper', connectionsMax: 1 })
  const runtime = openPool(platform.urls.runtime, { applicationName: 'test', connectionsMax: 1 })
  pools.push(keeper, runtime)
  const [first, second] = [
    { id: 'first', key: randomBytes(32) },
    { id: 'second', key: randomBytes(32) },
  ]
  const old = localKeyRing('test', [first])
  await storeClient(keeper, old, github, { clientId: 'id', clientSecret: 'canary secret' })
  const { rows } = await platform.admin.query('SELECT c::text AS text, wrapped_secret FROM upstream_clients c')
  assert.ok(!rows[0].wrapped_secret.includes('canary') && !rows[0].text.includes('canary'))
  assert.deepEqual(await configuredClients({}, { pool: runtime, keys: old }).find(github), {
    clientId: 'id',
    clientSecret: 'canary secret',
  })
  assert.equal(await rewrapClients(keeper, localKeyRing('test', [second, first])), 1)
  const rotated = configuredClients({}, { pool: runtime, keys: localKeyRing('test', [second]) })
  assert.equal((await rotated.find(github))?.clientSecret, 'canary secret')
  const environment = { [`${clientVariable(github)}_CLIENT_ID`]: 'other' }
  const both = configuredClients(environment, { pool: runtime, keys: old })
  assert.deepEqual(await both.find(github), { clientId: 'other', clientSecret: null })
  const [listed] = await listClients(keeper)
  assert.deepEqual([listed?.serviceType, listed?.clientId, listed?.keyEncryptionKeyId], [github, 'id', 'second'])
  assert.doesNotMatch(JSON.stringify(await listClients(keeper)), /canary/)
  // A client that is replaced while the rotation has the old one in hand stays as it was replaced.
  const slow = localKeyRing('test', [{ id: 'third', key: randomBytes(32) }, second])
  const rotating = {
    ...slow,
    current: {
      ...slow.current,
      async wrap(...given: Parameters<typeof slow.current.wrap>) {
        await storeClient(keeper, slow, github, { clientId: 'newer', clientSecret: 'newer secret' })
        return slow.current.wrap(...given)
      },
    },
  }
  await rewrapClients(keeper, rotating)
  assert.equal((await configuredClients({}, { pool: runtime, keys: slow }).find(github))?.clientSecret, 'newer secret')
  assert.equal(await removeClient(keeper, github), true)
  assert.equal(await removeClient(keeper, github), false)
  await assert.rejects(storeClient(keeper, old, 'nowhere' as ServiceType, { clientId: 'id', clientSecret: null }), {
    code: 'CF12013',
  })
  const { rows: log } = await platform.admin.query(
    `SELECT action, subject, details::text AS details FROM audit_log WHERE action LIKE 'upstream_client.%' ORDER BY at, id`,
  )
  assert.deepEqual(
    log.map(({ action, subject }) => `${action} ${subject}`),
    ['upstream_client.set github', 'upstream_client.set github', 'upstream_client.remove github'],
  )
  assert.doesNotMatch(JSON.stringify(log), /secret/)
  assert.equal(await configuredClients({}, { pool: runtime, keys: old }).find(github), null)
})
