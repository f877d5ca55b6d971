import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { listenToChanges } from '@crossfade/mcp-database/changes.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type pg from 'pg'
import { type AccessTokenVerifier, createAccessTokenVerifier, isAccessToken } from './access-tokens.ts'
import { answerProtectedResource, challenge } from './protected-resource.ts'
import {
  followAuthorization,
  newInstance,
  newPerson,
  startTestAccounts,
  type TestAccounts,
  TestBrowser,
} from './testing.ts'

let platform: TestAccounts
let runtime: pg.Pool
let verifier: AccessTokenVerifier
before(async () => {
  platform = await startTestAccounts()
  runtime = openPool(platform.urls.runtime, { applicationName: 'test', connectionsMax: 2 })
  verifier = createAccessTokenVerifier({ runtime, baseUrl: platform.baseUrl })
  const resources = { baseUrl: platform.baseUrl, issuers: [platform.accounts.issuer] }
  platform.serve(async (request) => {
    const path = new URL(request.url).pathname
    return path.startsWith('/.well-known/oauth-protected-resource')
      ? answerProtectedResource(resources, request)
      : undefined
  })
})
after(async () => {
  await runtime.end()
  await platform.close()
})

const redirectUri = 'http://127.0.0.1:8765/callback'
const endpoint = (path: string) => `${platform.baseUrl}/api/v1/auth/oauth2/${path}`
const newVerifier = () => randomBytes(32).toString('base64url')
const challengeOf = (codeVerifier: string) => createHash('sha256').update(codeVerifier).digest('base64url')

async function register(
  metadata: Record<string, unknown> = {},
): Promise<{ client_id: string; client_secret?: string }> {
  const answer = await fetch(endpoint('register'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-test-address': `198.19.${randomBytes(1)[0]}.${randomBytes(1)[0]}`,
    },
    body: JSON.stringify({
      client_name: 'Test client',
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...metadata,
    }),
  })
  assert.equal(answer.status, 201, await answer.clone().text())
  return (await answer.json()) as { client_id: string }
}

function authorizeUrl(clientId: string, resource: string, more: Record<string, string | undefined> = {}): string {
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'mcp:read mcp:call offline_access',
    state: 'state-of-the-client',
    code_challenge: challengeOf('v'.repeat(43)),
    code_challenge_method: 'S256',
    resource,
    ...more,
  }
  const url = new URL(endpoint('authorize'))
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value)
  return url.href
}

interface TokenAnswer {
  access_token: string
  refresh_token: string
  expires_in: number
  scope: string
  token_type: string
  error?: string
}

async function askToken(form: Record<string, string>): Promise<{ status: number; body: TokenAnswer }> {
  const answer = await fetch(endpoint('token'), { method: 'POST', body: new URLSearchParams(form) })
  return { status: answer.status, body: (await answer.json()) as TokenAnswer }
}

const codeForm = (clientId: string, code: string, more: Record<string, string> = {}) => ({
  grant_type: 'authorization_code',
  client_id: clientId,
  code,
  redirect_uri: redirectUri,
  code_verifier: 'v'.repeat(43),
  ...more,
})

/** A person who let a client in to an instance of theirs, and the client's tokens. */
async function connected() {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const { client_id } = await register()
  const { location, consentPage } = await followAuthorization(person.browser, authorizeUrl(client_id, resource))
  const code = location!.searchParams.get('code')!
  const { status, body } = await askToken(codeForm(client_id, code, { resource }))
  assert.equal(status, 200, JSON.stringify(body))
  return { ...person, resource, clientId: client_id, location: location!, code, consentPage, tokens: body }
}

test('SI-10 a client is let in to one instance: code, token for that audience, and the issuer in the answer', async () => {
  const { location, consentPage, tokens, resource, userId, email } = await connected()
  assert.equal(location.origin + location.pathname, redirectUri)
  assert.equal(location.searchParams.get('state'), 'state-of-the-client')
  assert.equal(location.searchParams.get('iss'), platform.accounts.issuer)
  for (const text of ['Test client', email, resource, '127.0.0.1:8765']) assert.ok(consentPage!.includes(text), text)
  assert.equal(tokens.token_type, 'Bearer')
  const log = await platform.admin.query(
    `SELECT outcome FROM audit_log WHERE user_id = $1 AND action = 'oauth.consent'`,
    [userId],
  )
  assert.deepEqual(log.rows, [{ outcome: 'done' }])
  assert.match(tokens.access_token, /^cfo_[\w-]{43}$/)
  assert.ok(isAccessToken(tokens.access_token))
  const verified = await verifier.verify(tokens.access_token, resource)
  assert.equal(verified?.userId, userId)
  assert.deepEqual([...verified!.scopes].sort(), ['call', 'read'])
  const stored = await platform.admin.query('SELECT * FROM oauth_access_tokens, oauth_refresh_tokens, verifications')
  assert.doesNotMatch(
    JSON.stringify(stored.rows),
    new RegExp(`${tokens.access_token.slice(4)}|${tokens.refresh_token.slice(4)}`),
  )
})

test('M07 a token is refused at every other instance, also one of the same user, and in any other spelling of a URL', async () => {
  const { tokens, resource, userId } = await connected()
  const other = await newInstance(platform, userId, 'slack')
  assert.equal(await verifier.verify(tokens.access_token, other), null)
  const spellings = [
    `${resource}x`,
    `${resource}?a`,
    resource.replace('http:', 'https:'),
    `${platform.baseUrl}/`,
    'urn:x',
    '',
  ]
  for (const wrong of spellings) assert.equal(await verifier.verify(tokens.access_token, wrong), null, wrong)
  assert.notEqual(
    await verifier.verify(tokens.access_token, resource.slice(0, -1)),
    null,
    'without the last slash it is the same',
  )
  for (const wrong of ['cfo_', `${tokens.access_token}x`, tokens.refresh_token, 'cfo_%00', `cfo_${'x'.repeat(9000)}`]) {
    assert.equal(await verifier.verify(wrong, resource), null)
  }
})

test('a client that asks for less gets less, and one that asks for nothing it knows gets nothing', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const { client_id } = await register({ grant_types: ['authorization_code'] })
  const { location } = await followAuthorization(
    person.browser,
    authorizeUrl(client_id, resource, { scope: 'mcp:read' }),
  )
  const { body } = await askToken(codeForm(client_id, location!.searchParams.get('code')!))
  assert.equal(body.refresh_token, undefined)
  assert.deepEqual([...(await verifier.verify(body.access_token, resource))!.scopes], ['read'])
  const unknown = await followAuthorization(person.browser, authorizeUrl(client_id, resource, { scope: 'admin' }))
  assert.equal(unknown.location?.searchParams.get('error'), 'invalid_scope')
})

test('a code works once; used twice, what it gave is taken back', async () => {
  const { tokens, resource, clientId, code } = await connected()
  assert.equal((await askToken(codeForm(clientId, code))).body.error, 'invalid_grant')
  verifier.forget()
  assert.equal(await verifier.verify(tokens.access_token, resource), null)
})

test('without PKCE, with the plain method, or with a wrong verifier there is no token', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const { client_id } = await register()
  const follow = async (more: Record<string, string | undefined>) =>
    (await followAuthorization(person.browser, authorizeUrl(client_id, resource, more))).location!.searchParams
  const none = await follow({ code_challenge: undefined, code_challenge_method: undefined })
  assert.equal(none.get('error'), 'invalid_request')
  assert.equal(none.get('code'), null)
  const plain = await follow({ code_challenge: 'v'.repeat(43), code_challenge_method: 'plain' })
  assert.equal(plain.get('error'), 'invalid_request')
  const code = (await follow({})).get('code')!
  const wrong = await askToken(codeForm(client_id, code, { code_verifier: newVerifier() }))
  assert.ok(wrong.status >= 400 && wrong.body.access_token === undefined)
  const right = await askToken(codeForm(client_id, code))
  assert.ok(right.status >= 400, 'a code that somebody guessed at is used up')
})

test('a code is for the client, the redirect URI and the resource that it was given for', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const other = await newInstance(platform, person.userId, 'slack')
  const mine = await register()
  const theirs = await register()
  const code = async () =>
    (await followAuthorization(person.browser, authorizeUrl(mine.client_id, resource))).location!.searchParams.get(
      'code',
    )!
  const attempts = [
    codeForm(theirs.client_id, await code()),
    codeForm(mine.client_id, await code(), { redirect_uri: 'http://127.0.0.1:8765/other' }),
    codeForm(mine.client_id, await code(), { resource: other }),
    codeForm(mine.client_id, await code(), { resource: 'https://other.example/mcp' }),
  ]
  for (const form of attempts) {
    const { status, body } = await askToken(form)
    assert.ok(status >= 400 && body.access_token === undefined, JSON.stringify(form))
  }
})

test('a redirect URI that was not registered gets nothing, not even an error', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const { client_id } = await register()
  const wrong = [
    'https://evil.example/callback',
    'http://127.0.0.1:8765/callback/../x',
    'http://127.0.0.1:8765/callback?x=1',
    'http://127.0.0.1.evil.example:8765/callback',
    'http://user@127.0.0.1:8765/callback',
    'javascript:alert(1)',
  ]
  for (const redirect_uri of wrong) {
    const { location, consentPage } = await followAuthorization(
      person.browser,
      authorizeUrl(client_id, resource, { redirect_uri }),
    )
    assert.equal(location, null, redirect_uri)
    assert.match(consentPage!, /Not connected/)
    assert.doesNotMatch(consentPage!, /evil|javascript/)
  }
  const unknown = await followAuthorization(person.browser, authorizeUrl('nobody', resource))
  assert.equal(unknown.location, null)
})

test('SI-08 nobody gets a token for the instance of another, and can’t learn whether it exists', async () => {
  const ann = await newPerson(platform)
  const eve = await newPerson(platform)
  const annsInstance = await newInstance(platform, ann.userId)
  const { client_id } = await register()
  await followAuthorization(ann.browser, authorizeUrl(client_id, annsInstance))
  const missing = annsInstance.replace(/[0-9a-f]{6}\/github/, '000000/github')
  const answers: string[] = []
  for (const resource of [
    annsInstance,
    missing,
    'https://other.example/mcp',
    `${platform.baseUrl}/api/v1/`,
    undefined,
  ]) {
    const { location } = await followAuthorization(
      eve.browser,
      authorizeUrl(client_id, resource ?? '', resource ? {} : { resource: undefined }),
    )
    assert.equal(location?.searchParams.get('error'), 'invalid_target', String(resource))
    assert.equal(location?.searchParams.get('code'), null)
    answers.push(location!.href)
  }
  assert.equal(new Set(answers).size, 1)
  const two = `${authorizeUrl(client_id, annsInstance)}&resource=${encodeURIComponent(annsInstance)}`
  assert.equal((await followAuthorization(ann.browser, two)).location?.searchParams.get('error'), 'invalid_target')
})

test('an instance that went to another user, or whose user is switched off, is behind no old token', async () => {
  const { tokens, resource, userId } = await connected()
  assert.notEqual(await verifier.verify(tokens.access_token, resource), null)
  await platform.admin.query('UPDATE users SET is_active = false WHERE id = $1', [userId])
  verifier.forget(userId)
  assert.equal(await verifier.verify(tokens.access_token, resource), null)
  await platform.admin.query('UPDATE users SET is_active = true WHERE id = $1', [userId])
  assert.equal(await verifier.verify(tokens.access_token, resource), null, 'it does not come back')
})

test('who is not signed in goes to the sign-in page and from there back to the question', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const { client_id } = await register()
  const browser = new TestBrowser(platform.baseUrl)
  const { location } = await followAuthorization(browser, authorizeUrl(client_id, resource, { prompt: 'login' }))
  assert.equal(location?.pathname, '/sign-in')
  const back = location!.searchParams.get('return')!
  assert.match(back, /^\/api\/v1\/auth\/oauth2\/authorize\?/)
  await browser.signIn(person.email)
  const then = await followAuthorization(browser, new URL(back, platform.baseUrl))
  assert.ok(then.location?.searchParams.get('code'))
  assert.equal(then.location?.searchParams.get('state'), 'state-of-the-client')
})

test('who says no sends the client away with access_denied; who said yes before is not asked again, unless the client wants it', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const other = await newInstance(platform, person.userId, 'slack')
  const { client_id } = await register()
  const denied = await followAuthorization(person.browser, authorizeUrl(client_id, resource), 'deny')
  assert.equal(denied.location?.searchParams.get('error'), 'access_denied')
  assert.equal(denied.location?.searchParams.get('code'), null)
  assert.notEqual((await followAuthorization(person.browser, authorizeUrl(client_id, resource))).consentPage, null)
  assert.equal((await followAuthorization(person.browser, authorizeUrl(client_id, resource))).consentPage, null)
  const again = await followAuthorization(person.browser, authorizeUrl(client_id, resource, { prompt: 'consent' }))
  assert.notEqual(again.consentPage, null)
  const elsewhere = await followAuthorization(person.browser, authorizeUrl(client_id, other))
  assert.notEqual(elsewhere.consentPage, null, 'another instance is another question')
})

test('consent can’t be forged: no foreign origin, no changed query, no query of another person, no frame, no script', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const { client_id } = await register({ client_name: '<script>alert(1)</script>"\'' })
  const first = await person.browser.send('GET', authorizeUrl(client_id, resource))
  const page = await person.browser.send('GET', first.headers.get('location')!)
  const policy = page.headers.get('content-security-policy')!
  assert.match(policy, /default-src 'none'/)
  assert.match(policy, /frame-ancestors 'none'/)
  assert.match(policy, /form-action 'self' http:\/\/127\.0\.0\.1:8765/)
  assert.equal(page.headers.get('x-frame-options'), 'DENY')
  assert.equal(page.headers.get('cache-control'), 'no-store')
  const html = await page.text()
  assert.doesNotMatch(html, /<script/i)
  const query = new URL(first.headers.get('location')!, platform.baseUrl).search.slice(1)
  const decide = (browser: TestBrowser, asked: string, headers: Record<string, string> = {}) =>
    browser.send('POST', '/api/v1/auth/oauth2/decide', new URLSearchParams({ query: asked, answer: 'allow' }), headers)
  assert.equal((await decide(person.browser, query, { origin: 'https://evil.example' })).status, 403)
  assert.equal((await decide(person.browser, query, { origin: 'null' })).status, 403)
  for (const changed of [
    query.replace('mcp%3Aread+', ''),
    query.replace(/redirect_uri=[^&]+/, `redirect_uri=${encodeURIComponent('https://evil.example/')}`),
    query.replace(/sig=[^&]+/, ''),
    query.replace(
      /resource=[^&]+/,
      `resource=${encodeURIComponent(await newInstance(platform, person.userId, 'slack'))}`,
    ),
  ]) {
    assert.notEqual(changed, query)
    const answer = await decide(person.browser, changed)
    assert.equal(answer.headers.get('location'), null, changed)
    assert.ok(answer.status >= 400)
  }
  const eve = await newPerson(platform)
  assert.ok((await decide(eve.browser, query)).status >= 400, 'the question was not for her')
  assert.equal((await decide(new TestBrowser(platform.baseUrl), query)).status, 401)
  assert.equal((await decide(person.browser, query)).status, 303)
})

test('refresh tokens rotate; one used twice ends the whole family', async () => {
  const { tokens, resource, clientId } = await connected()
  const refresh = (refresh_token: string, more: Record<string, string> = {}) =>
    askToken({ grant_type: 'refresh_token', client_id: clientId, refresh_token, ...more })
  const second = await refresh(tokens.refresh_token)
  assert.equal(second.status, 200)
  assert.notEqual(second.body.refresh_token, tokens.refresh_token)
  assert.notEqual(await verifier.verify(second.body.access_token, resource), null, 'still for the instance')
  const more = await refresh(second.body.refresh_token, { scope: 'mcp:read' })
  assert.deepEqual([...(await verifier.verify(more.body.access_token, resource))!.scopes], ['read'])
  const stolen = await refresh(second.body.refresh_token)
  assert.equal(stolen.body.error, 'invalid_grant')
  assert.equal((await refresh(more.body.refresh_token)).body.error, 'invalid_grant')
  verifier.forget()
  assert.equal(await verifier.verify(more.body.access_token, resource), null)
})

test('a refresh token is for its client and its instance alone, and gives no more than was allowed', async () => {
  const { tokens, clientId, userId } = await connected()
  const other = await newInstance(platform, userId, 'slack')
  const stranger = await register()
  const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: tokens.refresh_token }
  assert.ok((await askToken({ ...form, client_id: stranger.client_id })).status >= 400)
  assert.ok((await askToken({ ...form, resource: other })).status >= 400)
  assert.ok((await askToken({ ...form, scope: 'mcp:call admin' })).status >= 400)
})

test('a revoked token ends on every worker as soon as the change is told, long before its time to live', async () => {
  const { tokens, resource, clientId, userId } = await connected()
  const worker = createAccessTokenVerifier({ runtime, baseUrl: platform.baseUrl })
  let told = Promise.withResolvers<void>()
  const listening = await listenToChanges(
    platform.urls.runtime,
    (change) => {
      if (change.kind !== 'user') return
      worker.forget(change.userId)
      if (change.userId === userId) told.resolve()
    },
    () => worker.forget(),
  )
  try {
    assert.notEqual(await worker.verify(tokens.access_token, resource), null)
    const revoked = await fetch(endpoint('revoke'), {
      method: 'POST',
      body: new URLSearchParams({ token: tokens.access_token, client_id: clientId }),
    })
    assert.equal(revoked.status, 200)
    await told.promise
    assert.equal(await worker.verify(tokens.access_token, resource), null)
    // Disconnecting the application ends what is left.
    told = Promise.withResolvers<void>()
    const { body } = await askToken({
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: tokens.refresh_token,
    })
    assert.notEqual(await worker.verify(body.access_token, resource), null)
    await platform.admin.query('DELETE FROM oauth_consents WHERE client_id = $1', [clientId])
    await told.promise
    assert.equal(await worker.verify(body.access_token, resource), null)
    assert.ok(
      (await askToken({ grant_type: 'refresh_token', client_id: clientId, refresh_token: body.refresh_token }))
        .status >= 400,
    )
  } finally {
    await listening.close()
  }
})

test('a token that nobody told of is asked for again after its time to live, and an expired one never works', async () => {
  const { tokens, resource } = await connected()
  let nowMs = Date.now()
  const worker = createAccessTokenVerifier({ runtime, baseUrl: platform.baseUrl, now: () => nowMs })
  assert.notEqual(await worker.verify(tokens.access_token, resource), null)
  await platform.admin.query('UPDATE oauth_access_tokens SET revoked = now()')
  assert.notEqual(await worker.verify(tokens.access_token, resource), null, 'held')
  nowMs += 5_000
  assert.equal(await worker.verify(tokens.access_token, resource), null)
  const fresh = await connected()
  assert.notEqual(await worker.verify(fresh.tokens.access_token, fresh.resource), null)
  nowMs += 3_700_000
  assert.equal(await worker.verify(fresh.tokens.access_token, fresh.resource), null)
})

test('registration takes nothing that would make the server fetch, and no redirect that a browser would run', async () => {
  const refused = [
    { jwks_uri: 'https://169.254.169.254/' },
    { backchannel_logout_uri: 'https://10.0.0.1/' },
    { dpop_bound_access_tokens: true },
    { redirect_uris: ['javascript:alert(1)'] },
    { redirect_uris: ['http://example.com/callback'] },
    { redirect_uris: [] },
    { scope: 'admin' },
    { grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_basic' },
    { skip_consent: true },
  ]
  for (const metadata of refused) {
    const answer = await fetch(endpoint('register'), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-test-address': `198.19.${randomBytes(1)[0]}.1` },
      body: JSON.stringify({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none', ...metadata }),
    })
    if (answer.status === 201) {
      const { client_id } = (await answer.json()) as { client_id: string }
      const { rows } = await platform.admin.query('SELECT skip_consent FROM oauth_clients WHERE client_id = $1', [
        client_id,
      ])
      assert.ok('skip_consent' in metadata, JSON.stringify(metadata))
      assert.notEqual(rows[0].skip_consent, true)
    } else assert.equal(answer.status, 400, JSON.stringify(metadata))
  }
})

test('clients come back to programs: loopback addresses on any port, and the schemes of editors', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const cursor = 'cursor://anysphere.cursor-mcp/oauth/callback'
  const { client_id } = await register({ redirect_uris: [cursor, 'https://www.cursor.com/callback', redirectUri] })
  for (const redirect_uri of [cursor, 'https://www.cursor.com/callback', 'http://127.0.0.1:49999/callback']) {
    const { location } = await followAuthorization(person.browser, authorizeUrl(client_id, resource, { redirect_uri }))
    assert.ok(location?.href.startsWith(redirect_uri), redirect_uri)
    const { status } = await askToken(codeForm(client_id, location!.searchParams.get('code')!, { redirect_uri }))
    assert.equal(status, 200, redirect_uri)
  }
  const other = await followAuthorization(
    person.browser,
    authorizeUrl(client_id, resource, { redirect_uri: 'cursor://evil/oauth/callback' }),
  )
  assert.equal(other.location, null)
})

test('the metadata documents say what is true: issuer, endpoints, S256, scopes; for any well-formed instance', async () => {
  const server = (await (
    await fetch(`${platform.baseUrl}/.well-known/oauth-authorization-server/api/v1/auth`)
  ).json()) as Record<string, unknown>
  assert.equal(server['issuer'], platform.accounts.issuer)
  assert.deepEqual(server['code_challenge_methods_supported'], ['S256'])
  assert.deepEqual(server['grant_types_supported'], ['authorization_code', 'refresh_token'])
  assert.deepEqual(server['response_types_supported'], ['code'])
  assert.equal(server['dpop_signing_alg_values_supported'], undefined)
  const instance = '/git_user_00000000_abcdef/github/'
  const answer = await fetch(`${platform.baseUrl}/.well-known/oauth-protected-resource${instance}`)
  const resource = (await answer.json()) as Record<string, unknown>
  assert.equal(resource['resource'], `${platform.baseUrl}${instance}`)
  assert.deepEqual(resource['authorization_servers'], [platform.accounts.issuer])
  assert.equal((await fetch(`${platform.baseUrl}/.well-known/oauth-protected-resource/x/y/z`)).status, 404)
  const text = challenge(platform.baseUrl, 'git_user_00000000_abcdef' as never, 'github' as never, 'invalid_token')
  assert.equal(
    text,
    `Bearer error="invalid_token", error_description="The token is unknown, revoked, expired or for another instance.", resource_metadata="${platform.baseUrl}/.well-known/oauth-protected-resource${instance}", scope="mcp:read mcp:call"`,
  )
})
