import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { asUser, type UserProof } from '@crossfade/mcp-database/as-user.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type pg from 'pg'
import { apiTokenHash, createApiToken, listApiTokens, revokeApiToken, scopesOfApiToken } from './api-tokens.ts'
import { createLocalOwner, localOwnerEmail } from './local-owner.ts'
import { newPerson, startTestAccounts, type TestAccounts, TestBrowser, testPassword } from './testing.ts'

let platform: TestAccounts
let api: pg.Pool
let accounts: pg.Pool
before(async () => {
  platform = await startTestAccounts()
  api = openPool(platform.urls.api, { applicationName: 'test', connectionsMax: 4 })
  accounts = openPool(platform.urls.accounts, { applicationName: 'test', connectionsMax: 4 })
})
after(async () => {
  await api.end()
  await accounts.end()
  await platform.close()
})

const whoIs = (proof: UserProof) => asUser(api, proof, async (_, userId) => userId)

async function personWithProof() {
  const person = await newPerson(platform)
  const session = await platform.accounts.sessionOf(new Headers({ cookie: person.browser.cookie }))
  const proof: UserProof = { kind: 'session', token: session!.sessionToken }
  return { ...person, proof }
}

test('SI-10 a personal API token is made, opens its user, is listed without its secret, and ends when revoked', async () => {
  const ann = await personWithProof()
  const made = await createApiToken(api, ann.proof, { name: ' laptop ', scopes: ['read'], expiresInDays: 30 })
  assert.match(made.secret, /^cfp_[A-Za-z0-9_-]{43}$/)
  const proof: UserProof = { kind: 'api_token', secret: made.secret }
  assert.equal(await whoIs(proof), ann.userId)
  const scopes = await asUser(api, proof, (client) => scopesOfApiToken(client, made.secret))
  assert.deepEqual([...scopes], ['read'])
  const [listed] = await listApiTokens(api, ann.proof)
  assert.equal(listed?.name, 'laptop')
  assert.equal(listed?.revokedAt, null)
  assert.ok(listed!.expiresAt! > listed!.createdAt)
  assert.doesNotMatch(JSON.stringify(listed), new RegExp(made.secret.slice(4)))
  const stored = await platform.admin.query('SELECT * FROM api_tokens')
  assert.doesNotMatch(JSON.stringify(stored.rows), new RegExp(made.secret.slice(4)))
  assert.deepEqual(stored.rows[0].secret_hash, apiTokenHash(made.secret))

  await revokeApiToken(api, ann.proof, made.token.id)
  await revokeApiToken(api, ann.proof, made.token.id)
  await assert.rejects(whoIs(proof), { code: 'CF12501' })
})

test('a token cannot make tokens, so that one that may only read never becomes more', async () => {
  const ann = await personWithProof()
  const { secret } = await createApiToken(api, ann.proof, { name: 'reader', scopes: ['read'], expiresInDays: null })
  const wanted = { name: 'more', scopes: ['write'], expiresInDays: null } as const
  await assert.rejects(createApiToken(api, { kind: 'api_token', secret }, wanted), { code: 'CF12302' })
})

test('nobody sees or revokes the token of another', async () => {
  const ann = await personWithProof()
  const eve = await personWithProof()
  const { token, secret } = await createApiToken(api, ann.proof, { name: 'a', scopes: ['write'], expiresInDays: null })
  assert.deepEqual(await listApiTokens(api, eve.proof), [])
  await assert.rejects(revokeApiToken(api, eve.proof, token.id), { code: 'CF12303' })
  await assert.rejects(revokeApiToken(api, eve.proof, "' OR true --"), { code: 'CF12303' })
  assert.deepEqual([...(await asUser(api, eve.proof, (client) => scopesOfApiToken(client, secret)))], [])
  assert.equal(await whoIs({ kind: 'api_token', secret }), ann.userId)
})

test('an expired token, one of an inactive user, and one with a wrong character open nothing', async () => {
  const ann = await personWithProof()
  const { token, secret } = await createApiToken(api, ann.proof, { name: 'a', scopes: ['read'], expiresInDays: 1 })
  const other = secret.endsWith('A') ? 'B' : 'A'
  for (const wrong of [`${secret.slice(0, -1)}${other}`, secret.slice(4), `${secret}=`, '']) {
    await assert.rejects(whoIs({ kind: 'api_token', secret: wrong }), { code: 'CF12501' })
  }
  await platform.admin.query(`UPDATE users SET is_active = false WHERE id = $1`, [ann.userId])
  await assert.rejects(whoIs({ kind: 'api_token', secret }), { code: 'CF12501' })
  await platform.admin.query(`UPDATE users SET is_active = true WHERE id = $1`, [ann.userId])
  assert.equal(await whoIs({ kind: 'api_token', secret }), ann.userId)
  await platform.admin.query(`UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = $1`, [token.id])
  await assert.rejects(whoIs({ kind: 'api_token', secret }), { code: 'CF12501' })
})

test('bad names, scopes and ends are refused, and tokens of one user are bounded', async () => {
  const ann = await personWithProof()
  const good = { name: 'a', scopes: ['read'], expiresInDays: null } as const
  const bad = [
    { ...good, name: ' ' },
    { ...good, name: 'x'.repeat(101) },
    { ...good, scopes: [] },
    { ...good, scopes: ['admin' as 'read'] },
    { ...good, expiresInDays: 0 },
    { ...good, expiresInDays: 1.5 },
    { ...good, expiresInDays: 4000 },
  ]
  for (const wanted of bad) await assert.rejects(createApiToken(api, ann.proof, wanted), { code: 'CF12301' })
  await platform.admin.query(
    `INSERT INTO api_tokens (user_id, name, secret_hash, scopes)
     SELECT $1, 'many', sha256(i::text::bytea), '{read}' FROM generate_series(1, 50) i`,
    [ann.userId],
  )
  await assert.rejects(createApiToken(api, ann.proof, good), { code: 'CF12304' })
})

test('a local installation has one owner, an admin, however often and by how many it is asked for', async () => {
  const owners = await Promise.all(Array.from({ length: 5 }, (_, at) => createLocalOwner(accounts, `cli ${at}`)))
  assert.equal(new Set(owners.map((owner) => owner.userId)).size, 1)
  for (const owner of owners) assert.equal(await whoIs({ kind: 'api_token', secret: owner.secret }), owner.userId)
  const row = await platform.admin.query(`SELECT role FROM users WHERE email = $1`, [localOwnerEmail])
  assert.deepEqual(row.rows, [{ role: 'admin' }])
  const again = await createLocalOwner(accounts, 'cli 0')
  await assert.rejects(
    whoIs({ kind: 'api_token', secret: owners[0]!.secret }),
    { code: 'CF12501' },
    'the lost one ended',
  )
  assert.equal(await whoIs({ kind: 'api_token', secret: again.secret }), owners[0]!.userId)
  // And nobody becomes the owner by signing up or in.
  const browser = new TestBrowser(platform.baseUrl)
  await browser.post('/sign-up/email', { email: localOwnerEmail, password: testPassword, name: 'Eve' })
  assert.notEqual((await browser.signIn(localOwnerEmail)).status, 200)
})
