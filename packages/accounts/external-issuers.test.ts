import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { createExternalIssuers, type ExternalIssuer } from './external-issuers.ts'

// A real authorization server as far as its keys go: metadata, JWKS, and a private key.
interface Keys {
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}
let server: Server
let issuer: string
let keys: Keys
let published: { kid: string; publicKey: CryptoKey }[] = []
let answers: Record<string, { status?: number; body: string; headers?: Record<string, string> }> = {}
let asked: string[] = []
const resource = 'https://mcp.example.com/git_user_00000000_abcdef/github/'

before(async () => {
  keys = await generateKeyPair('ES256', { extractable: true })
  server = createServer((request, response) => {
    asked.push(request.url!)
    const answer = answers[request.url!]
    response.writeHead(answer ? (answer.status ?? 200) : 404, answer?.headers)
    response.end(answer?.body ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tenant`
  published = [{ kid: 'one', publicKey: keys.publicKey }]
  await publish()
})
after(() => {
  server.closeAllConnections()
  server.close()
})

async function publish(): Promise<void> {
  const jwks = await Promise.all(
    published.map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid })),
  )
  answers = {
    '/tenant/.well-known/openid-configuration': {
      body: JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }),
    },
    '/tenant/keys': { body: JSON.stringify({ keys: jwks }) },
  }
  asked = []
}

const open = (config: Partial<ExternalIssuer> = {}) => createExternalIssuers([{ issuer, ...config }])

interface TokenParts {
  readonly claims?: Record<string, unknown>
  readonly header?: Record<string, unknown>
  readonly key?: CryptoKey | Uint8Array
  readonly expires?: number
}
function sign({ claims = {}, header = {}, key = keys.privateKey, expires = 600 }: TokenParts = {}): Promise<string> {
  const nowSeconds = Math.floor(Date.now() / 1000)
  return new SignJWT({ iss: issuer, sub: 'person-7', aud: resource, scope: 'mcp:read mcp:call', ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'one', ...header })
    .setExpirationTime(nowSeconds + expires)
    .sign(key)
}

test('a token of a configured issuer, for this instance, is taken with its subject, scopes and end', async () => {
  const token = await sign({ claims: { email: 'ann@example.org', email_verified: true } })
  const claims = await open().verify(token, resource)
  assert.equal(claims?.issuer, issuer)
  assert.equal(claims?.subject, 'person-7')
  assert.equal(claims?.verifiedEmail, 'ann@example.org')
  assert.deepEqual(claims?.scopes, ['mcp:read', 'mcp:call'])
  assert.ok(claims!.expiresAtMs > Date.now())
})

test('an address that the issuer does not call verified is no address', async () => {
  for (const email_verified of [false, 'true', 1, undefined]) {
    const token = await sign({ claims: { email: 'ann@example.org', email_verified } })
    assert.equal((await open().verify(token, resource))?.verifiedEmail, null)
  }
})

test('alg confusion: a token signed with the public key as an HMAC secret, or not at all, is refused', async () => {
  const spki = new TextEncoder().encode(await exportSPKI(keys.publicKey))
  const hmac = await sign({ header: { alg: 'HS256' }, key: spki })
  const [, payload] = (await sign()).split('.')
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`
  const unsigned = `${(await sign()).split('.').slice(0, 2).join('.')}.`
  for (const token of [hmac, none, unsigned]) assert.equal(await open().verify(token, resource), null)
  for (const algorithm of ['none', 'HS256', 'RS1']) {
    assert.throws(() => open({ algorithms: [algorithm] }), { code: 'CF12311' })
  }
  assert.throws(() => open({ algorithms: [] }), { code: 'CF12311' })
})

test('a key that the token brings along or points to is not looked at', async () => {
  const other = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(other.publicKey)
  answers['/tenant/evil'] = { body: JSON.stringify({ keys: [{ ...jwk, kid: 'one' }] }) }
  for (const header of [{ jwk }, { jku: `${issuer}/evil` }, { x5u: `${issuer}/evil` }, { kid: '../evil' }]) {
    assert.equal(
      await open().verify(await sign({ header, key: other.privateKey }), resource),
      null,
      Object.keys(header)[0],
    )
  }
  assert.ok(!asked.includes('/tenant/evil'))
})

test('M07 passthrough: a token for another audience, or for more than this one, is refused', async () => {
  const wrong = [
    'https://mcp.example.com/git_user_00000000_abcdef/slack/',
    'https://mcp.example.com/',
    'https://api.github.com/',
    [resource, 'https://api.github.com/'],
    [],
    `${resource}x`,
  ]
  for (const aud of wrong)
    assert.equal(await open().verify(await sign({ claims: { aud } }), resource), null, String(aud))
  assert.notEqual(await open().verify(await sign({ claims: { aud: [resource.slice(0, -1)] } }), resource), null)
  const fixed = open({ audience: { value: 'crossfade' } })
  assert.notEqual(await fixed.verify(await sign({ claims: { aud: 'crossfade' } }), resource), null)
  assert.equal(await fixed.verify(await sign(), resource), null)
})

test('expired, not yet valid, without an end, without a subject, changed, or of another issuer: refused', async () => {
  const good = await sign()
  assert.equal(await open().verify(await sign({ expires: -31 }), resource), null)
  assert.equal(
    await open().verify(await sign({ claims: { nbf: Math.floor(Date.now() / 1000) + 120 } }), resource),
    null,
  )
  const endless = await new SignJWT({ iss: issuer, sub: 'x', aud: resource })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .sign(keys.privateKey)
  assert.equal(await open().verify(endless, resource), null)
  assert.equal(await open().verify(await sign({ claims: { sub: undefined } }), resource), null)
  assert.equal(await open().verify(await sign({ claims: { iss: `${issuer}/` } }), resource), null)
  const [header, payload, signature] = good.split('.')
  const changed = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as Record<string, unknown>
  const forged = Buffer.from(JSON.stringify({ ...changed, sub: 'person-8' })).toString('base64url')
  assert.equal(await open().verify(`${header}.${forged}.${signature}`, resource), null)
  for (const text of ['', 'a.b', 'a.b.c', `${good}.x`, 'x'.repeat(10_000)])
    assert.equal(await open().verify(text, resource), null)
})

test('keys that rotate are found, but unknown key ids don’t make us ask again and again', async (context: TestContext) => {
  await publish()
  const issuers = open()
  assert.notEqual(await issuers.verify(await sign(), resource), null)
  assert.deepEqual(asked, [
    '/.well-known/oauth-authorization-server/tenant',
    '/tenant/.well-known/openid-configuration',
    '/tenant/keys',
  ])
  const next = await generateKeyPair('ES256', { extractable: true })
  published.push({ kid: 'two', publicKey: next.publicKey })
  await publish()
  for (let at = 0; at < 20; at++) {
    assert.equal(await issuers.verify(await sign({ header: { kid: `made up ${at}` } }), resource), null)
  }
  assert.deepEqual(asked, [], 'within the cool-down nobody is asked')
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31_000 })
  assert.notEqual(await issuers.verify(await sign({ header: { kid: 'two' }, key: next.privateKey }), resource), null)
  assert.deepEqual(asked, ['/tenant/keys'])
})

test('keys that can’t be read are a failure that may pass, and are not asked for by every request', async (context: TestContext) => {
  await publish()
  const all = answers
  answers = {}
  const issuers = open()
  const token = await sign()
  await assert.rejects(issuers.verify(token, resource), { code: 'CF12310' })
  const askedOnce = asked.length
  await assert.rejects(issuers.verify(token, resource), { code: 'CF12310' })
  assert.equal(asked.length, askedOnce)
  answers = all
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() + 11_000 })
  assert.notEqual(await issuers.verify(token, resource), null)
})

test('a keys’ address that fails is left alone for a while too, however many tokens come', async (context: TestContext) => {
  await publish()
  const keysAnswer = answers['/tenant/keys']!
  answers['/tenant/keys'] = { status: 500, body: '' }
  const issuers = open({ jwksUrl: `${issuer}/keys` })
  const token = await sign()
  for (let at = 0; at < 5; at++) await assert.rejects(issuers.verify(token, resource), { code: 'CF12310' })
  assert.deepEqual(asked, ['/tenant/keys'])
  answers['/tenant/keys'] = keysAnswer
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() + 11_000 })
  assert.notEqual(await issuers.verify(token, resource), null)
})

test('what an issuer answers is bounded, not followed elsewhere, and not taken from a document of another issuer', async () => {
  await publish()
  const good = { ...answers }
  const token = await sign()
  const bad: Record<string, (typeof answers)[string]> = {
    large: { body: JSON.stringify({ keys: [], filler: 'x'.repeat(300_000) }) },
    elsewhere: { status: 302, body: '', headers: { location: `${issuer}/keys2` } },
    'no keys': { body: '<html>' },
  }
  for (const [name, answer] of Object.entries(bad)) {
    answers = { ...good, '/tenant/keys': answer, '/tenant/keys2': good['/tenant/keys']! }
    await assert.rejects(open().verify(token, resource), { code: 'CF12310' }, name)
  }
  answers = {
    ...good,
    '/tenant/.well-known/openid-configuration': {
      body: JSON.stringify({ issuer: 'https://evil.example', jwks_uri: `${issuer}/keys` }),
    },
  }
  await assert.rejects(open().verify(token, resource), { code: 'CF12310' })
  for (const address of ['http://mcp.example.com', 'file:///etc/passwd', 'https://a:b@idp.example.com']) {
    assert.throws(() => createExternalIssuers([{ issuer: address }]), { code: 'CF12311' }, address)
  }
  assert.throws(() => open({ jwksUrl: 'http://10.0.0.1/keys' }), { code: 'CF12311' })
})

test('scopes come from the claim, or are what the operator says that every token may do', async () => {
  await publish()
  const list = await open().verify(await sign({ claims: { scope: undefined, scp: ['mcp:read', 7] } }), resource)
  assert.deepEqual(list?.scopes, ['mcp:read'])
  const fixed = await open({ scopes: ['mcp:read'] }).verify(await sign(), resource)
  assert.deepEqual(fixed?.scopes, ['mcp:read'])
})
