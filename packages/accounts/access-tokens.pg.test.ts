import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { listenToChanges } from '@crossfade/mcp-database/changes.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import type pg from 'pg'
import { createAccessTokenVerifier, isAccessToken } from './access-tokens.ts'
import type { ExternalIssuer } from './external-issuers.ts'
import { linkExternalSubject, unlinkExternalSubject } from './external-subjects.ts'
import { createLocalOwner } from './local-owner.ts'
import { newInstance, newPerson, startTestAccounts, type TestAccounts } from './testing.ts'

let platform: TestAccounts
let runtime: pg.Pool
let accounts: pg.Pool
let privateKey: CryptoKey
let issuer: string
let close: () => void
before(async () => {
  platform = await startTestAccounts()
  runtime = openPool(platform.urls.runtime, { applicationName: 'test', connectionsMax: 2 })
  accounts = openPool(platform.urls.accounts, { applicationName: 'test', connectionsMax: 1 })
  const keys = await generateKeyPair('RS256', { extractable: true })
  privateKey = keys.privateKey
  const jwk = await exportJWK(keys.publicKey)
  const server = createServer((request, response) => {
    const metadata = request.url === '/.well-known/openid-configuration'
    const body = metadata ? { issuer, jwks_uri: `${issuer}/keys` } : { keys: [{ ...jwk, kid: 'k' }] }
    response.writeHead(metadata || request.url === '/keys' ? 200 : 404).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  close = () => {
    server.closeAllConnections()
    server.close()
  }
})
after(async () => {
  close()
  await runtime.end()
  await accounts.end()
  await platform.close()
})

const sign = (claims: Record<string, unknown>) =>
  new SignJWT({ iss: issuer, scope: 'mcp:read', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'k' })
    .setExpirationTime('10m')
    .sign(privateKey)
const open = (config: Partial<ExternalIssuer> = {}) =>
  createAccessTokenVerifier({ runtime, baseUrl: platform.baseUrl, externalIssuers: [{ issuer, ...config }] })

test('a subject of an external issuer acts for nobody until it is linked, and then for that user alone', async () => {
  const ann = await newPerson(platform)
  const resource = await newInstance(platform, ann.userId)
  const token = await sign({ sub: 'external-ann', aud: resource })
  assert.ok(isAccessToken(token))
  const verifier = open()
  assert.equal(await verifier.verify(token, resource), null)
  await linkExternalSubject(accounts, ann.userId as never, issuer, 'external-ann')
  await linkExternalSubject(accounts, ann.userId as never, issuer, 'external-ann')
  const verified = await verifier.verify(token, resource)
  assert.equal(verified?.userId, ann.userId)
  assert.deepEqual([...verified!.scopes], ['read'])
  const eve = await newPerson(platform)
  await assert.rejects(linkExternalSubject(accounts, eve.userId as never, issuer, 'external-ann'), { code: 'CF12307' })
  await platform.admin.query('UPDATE users SET is_active = false WHERE id = $1', [ann.userId])
  verifier.forget(ann.userId)
  assert.equal(await verifier.verify(token, resource), null)
})

test('a local account that calls itself like the subject is not taken for it', async () => {
  const ann = await newPerson(platform)
  const resource = await newInstance(platform, ann.userId)
  const token = await sign({ sub: ann.userId, aud: resource })
  assert.equal(await open().verify(token, resource), null)
  const other = createAccessTokenVerifier({ runtime, baseUrl: platform.baseUrl })
  assert.equal(await other.verify(token, resource), null, 'nobody configured the issuer')
})

test('by e-mail only where configured, and only when both sides have verified it', async () => {
  const ann = await newPerson(platform)
  const resource = await newInstance(platform, ann.userId)
  const claims = { sub: 'x', aud: resource, email: ann.email.toUpperCase(), email_verified: true }
  const byEmail = open({ userBy: 'verified_email' })
  assert.equal(await byEmail.verify(await sign(claims), resource), null, 'not verified here')
  await platform.admin.query('UPDATE users SET email_verified = true WHERE id = $1', [ann.userId])
  assert.equal(await byEmail.verify(await sign({ ...claims, email_verified: false }), resource), null)
  assert.equal((await byEmail.verify(await sign(claims), resource))?.userId, ann.userId)
  assert.equal(await open().verify(await sign(claims), resource), null, 'not configured')
})

test('an issuer that names the owner of the machine by address is not believed', async () => {
  const { userId } = await createLocalOwner(accounts, 'test')
  const resource = await newInstance(platform, userId)
  const claims = { sub: 'x', aud: resource, email: 'Local@localhost', email_verified: true }
  assert.equal(await open({ userBy: 'verified_email' }).verify(await sign(claims), resource), null)
})

test('a link that is taken away is told to the workers, and is none of another user or of a password', async () => {
  const ann = await newPerson(platform)
  const eve = await newPerson(platform)
  const id = ann.userId as never
  const told: unknown[] = []
  const listening = await listenToChanges(
    platform.urls.runtime,
    (change) => told.push(change),
    () => undefined,
  )
  try {
    await linkExternalSubject(accounts, id, issuer, 'external-unlinked')
    assert.equal(await unlinkExternalSubject(accounts, eve.userId as never, issuer, 'external-unlinked'), false)
    assert.equal(await unlinkExternalSubject(accounts, id, issuer, 'external-unlinked'), true)
    assert.equal(await unlinkExternalSubject(accounts, id, issuer, 'external-unlinked'), false)
    await listening.everybodyHeard()
    const change = { kind: 'user', userId: ann.userId }
    assert.deepEqual(told, [change, change])
  } finally {
    await listening.close()
  }
  await assert.rejects(unlinkExternalSubject(accounts, id, 'credential', ann.userId), { code: 'CF12309' })
  await assert.rejects(linkExternalSubject(accounts, id, issuer, ''), { code: 'CF12309' })
})

test('a token without a scope that means something here opens nothing', async () => {
  const ann = await newPerson(platform)
  const resource = await newInstance(platform, ann.userId)
  await linkExternalSubject(accounts, ann.userId as never, issuer, 'scopes')
  for (const scope of [undefined, '', 'openid profile', 'mcp:readonly']) {
    assert.equal(await open().verify(await sign({ sub: 'scopes', aud: resource, scope }), resource), null, scope)
  }
})
