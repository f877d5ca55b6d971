import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { followAuthorization, newInstance, newPerson, startTestAccounts, type TestAccounts } from './testing.ts'

let platform: TestAccounts
let site: Server
let siteUrl: string
let documents: Record<string, { status?: number; type?: string; body: string; location?: string }> = {}
let asked: string[] = []
before(async () => {
  site = createServer((request, response) => {
    asked.push(request.url!)
    const document = documents[request.url!]
    const headers: Record<string, string> = { 'content-type': document?.type ?? 'application/json' }
    if (document?.location) headers['location'] = document.location
    response.writeHead(document ? (document.status ?? 200) : 404, headers).end(document?.body)
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  siteUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
  platform = await startTestAccounts({
    readClientDocument: (url, signal) => fetch(url, { signal, redirect: 'manual' }),
    clientDocumentsByHttp: true,
  })
})
after(async () => {
  site.closeAllConnections()
  site.close()
  await platform.close()
})
beforeEach(() => {
  documents = {}
  asked = []
})

const verifier = 'v'.repeat(43)
function authorizeUrl(clientId: string, resource: string, redirectUri: string): string {
  const url = new URL(`${platform.accounts.issuer}/oauth2/authorize`)
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'mcp:read',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource,
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}

function publish(path: string, more: Record<string, unknown> = {}): string {
  const clientId = `${siteUrl}${path}`
  const document = {
    client_id: clientId,
    client_name: 'Known by its address',
    redirect_uris: ['https://app.example.com/callback', 'http://127.0.0.1:4567/callback'],
    ...more,
  }
  documents[path] = { body: JSON.stringify(document) }
  return clientId
}

test('a client that is known by its address is let in without registering, and its document is read once an hour', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const clientId = publish('/client.json')
  const redirect = 'https://app.example.com/callback'
  const { location, consentPage } = await followAuthorization(
    person.browser,
    authorizeUrl(clientId, resource, redirect),
  )
  assert.ok(consentPage?.includes(clientId))
  const answer = await fetch(`${platform.accounts.issuer}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: clientId,
      code: location!.searchParams.get('code')!,
      code_verifier: verifier,
      redirect_uri: redirect,
    }),
  })
  assert.equal(answer.status, 200, await answer.text())
  await followAuthorization(person.browser, authorizeUrl(clientId, resource, redirect))
  assert.deepEqual(asked, ['/client.json'])
  await platform.admin.query(`UPDATE oauth_clients SET updated_at = now() - interval '2 hours'`)
  documents = {}
  const gone = await followAuthorization(person.browser, authorizeUrl(clientId, resource, redirect))
  assert.equal(gone.location, null, 'a document that is gone lets nobody in anew')
})

test('a person is asked every time when any program of the machine could answer in the client’s name', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const clientId = publish('/local.json')
  for (let at = 0; at < 2; at++) {
    const local = await followAuthorization(
      person.browser,
      authorizeUrl(clientId, resource, 'http://127.0.0.1:4567/callback'),
    )
    assert.notEqual(local.consentPage, null)
    assert.ok(local.location?.searchParams.get('code'))
  }
  const web = await followAuthorization(
    person.browser,
    authorizeUrl(clientId, resource, 'https://app.example.com/callback'),
  )
  assert.equal(web.consentPage, null)
})

test('a document that is not right makes no client: another’s, with a secret, too large, elsewhere, no JSON', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const good = publish('/good.json')
  const wrong = [
    publish('/another.json', { client_id: good }),
    publish('/secret.json', { client_secret: 'x' }),
    publish('/method.json', { token_endpoint_auth_method: 'client_secret_post' }),
    publish('/large.json', { filler: 'x'.repeat(70_000) }),
    publish('/script.json', { redirect_uris: ['javascript:alert(1)', 'https://app.example.com/callback'] }),
    publish('/http.json', { redirect_uris: ['http://app.example.com/callback', 'https://app.example.com/callback'] }),
    publish('/grant.json', { grant_types: ['client_credentials'] }),
    publish('/none.json', { redirect_uris: [] }),
  ]
  documents['/moved.json'] = { status: 302, body: '', location: good }
  documents['/html.json'] = { type: 'text/html', body: documents['/good.json']!.body }
  documents['/broken.json'] = { body: '{' }
  documents['/null.json'] = { body: 'null' }
  wrong.push(
    ...[
      '/moved.json',
      '/html.json',
      '/broken.json',
      '/null.json',
      '/missing.json',
      '/',
      '/good.json?x',
      '/a/../good.json',
    ].map((path) => siteUrl + path),
  )
  wrong.push(good.replace('http:', 'ftp:'), good.replace('//', '//user@'))
  for (const clientId of wrong) {
    const { location } = await followAuthorization(
      person.browser,
      authorizeUrl(clientId, resource, 'https://app.example.com/callback'),
    )
    assert.equal(location, null, clientId)
  }
})

test('nobody’s address is read before a person has signed in, and none where it is not configured or not https', async () => {
  const { TestBrowser } = await import('./testing.ts')
  const clientId = publish('/early.json')
  const resource = `${platform.baseUrl}/git_user_00000000_abcdef/github/`
  const url = authorizeUrl(clientId, resource, 'https://app.example.com/callback')
  const { location } = await followAuthorization(new TestBrowser(platform.baseUrl), url)
  assert.equal(location?.pathname, '/sign-in')
  const person = await newPerson(platform)
  let reads = 0
  const read = async () => {
    reads += 1
    return new Response(null, { status: 404 })
  }
  for (const accounts of [platform.open({ readClientDocument: read, clientDocumentsByHttp: false })]) {
    await accounts.handle(new Request(url, { headers: { cookie: person.browser.cookie } }), { address: '192.0.2.5' })
  }
  assert.equal(reads, 0)
  assert.deepEqual(asked, [])
})
