// The MCP SDK's own clients find their way in.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { auth as authV2, type OAuthClientProvider } from '@modelcontextprotocol/client'
import { auth as authV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import type pg from 'pg'
import { type AccessTokenVerifier, createAccessTokenVerifier } from './access-tokens.ts'
import { answerProtectedResource } from './protected-resource.ts'
import { followAuthorization, newInstance, newPerson, startTestAccounts, type TestAccounts } from './testing.ts'

const redirectUri = 'http://127.0.0.1:8765/callback'

let platform: TestAccounts
let runtime: pg.Pool
let verifier: AccessTokenVerifier
before(async () => {
  platform = await startTestAccounts()
  runtime = openPool(platform.urls.runtime, { applicationName: 'test', connectionsMax: 2 })
  verifier = createAccessTokenVerifier({ runtime, baseUrl: platform.baseUrl })
  const resources = { baseUrl: platform.baseUrl, issuers: [platform.accounts.issuer] }
  platform.serve(async (request) =>
    new URL(request.url).pathname.startsWith('/.well-known/oauth-protected-resource')
      ? answerProtectedResource(resources, request)
      : undefined,
  )
})
after(async () => {
  await runtime.end()
  await platform.close()
})

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly token_type: string
}

/** What a real client keeps. */
class KeepingProvider implements OAuthClientProvider {
  readonly redirectUrl = redirectUri
  readonly kept = new Map<string, unknown>()
  asked: URL | undefined
  readonly clientMetadata = {
    client_name: 'A real client',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
  state = () => 'state-of-a-real-client'
  clientInformation = () => this.kept.get('client') as { client_id: string } | undefined
  saveClientInformation = (client: unknown) => void this.kept.set('client', client)
  tokens = () => this.kept.get('tokens') as Tokens | undefined
  saveTokens = (tokens: unknown) => void this.kept.set('tokens', tokens)
  redirectToAuthorization = (url: URL) => {
    this.asked = url
  }
  saveCodeVerifier = (codeVerifier: string) => void this.kept.set('verifier', codeVerifier)
  codeVerifier = () => this.kept.get('verifier') as string
}

for (const [name, auth] of [
  ['v1', authV1],
  ['v2', authV2],
] as const) {
  test(`SI-10 the ${name} MCP client finds the server, registers, is let in, and refreshes, all by itself`, async () => {
    const person = await newPerson(platform)
    const resource = await newInstance(platform, person.userId)
    const provider = new KeepingProvider()
    const run = auth as unknown as (provider: KeepingProvider, options: Record<string, unknown>) => Promise<string>
    assert.equal(await run(provider, { serverUrl: resource }), 'REDIRECT')
    assert.equal(provider.asked!.searchParams.get('resource'), resource)
    const { location } = await followAuthorization(person.browser, provider.asked!)
    const options = {
      serverUrl: resource,
      authorizationCode: location!.searchParams.get('code'),
      iss: location!.searchParams.get('iss'),
    }
    assert.equal(await run(provider, options), 'AUTHORIZED')
    const first = provider.tokens()!
    assert.equal((await verifier.verify(first.access_token, resource))?.userId, person.userId)
    assert.ok(first.refresh_token, 'it need not bring the person back every hour')
    assert.equal(await run(provider, { serverUrl: resource }), 'AUTHORIZED')
    const second = provider.tokens()!
    assert.notEqual(second.access_token, first.access_token)
    assert.equal((await verifier.verify(second.access_token, resource))?.userId, person.userId)
  })
}
