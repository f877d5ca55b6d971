// Tokens of somebody else's authorization server, at a running server with two workers.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type AcmeUpstream, startAcme } from './testing/acme.ts'
import { callOrder } from './testing/requests.ts'
import { type ServerProcess, startServerProcess } from './testing/server-process.ts'
import { newKey, startTokenIssuer, type TokenIssuer } from './testing/token-issuer.ts'

const ann = 'ann@example.org'
const password = 'correct horse battery'
const both = 'mcp:read mcp:call'
/** More than one connection, so that each of two workers is asked. */
const rounds = 8

let acme: AcmeUpstream
let bySubject: TokenIssuer
let byEmail: TokenIssuer
let unknown: TokenIssuer
let server: ServerProcess
let url: string
before(async () => {
  acme = await startAcme()
  acme.keys.set('right-key', 'ann')
  bySubject = await startTokenIssuer()
  byEmail = await startTokenIssuer()
  unknown = await startTokenIssuer()
  server = await startServerProcess({
    workers: 2,
    args: ['--allow-upstream', acme.host, '--no-health-checks'],
    env: { CROSSFADE_MCP_EXTERNAL_ISSUERS: 'issuers.json' },
    files: {
      'issuers.json': [
        { issuer: bySubject.issuer },
        { issuer: byEmail.issuer, userBy: 'verified_email', audience: { value: 'crossfade' }, scopes: ['mcp:read'] },
      ],
      password,
    },
    services: acme.services,
  })
  await done('users', 'set-password', ann, '--password-file', 'password', '--new')
  const connected = await asAnn<{ instance: { url: string } }>('POST', '/services/acme/authenticate', {
    apiKey: 'right-key',
  })
  assert.equal(connected.status, 201, JSON.stringify(connected.body))
  url = connected.body.instance.url
})
after(async () => {
  await server?.stop()
  for (const one of [bySubject, byEmail, unknown, acme]) await one?.stop()
})

async function done(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await server.run('mcp', ...args)
  assert.equal(code, 0, stderr)
}

async function asAnn<Body>(method: string, path: string, body: unknown) {
  const origin = { origin: server.origin }
  const signedIn = await server.api('POST', '/auth/sign-in/email', { email: ann, password }, origin)
  assert.equal(signedIn.status, 200, JSON.stringify(signedIn.body))
  const cookie = signedIn.headers
    .getSetCookie()
    .map((set) => set.split(';')[0])
    .join('; ')
  return server.api<Body>(method, path, body, { ...origin, cookie })
}

/** What every worker answers: each request has a connection of its own. */
async function answers(token: string, at = url): Promise<number[]> {
  const statuses = new Set<number>()
  for (let round = 0; round < rounds; round += 1) statuses.add(await callOrder(at, token))
  return [...statuses]
}

test('the metadata of an instance names the issuers beside the own one', async () => {
  const { pathname } = new URL(url)
  const answer = await fetch(`${server.origin}/.well-known/oauth-protected-resource${pathname}`)
  const { authorization_servers: servers } = (await answer.json()) as { authorization_servers: string[] }
  assert.deepEqual(servers, [`${server.origin}/api/v1/auth`, bySubject.issuer, byEmail.issuer])
})

test('a subject opens nothing until it is linked, then the instance of that user with the scopes granted, and nothing once the link is gone', async () => {
  const token = bySubject.token({ sub: 'ann-7', aud: url, scope: both })
  assert.deepEqual(await answers(token), [401])
  await done('users', 'link', ann, bySubject.issuer, 'ann-7')
  assert.deepEqual(await answers(token), [200])
  assert.equal(acme.requests.at(-1)!.key, 'right-key')
  assert.equal(acme.requests.at(-1)!.headers.authorization, undefined)
  const reading = bySubject.token({ sub: 'ann-7', aud: url, scope: 'openid mcp:read' })
  assert.deepEqual(await toolsOf(reading), ['get_order'])
  assert.deepEqual(await answers(bySubject.token({ sub: 'ann-7', aud: url, scope: 'openid' })), [401])
  await done('users', 'unlink', ann, bySubject.issuer, 'ann-7')
  assert.deepEqual(await answers(token), [401])
})

test('M07 tokens that are for another audience, expired, signed by nobody, of another issuer or of another person are refused', async () => {
  await done('users', 'link', ann, bySubject.issuer, 'ann-8')
  const claims = { sub: 'ann-8', aud: url, scope: both }
  assert.deepEqual(await answers(bySubject.token(claims)), [200])
  const nowSeconds = Math.floor(Date.now() / 1000)
  const refused = {
    'another instance': bySubject.token({ ...claims, aud: url.replace('/acme/', '/github/') }),
    'the platform': bySubject.token({ ...claims, aud: server.origin }),
    'two audiences': bySubject.token({ ...claims, aud: [url, 'https://api.example.com'] }),
    expired: bySubject.token({ ...claims, exp: nowSeconds - 60 }),
    'without an end': bySubject.token({ ...claims, exp: undefined }),
    'a key of nobody': bySubject.token(claims, newKey('key 1')),
    'an issuer that nobody has configured': unknown.token(claims),
    'a name of another issuer': unknown.token({ ...claims, iss: bySubject.issuer }),
    'another person': bySubject.token({ ...claims, sub: 'eve' }),
  }
  for (const [what, token] of Object.entries(refused)) assert.deepEqual(await answers(token), [401], what)
  assert.deepEqual(unknown.asked, [], 'nobody asks an issuer that a token names')
  // Who is let in is nobody at the instance of somebody else.
  const owned = await server.api<{ instance: { url: string } }>('POST', '/services/acme/authenticate', {
    apiKey: 'right-key',
  })
  const foreign = owned.body.instance.url
  assert.deepEqual(await answers(bySubject.token({ ...claims, aud: foreign }), foreign), [401])
})

test('by verified address, with one audience for the platform and scopes that the operator grants, until the user is switched off', async () => {
  const claims = { sub: 'whoever', aud: 'crossfade', scope: both, email: ann.toUpperCase(), email_verified: true }
  const token = byEmail.token(claims)
  assert.deepEqual(await toolsOf(token), ['get_order'])
  for (const changed of [{ email_verified: false }, { email: 'eve@example.org' }, { aud: url }]) {
    assert.deepEqual(await answers(byEmail.token({ ...claims, ...changed })), [401], JSON.stringify(changed))
  }
  const ownerOfMachine = byEmail.token({ ...claims, email: 'local@localhost' })
  const owned = await server.api<{ instance: { url: string } }>('GET', '/services/acme/instance')
  assert.deepEqual(await answers(ownerOfMachine, owned.body.instance.url), [401])
  await done('users', 'switch-off', ann)
  assert.deepEqual(await answers(token), [401])
  await done('users', 'switch-on', ann)
  assert.deepEqual(await answers(token), [200])
})

test('key ids that somebody makes up do not make the workers ask the issuer again and again', async () => {
  const before = bySubject.asked.length
  const tokens = Array.from({ length: 20 }, (_, at) => bySubject.token({ sub: 'x', aud: url }, newKey(`made up ${at}`)))
  // Whoever guesses much is told to come again later.
  for (const token of tokens) assert.match(String(await callOrder(url, token)), /^(401|429)$/)
  assert.ok(bySubject.asked.length - before <= 2, `${bySubject.asked.length - before} requests by two workers`)
})

async function toolsOf(token: string): Promise<string[]> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  })
  assert.equal(answer.status, 200, await answer.clone().text())
  const { result } = (await answer.json()) as { result: { tools: { name: string }[] } }
  return result.tools.map(({ name }) => name).filter((name) => name.endsWith('_order'))
}
