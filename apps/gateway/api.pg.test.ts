import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  startAuthorizationServer,
  type TestAuthorizationServer,
} from '@crossfade/mcp/authorization/testing/authorization-server.ts'
import { apiTokenOf, serviceConfig } from '@crossfade/mcp/instances/testing/platform.ts'
import { type LoopbackUpstream, startUpstream } from '@crossfade/mcp/upstream/testing/loopback-upstream.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { endpoints } from './contract/endpoints.ts'
import { type Person, startTestGateway, type TestGateway } from './testing/gateway.ts'

let gateway: TestGateway
let upstream: LoopbackUpstream
let authorization: TestAuthorizationServer

before(async () => {
  upstream = await startUpstream((request, response) => {
    const key = String(request.headers['x-api-key'] ?? '')
    response.statusCode = key.startsWith('right') ? 200 : key.startsWith('broken') ? 500 : 401
    response.setHeader('content-type', 'application/json')
    // A key that an upstream repeats is taken out of its answers: its length tells keys apart as well.
    response.end(JSON.stringify({ login: `owner of ${key.length} letters` }))
  })
  authorization = await startAuthorizationServer((uri) => uri.startsWith(gateway.baseUrl))
  const verification = {
    method: 'GET',
    path: '/me',
    validStatuses: [200],
    invalidStatuses: [401],
    account: '/login',
  } as const
  gateway = await startTestGateway(
    [
      serviceConfig('figma', 49160, {
        baseUrl: upstream.url,
        verification: { ...verification, validStatuses: [200], invalidStatuses: [401] },
        category: 'design',
      }),
      serviceConfig('figshare', 49161, { baseUrl: upstream.url, verification: null }),
      serviceConfig('github', 49294, {
        baseUrl: authorization.url,
        verification: { ...verification, validStatuses: [200], invalidStatuses: [401] },
        auth: {
          type: 'oauth2',
          authorizationUrl: `${authorization.url}/authorize`,
          tokenUrl: `${authorization.url}/token`,
          scopes: ['read'],
          clientAuthentication: 'basic',
          send: { in: 'header', name: 'authorization', prefix: 'Bearer ' },
        },
      }),
    ],
    [upstream.host, authorization.host],
    {
      CROSSFADE_MCP_OAUTH_GITHUB_CLIENT_ID: authorization.clientId,
      CROSSFADE_MCP_OAUTH_GITHUB_CLIENT_SECRET: authorization.clientSecret,
    },
  )
})
after(async () => {
  await gateway.close()
  await upstream.close()
  await authorization.close()
})

const instance = '/services/figma/instance'
const connectFigma = (person: Person, apiKey = 'right key') =>
  person.call('POST', '/services/figma/authenticate', { apiKey })

test('SI-10: a key is stored, the instance is told, listed and removed: the four endpoints', async () => {
  const ann = await gateway.signUp('ann')
  assert.equal((await ann.call('GET', instance)).status, 404)
  const stored = await connectFigma(ann)
  assert.equal(stored.status, 201, JSON.stringify(stored.body))
  assert.equal(stored.headers.get('cache-control'), 'no-store')
  assert.equal(stored.body.outcome, 'connected')
  assert.equal(stored.body.verification, 'valid')
  assert.match(stored.body.instance.instanceId, /^fig_user_[0-9a-f]{8}_[0-9a-f]{6}$/)
  assert.equal(stored.body.instance.url, `${gateway.baseUrl}/${stored.body.instance.instanceId}/figma/`)
  assert.equal(stored.body.instance.credential.accountLabel, 'owner of 9 letters')
  assert.match(stored.body.minted.secret, /^cfi_/)
  for (const snippet of stored.body.minted.snippets) {
    assert.ok(snippet.text.includes(stored.body.minted.secret), snippet.client)
    if (snippet.language === 'json') JSON.parse(snippet.text)
  }
  const told = await ann.call('GET', instance)
  assert.equal(told.status, 200)
  assert.deepEqual(told.body.instance, stored.body.instance)
  assert.equal(told.body.tokens.length, 1)
  assert.ok(!JSON.stringify(told.body).includes(stored.body.minted.secret))
  assert.deepEqual((await ann.call('GET', '/user/instances')).body.instances, [stored.body.instance])
  assert.equal((await ann.call('DELETE', instance)).status, 204)
  assert.equal((await ann.call('GET', instance)).status, 404)
  assert.equal((await ann.call('DELETE', instance)).status, 404)
  assert.deepEqual((await ann.call('GET', '/user/instances')).body.instances, [])
})

test('SI-10 SI-09: a wrong key says so and stores nothing; the same key twice is fine; another one keeps the address', async () => {
  const ben = await gateway.signUp('ben')
  const wrong = await connectFigma(ben, 'wrong key')
  assert.equal(wrong.status, 422)
  assert.equal(wrong.body.code, 'CF12010')
  assert.equal((await ben.call('GET', instance)).status, 404)
  const unclear = await connectFigma(ben, 'broken key')
  assert.equal(unclear.status, 503)
  assert.deepEqual([unclear.body.code, unclear.body.retry], ['CF12011', true])
  const first = await connectFigma(ben)
  const again = await connectFigma(ben)
  assert.deepEqual([again.status, again.body.outcome, again.body.minted], [200, 'unchanged', null])
  const other = await connectFigma(ben, 'right other key')
  assert.deepEqual([other.status, other.body.outcome], [200, 'replaced'])
  assert.equal(other.body.instance.url, first.body.instance.url)
  const audit = await ben.call('GET', '/user/audit?limit=3')
  assert.deepEqual(
    audit.body.entries.map(({ action, outcome }: { action: string; outcome: string }) => `${action} ${outcome}`),
    ['instance.replace done', 'instance.confirm done', 'instance.connect done'],
  )
  // What an entry is about has the name that people know.
  const named = await ben.call('GET', `/user/audit?subject=${first.body.minted.token.id}`)
  const subjectNames = [...audit.body.entries, ...named.body.entries].map((entry) => entry.subjectName)
  assert.deepEqual(subjectNames, ['FIGMA', 'FIGMA', 'FIGMA', 'default of FIGMA'])
  const rest = await ben.call('GET', `/user/audit?before=${audit.body.next}`)
  assert.ok(rest.body.entries.some(({ details }: { details: { code?: string } }) => details.code === 'CF12010'))
  assert.ok(!JSON.stringify([audit.body, rest.body]).includes('key of'))
})

test('SI-10: unknown services, malformed bodies and unknown paths are problems with a code and a remedy', async () => {
  const cid = await gateway.signUp('cid')
  const cases: [string, string, unknown, number, string][] = [
    ['POST', '/services/nowhere/authenticate', { apiKey: 'x' }, 404, 'CF12013'],
    ['POST', '/services/NO%2F..%2Fwhere/authenticate', { apiKey: 'x' }, 400, 'CF12033'],
    ['POST', '/services/figma/authenticate', {}, 422, 'CF12012'],
    ['POST', '/services/figma/authenticate', { apiKey: 7, more: true }, 400, 'CF12033'],
    ['POST', '/services/figma/authenticate', { apiKey: 'a\nb' }, 422, 'CF12012'],
    ['POST', '/services/figma/authenticate', { apiKey: 'x'.repeat(9000) }, 400, 'CF12033'],
    ['POST', '/services/figma/authenticate', [], 400, 'CF12033'],
    ['PATCH', instance, {}, 400, 'CF12033'],
    ['PATCH', instance, { active: false }, 404, 'CF12014'],
    ['DELETE', `${instance}/tokens/not-an-id`, undefined, 404, 'CF12015'],
    ['GET', '/services/nowhere', undefined, 404, 'CF12013'],
    ['GET', '/services?limit=100000', undefined, 400, 'CF12033'],
    ['GET', '/user/audit?before=x', undefined, 400, 'CF12033'],
    ['GET', '/nothing', undefined, 404, 'CF12034'],
    ['POST', '/imports', { text: '{}', audience: 'everybody' }, 403, 'CF12031'],
    ['POST', '/imports', { text: '{}' }, 501, 'CF12036'],
  ]
  for (const [method, path, body, status, code] of cases) {
    const answer = await cid.call(method, path, body)
    assert.deepEqual([path, answer.status, answer.body.code], [path, status, code])
    assert.deepEqual(Object.keys(answer.body), ['code', 'message', 'remedy', 'retry'])
  }
  const broken = await cid.browser.send('POST', '/api/v1/services/figma/authenticate', undefined, {
    'content-type': 'application/json',
  })
  assert.equal(broken.status, 400)
})

test('SI-12: nobody gets in without a session; another page’s writes are refused; API tokens do what their scopes say', async () => {
  const dee = await gateway.signUp('dee')
  for (const [id, [method, path]] of Object.entries(endpoints)) {
    if (id === 'getSession' || id === 'finishAuthorization') continue
    const url = `${gateway.baseUrl}/api/v1${path.replace(':serviceType', 'figma').replace(/:(\w+)/g, 'x')}`
    const answer = await fetch(url, { method, redirect: 'manual' })
    assert.equal(answer.status, 401, id)
  }
  const foreign = await dee.call(
    'POST',
    '/services/figma/authenticate',
    { apiKey: 'right' },
    { origin: 'https://evil.example' },
  )
  assert.deepEqual([foreign.status, foreign.body.code], [403, 'CF12032'])
  const cookie = dee.browser.cookie
  const silent = await fetch(`${gateway.baseUrl}/api/v1/services/figma/instance`, {
    method: 'DELETE',
    headers: { cookie },
  })
  assert.equal(silent.status, 403)

  const made = await dee.call('POST', '/user/tokens', { name: 'reads', scopes: ['read'] })
  assert.equal(made.status, 201)
  const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })
  const asToken = async (secret: string, method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${gateway.baseUrl}/api/v1${path}`, {
      method,
      headers: { ...bearer(secret), ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: answer.status === 204 ? null : await answer.json() }
  }
  assert.equal((await asToken(made.body.secret, 'GET', '/user/instances')).status, 200)
  const write = await asToken(made.body.secret, 'POST', '/services/figma/authenticate', { apiKey: 'right' })
  assert.deepEqual([write.status, (write.body as { code: string }).code], [403, 'CF12031'])
  const both = await dee.call('POST', '/user/tokens', { name: 'both' })
  assert.equal(
    (await asToken(both.body.secret, 'POST', '/services/figma/authenticate', { apiKey: 'right' })).status,
    201,
  )
  assert.equal((await asToken(both.body.secret, 'POST', '/user/tokens', { name: 'child' })).status, 403)
  assert.equal((await dee.call('DELETE', `/user/tokens/${both.body.token.id}`)).status, 204)
  assert.equal((await asToken(both.body.secret, 'GET', '/user/instances')).status, 401)
  const audit = await dee.call('GET', '/user/audit')
  const refusals = audit.body.entries.filter(({ outcome }: { outcome: string }) => outcome === 'refused')
  assert.ok(refusals.length >= 3)
})

test('SI-12: who is asking is told to anybody, and nothing more than that to strangers', async () => {
  const eve = await gateway.signUp('eve')
  const stranger = (await (await fetch(`${gateway.baseUrl}/api/v1/session`)).json()) as Record<string, unknown>
  assert.deepEqual(stranger['user'], null)
  assert.deepEqual(stranger['areas'], ['services'])
  const { body } = await eve.call('GET', '/session')
  assert.deepEqual([body.user.email, body.via], [eve.email, 'session'])
  await eve.call('POST', '/auth/sign-out', {})
  assert.equal((await eve.call('GET', '/session')).body.user, null)
})

test('SI-12: services are searched and paged, and say whether one is connected and what to fill in', async () => {
  const fay = await gateway.signUp('fay')
  await connectFigma(fay)
  const page = await fay.call('GET', '/services?search=fig&limit=1')
  assert.deepEqual([page.body.total, page.body.services.length], [2, 1])
  const connected = await fay.call('GET', '/services?connected=true')
  assert.deepEqual(
    connected.body.services.map(({ serviceType }: { serviceType: string }) => serviceType),
    ['figma'],
  )
  assert.match(connected.body.services[0].instanceId, /^fig_user_/)
  const figma = await fay.call('GET', '/services/figma')
  assert.deepEqual(figma.body.fields[0].name, 'apiKey')
  assert.deepEqual(figma.body.tools[0].name, 'whoami')
  const github = await fay.call('GET', '/services/github')
  assert.equal(github.body.oauth.available, true)
  assert.equal(github.body.oauth.redirectUri, `${gateway.baseUrl}/api/v1/oauth/callback/github`)
  assert.equal((await fay.call('GET', '/services/figma/tools/whoami')).body.inputSchema.type, 'object')
  const health = await fay.call('GET', '/health')
  assert.deepEqual(health.body.counts, { healthy: 0, unhealthy: 0, paused: 0, unknown: 3 })
})

test('SI-12: a tool is tried with the caller’s own key; settings hide it; wrong arguments are named', async () => {
  const gus = await gateway.signUp('gus')
  await connectFigma(gus, 'right key of gus')
  const path = '/services/figma/instance/tools/whoami/call'
  const seen = upstream.received.length
  const called = await gus.call('POST', path, { arguments: {} })
  assert.equal(called.status, 200, JSON.stringify(called.body))
  assert.ok(JSON.stringify(called.body.result).includes('owner of 16 letters'))
  assert.equal(upstream.received[seen]!.headers['x-api-key'], 'right key of gus')
  assert.equal(gateway.recorded.at(-1)!.endpoint, 'whoami')
  const wrong = await gus.call('POST', path, { arguments: { verbose: 'perhaps' } })
  assert.deepEqual([wrong.status, wrong.body.code], [400, 'CF12033'])
  const changed = await gus.call('PATCH', instance, { settings: { excludedTools: ['whoami'] } })
  assert.deepEqual(changed.body.instance.settings.excludedTools, ['whoami'])
  for (let tries = 0; (await gus.call('POST', path, {})).status !== 404; tries += 1) assert.ok(tries < 3_000)
  const unknown = await gus.call('PATCH', instance, { settings: { tools: ['nothing'] } })
  assert.deepEqual([unknown.status, unknown.body.code], [422, 'CF12017'])
})

test('M12: a URL secret comes only by asking, and its answer is the only place where it stands', async () => {
  const hal = await gateway.signUp('hal')
  await connectFigma(hal)
  const minted = await hal.call('POST', `${instance}/tokens`, { kind: 'url', name: 'old client', expiresInDays: 1 })
  assert.equal(minted.status, 201)
  assert.ok(minted.body.url.endsWith(`/figma/${minted.body.secret}/`))
  for (const snippet of minted.body.snippets) assert.ok(!snippet.text.includes('uthorization'), snippet.client)
  const listed = await hal.call('GET', `${instance}/tokens`)
  assert.ok(!JSON.stringify(listed.body).includes('cfu_'))
  assert.equal((await hal.call('DELETE', `${instance}/tokens/${minted.body.token.id}`)).status, 204)
  const revoked = (await hal.call('GET', `${instance}/tokens`)).body.tokens[0]
  assert.equal(revoked.id, minted.body.token.id)
  assert.notEqual(revoked.revokedAt, null)
})

test('SI-09: OAuth through the browser: consent, back to the page, an instance; a stolen link connects nothing', async () => {
  const [ida, jon] = [await gateway.signUp('ida'), await gateway.signUp('jon')]
  const start = await ida.call('GET', '/services/github/oauth/start?returnTo=/services/github')
  assert.equal(start.status, 302)
  const consented = await fetch(start.headers.get('location')!, { redirect: 'manual' })
  const callback = new URL(consented.headers.get('location')!)
  const path = callback.pathname + callback.search
  // Ida sends Jon the link of her consent, so that he works in her account; he is told, and has nothing.
  const stolen = await jon.call('GET', path)
  assert.equal(stolen.status, 303)
  assert.equal(new URL(stolen.headers.get('location')!).searchParams.get('failed'), 'CF12022')
  assert.equal((await jon.call('GET', '/services/github/instance')).status, 404)
  const done = await ida.call('GET', path)
  assert.equal(done.headers.get('location'), `${gateway.baseUrl}/services/github?connected=github&token=new`)
  const { body } = await ida.call('GET', '/services/github/instance')
  assert.equal(body.instance.credential.accountLabel, 'somebody')
  assert.equal(body.tokens.length, 0)
  const again = await ida.call('GET', path)
  assert.equal(new URL(again.headers.get('location')!).searchParams.get('failed'), 'CF12022')
  const elsewhere = [
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example',
    '/.//evil.example',
    '/a/..//evil.example',
  ]
  for (const returnTo of elsewhere) {
    const asked = await ida.call('GET', `/services/github/oauth/start?returnTo=${encodeURIComponent(returnTo)}`)
    const back = await fetch(asked.headers.get('location')!, { redirect: 'manual' })
    const url = new URL(back.headers.get('location')!)
    const home = await ida.call('GET', url.pathname + url.search)
    assert.equal(new URL(home.headers.get('location')!).origin, gateway.baseUrl, returnTo)
  }
  // A link on another page could choose the variables, and with them the host that the new token goes to.
  for (const site of ['cross-site', 'same-site']) {
    const led = await ida.call('GET', '/services/github/oauth/start', undefined, { 'sec-fetch-site': site })
    assert.deepEqual([led.status, led.body.code], [403, 'CF12032'], site)
  }
  const user = {
    id: (await ida.call('GET', '/session')).body.user.id,
    email: ida.email,
    proof: { kind: 'session', token: '' },
  } as const
  const secret = await apiTokenOf(gateway.platform.admin, user as never, ['read', 'write'])
  const byToken = await fetch(`${gateway.baseUrl}/api/v1/services/github/oauth/start`, {
    headers: { authorization: `Bearer ${secret}` },
    redirect: 'manual',
  })
  assert.equal(byToken.status, 403)
})

test('404 and not 403: what belongs to another user is not there', async () => {
  const [kim, lee] = [await gateway.signUp('kim'), await gateway.signUp('lee')]
  const hers = await connectFigma(kim, 'right key of kim')
  await connectFigma(lee, 'right key of lee')
  const id = hers.body.minted.token.id as string
  const foreign = await lee.call('DELETE', `${instance}/tokens/${id}`)
  assert.deepEqual([foreign.status, foreign.body.code], [404, 'CF12015'])
  const made = await kim.call('POST', '/user/tokens', { name: 'hers' })
  assert.equal((await lee.call('DELETE', `/user/tokens/${made.body.token.id}`)).status, 404)
  const everything = JSON.stringify(
    await Promise.all(
      [
        '/user/instances',
        '/user/audit',
        '/user/tokens',
        instance,
        `${instance}/tokens`,
        '/user/usage',
        '/services',
      ].map((path) => lee.call('GET', path)),
    ),
  )
  for (const canary of [hers.body.instance.instanceId, id, made.body.token.id, 'kim'])
    assert.ok(!everything.includes(canary))
})

test('SI-12: usage is told by service and by day', async () => {
  const may = await gateway.signUp('may')
  const { body } = await connectFigma(may)
  const userId = (await may.call('GET', '/session')).body.user.id
  await gateway.platform.admin.query('SELECT record_usage($1)', [
    JSON.stringify(
      [12, 20, 400].map((responseTimeMs) => ({
        id: crypto.randomUUID(),
        userId,
        serviceType: 'figma' as ServiceType,
        instanceId: body.instance.instanceId,
        endpoint: 'whoami',
        method: 'tools/call',
        statusCode: 200,
        responseTimeMs,
        errorCode: null,
        atMs: Date.now(),
      })),
    ),
  ])
  const usage = await may.call('GET', '/user/usage')
  assert.equal(usage.status, 200, JSON.stringify(usage.body))
  assert.equal(usage.body.totals.requests, 3)
  assert.ok(usage.body.totals.p99Ms > 300 && usage.body.totals.p50Ms < 30)
  assert.deepEqual([usage.body.services[0].serviceType, usage.body.series[0].requests], ['figma', 3])
  const bad = await may.call('GET', '/user/usage?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z')
  assert.equal(bad.status, 400)
})

test('the description lists every endpoint of the contract, and no other', async () => {
  const answer = await fetch(`${gateway.baseUrl}/api/v1/openapi.json`)
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, { operationId: string }>> }
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { operationId }]) => `${operationId} ${method.toUpperCase()} ${path}`),
  )
  const expected = Object.entries(endpoints).map(
    ([id, [method, path]]) => `${id} ${method} /api/v1${path.replace(/:(\w+)/g, '{$1}')}`,
  )
  assert.deepEqual(described.sort(), expected.sort())
  assert.deepEqual(await (await fetch(`${gateway.baseUrl}/healthz`)).json(), { alive: true })
  assert.equal((await fetch(`${gateway.baseUrl}/readyz`)).status, 200)
})
