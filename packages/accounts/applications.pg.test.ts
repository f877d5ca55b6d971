import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { listenToChanges } from '@crossfade/mcp-database/changes.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import { createAccessTokenVerifier } from './access-tokens.ts'
import { followAuthorization, newInstance, newPerson, startTestAccounts, type TestAccounts } from './testing.ts'

let platform: TestAccounts
let runtime: pg.Pool
before(async () => {
  platform = await startTestAccounts()
  runtime = openPool(platform.urls.runtime, { applicationName: 'test', connectionsMax: 2 })
})
after(async () => {
  await runtime.end()
  await platform.close()
})

const redirectUri = 'http://127.0.0.1:8765/callback'
const verifier = 'v'.repeat(43)
const endpoint = (path: string) => `${platform.baseUrl}/api/v1/auth/oauth2/${path}`

async function askToken(form: Record<string, string>) {
  const answer = await fetch(endpoint('token'), { method: 'POST', body: new URLSearchParams(form) })
  const body = (await answer.json()) as { access_token: string; refresh_token: string }
  return { status: answer.status, body }
}

/** A person who let a client in to an instance of theirs, and the client's tokens. */
async function connected() {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const registered = await fetch(endpoint('register'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Test client',
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }),
  })
  const { client_id: clientId } = (await registered.json()) as { client_id: string }
  const asked = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'mcp:read mcp:call offline_access',
    state: 'state-of-the-client',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource,
  })
  const { location } = await followAuthorization(person.browser, `${endpoint('authorize')}?${asked}`)
  const { status, body } = await askToken({
    grant_type: 'authorization_code',
    client_id: clientId,
    code: location!.searchParams.get('code')!,
    redirect_uri: redirectUri,
    code_verifier: verifier,
    resource,
  })
  assert.equal(status, 200)
  return { ...person, resource, clientId, tokens: body }
}

test('SI-10 applications that were let in are told with what they may and when they came; one that is put out is out on every worker at once', async () => {
  const { tokens, resource, clientId, userId } = await connected()
  const other = await connected()
  const owner = userId as UserId
  const { accounts } = platform
  const told = Promise.withResolvers<void>()
  const worker = createAccessTokenVerifier({ runtime, baseUrl: platform.baseUrl })
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
    const [before, ...more] = await accounts.applicationsOf(owner)
    assert.deepEqual(more, [])
    assert.deepEqual(
      [before!.name, before!.returnsTo, before!.scopes, before!.instances.map(({ url }) => url), before!.lastUsedAt],
      ['Test client', '127.0.0.1:8765', ['mcp:read', 'mcp:call', 'offline_access'], [resource], null],
    )
    assert.notEqual(await worker.verify(tokens.access_token, resource), null)
    assert.ok((await accounts.applicationsOf(owner))[0]!.lastUsedAt! >= before!.grantedAt)

    // Another's application is none.
    await assert.rejects(accounts.endApplication(other.userId as UserId, before!.id), { code: 'CF12043' })
    assert.notEqual(await worker.verify(tokens.access_token, resource), null)
    await accounts.endApplication(owner, before!.id)
    await told.promise
    assert.equal(await worker.verify(tokens.access_token, resource), null)
    assert.deepEqual(await accounts.applicationsOf(owner), [])
    const refresh = { grant_type: 'refresh_token', client_id: clientId, refresh_token: tokens.refresh_token }
    assert.ok((await askToken(refresh)).status >= 400)
    await assert.rejects(accounts.endApplication(owner, before!.id), { code: 'CF12043' })
    assert.notEqual(await worker.verify(other.tokens.access_token, other.resource), null)
  } finally {
    await listening.close()
  }
})
