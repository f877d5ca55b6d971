import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { InjectOptions } from 'fastify'
import { parseTokens, type Role, roles } from './authentication.ts'
import type { Problem } from './contract/vocabulary.ts'
import { makeToken } from './make-token.ts'
import { sampleMigration, type TestServer, testServer } from './testing.ts'

/** What each role is the first to be allowed. */
const requests: readonly (readonly [Role, Omit<InjectOptions, 'url'> & { readonly url: string }])[] = [
  ['viewer', { method: 'GET', url: '/api/v1/migrations' }],
  ['viewer', { method: 'GET', url: '/api/v1/migrations/ID' }],
  ['viewer', { method: 'GET', url: '/api/v1/migrations/ID/history' }],
  ['viewer', { method: 'GET', url: '/api/v1/workers' }],
  ['viewer', { method: 'GET', url: '/api/v1/session' }],
  ['viewer', { method: 'GET', url: '/api/v1/plans/last?name=messaging' }],
  ['operator', { method: 'POST', url: '/api/v1/plans/resolve', payload: { plan: 'other' } }],
  ['operator', { method: 'POST', url: '/api/v1/plans/doctor', payload: { plan: 'other' } }],
  ['operator', { method: 'POST', url: '/api/v1/migrations', payload: { plan: 'other' } }],
  ['operator', { method: 'POST', url: '/api/v1/migrations/ID/pause' }],
  ['operator', { method: 'POST', url: '/api/v1/migrations/ID/resume' }],
  ['operator', { method: 'POST', url: '/api/v1/migrations/ID/retreat', payload: {} }],
  ['operator', { method: 'POST', url: '/api/v1/migrations/ID/advance', payload: {} }],
  ['operator', { method: 'POST', url: '/api/v1/migrations/ID/verify', payload: { repair: true } }],
  ['admin', { method: 'PUT', url: '/api/v1/migrations/ID/gates/release/approval', payload: { approved: true } }],
  ['admin', { method: 'POST', url: '/api/v1/migrations/ID/abort' }],
]

suite('tokens and roles', () => {
  let server: TestServer
  let id: string
  before(async () => {
    server = await testServer()
    id = await sampleMigration(server)
  })
  after(() => server.close())

  for (const [needed, { method, url, payload }] of requests) {
    test(`DM-17 ${method} ${url} needs ${needed}: lower roles get CF7202, no token CF7201`, async () => {
      const ask = (headers: Record<string, string>) =>
        server.app.inject({
          method: method!,
          url: url.replace('ID', id),
          headers,
          ...(payload ? { payload } : {}),
        })
      const without = await ask({})
      assert.equal(without.statusCode, 401)
      assert.equal(without.json<Problem>().code, 'CF7201')
      for (const role of roles) {
        const answer = await ask(server.headers[role])
        if (roles.indexOf(role) < roles.indexOf(needed)) {
          assert.equal(answer.statusCode, 403, role)
          assert.equal(answer.json<Problem>().code, 'CF7202')
        } else assert.ok([200, 202, 409].includes(answer.statusCode), `${role}: ${answer.statusCode} ${answer.body}`)
      }
    })
  }

  test('DM-17 every route of the API is covered by a role above, or is open', async () => {
    const open = ['/health/live', '/health/ready', '/metrics', '/api/v1/openapi.json']
    for (const url of open) assert.equal((await server.app.inject({ url })).statusCode, 200, url)
    const documented = server.app.swagger() as { paths: Record<string, Record<string, unknown>> }
    for (const [path, operations] of Object.entries(documented.paths)) {
      if (open.includes(path)) continue
      for (const method of Object.keys(operations)) {
        const url = path.replace('{id}', id).replace(/\{\w+\}/, 'x')
        const answer = await server.app.inject({ method: method.toUpperCase() as 'GET', url })
        assert.equal(answer.statusCode, 401, `${method} ${path} lets somebody in without a token`)
      }
    }
  })

  test('DM-17 an address that is written in another way needs a token just the same', async () => {
    for (const url of [
      '/%61pi/v1/migrations',
      '/api/v1/%6digrations',
      `/api/v1/migrations/${id}?x=/health/live`,
      '/api/v1/migrations?',
    ]) {
      assert.equal((await server.app.inject({ url })).statusCode, 401, url)
    }
    for (const url of [
      '//api/v1/migrations',
      '/api/v1/migrations/',
      '/API/v1/migrations',
      '/health/../api/v1/migrations',
    ]) {
      const answer = await server.app.inject({ url })
      assert.ok([401, 404].includes(answer.statusCode), `${url}: ${answer.statusCode}`)
    }
  })

  const wrong = {
    'an unknown token': `Bearer ${makeToken('x', 'admin').token}`,
    'a short token': 'Bearer abc',
    'an empty token': 'Bearer ',
    'another scheme': 'Basic YWRtaW46YWRtaW4=',
    'a token that is too long': `Bearer ${'x'.repeat(600)}`,
    'two tokens': 'Bearer aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbb',
    'a known hash instead of its token': '',
  }
  for (const [what, authorization] of Object.entries(wrong)) {
    test(`DM-17 ${what} is refused with CF7201 and not repeated`, async () => {
      const header = authorization || `Bearer ${'a'.repeat(64)}`
      const answer = await server.app.inject({ url: '/api/v1/migrations', headers: { authorization: header } })
      assert.equal(answer.statusCode, 401)
      const problem = answer.json<Problem>()
      assert.equal(problem.code, 'CF7201')
      assert.equal(problem.retry, false)
      assert.ok(!answer.body.includes(header.slice(7)) || header.length < 10)
    })
  }

  test('DM-10 the journal names the token that asked, and holds no token', async () => {
    await server.app.inject({ method: 'POST', url: `/api/v1/migrations/${id}/pause`, headers: server.headers.operator })
    const entries = await server.service.history(id as never, { limit: 1 })
    assert.equal(entries[0]?.actor, 'api:operator')
    assert.equal(entries[0]?.kind, 'commanded')
    const all = JSON.stringify(await server.service.history(id as never))
    for (const token of Object.values(server.tokens)) assert.ok(!all.includes(token))
  })
})

suite('local mode', () => {
  let server: TestServer
  before(async () => {
    server = await testServer({ access: { kind: 'local' } })
  })
  after(() => server.close())

  for (const host of ['127.0.0.1:7070', 'localhost', 'localhost:7070', '[::1]:7070']) {
    test(`a page that was opened as ${host} needs no token`, async () => {
      const answer = await server.app.inject({ url: '/api/v1/migrations', headers: { host, origin: `http://${host}` } })
      assert.equal(answer.statusCode, 200)
    })
  }

  const foreign: readonly (readonly [string, Record<string, string>])[] = [
    ['a name that was rebound to this machine', { host: 'evil.example:7070' }],
    ['a name that starts like ours', { host: '127.0.0.1.evil.example' }],
    ['another name of this machine', { host: '192.168.1.5:7070' }],
    ['a page elsewhere', { host: '127.0.0.1:7070', origin: 'https://evil.example' }],
    ['a page that looks like ours', { host: '127.0.0.1:7070', origin: 'http://localhost.evil.example' }],
    ['a sandboxed page', { host: '127.0.0.1:7070', origin: 'null' }],
  ]
  for (const [what, headers] of foreign) {
    test(`DM-17 ${what} is refused with CF7203, whatever it asks`, async () => {
      for (const method of ['GET', 'POST'] as const) {
        const answer = await server.app.inject({
          method,
          url: '/api/v1/migrations',
          headers,
          ...(method === 'POST' ? { payload: { plan: 'x' } } : {}),
        })
        assert.equal(answer.statusCode, 403)
        assert.equal(answer.json<Problem>().code, 'CF7203')
      }
      assert.equal((await server.service.list()).length, 0)
    })
  }

  test('DM-10 the actor of an unauthenticated person at this machine is `local`', async () => {
    const answer = await server.app.inject({
      method: 'POST',
      url: '/api/v1/migrations',
      headers: { host: 'localhost' },
      payload: { plan: 'mine' },
    })
    assert.equal(answer.statusCode, 202)
    const [entry] = await server.service.history(answer.json<{ id: never }>().id, { after: 0 })
    assert.equal(entry?.actor, 'api:local')
  })
})

suite('tokens file', () => {
  test('comments and empty lines are passed over', () => {
    const { line } = makeToken('ann@example', 'viewer')
    assert.deepEqual(
      parseTokens(`# who\n\n  ${line}  \r\n`).map(({ name, role }) => [name, role]),
      [['ann@example', 'viewer']],
    )
  })
  const good = makeToken('a', 'admin').line
  for (const line of [
    'a:admin',
    'a:root:'.padEnd(71, '0'),
    `${good}0`,
    good.toUpperCase(),
    `a b:admin:${'0'.repeat(64)}`,
    `:admin:${'0'.repeat(64)}`,
  ]) {
    test(`CF7204 names the line that is wrong: ${line.slice(0, 20)}`, () => {
      assert.throws(() => parseTokens(`${good}\n${line}`), { code: 'CF7204', message: /^Line 2 / })
    })
  }
  test('a token cannot be made with a name or a role that the file could not hold', () => {
    assert.throws(() => makeToken('a:b', 'admin'), { code: 'CF7212' })
    assert.throws(() => makeToken('', 'admin'), { code: 'CF7212' })
    assert.throws(() => makeToken('a', 'root'), { code: 'CF7212' })
  })
  test('two tokens are never the same, and each fits its line', () => {
    const tokens = Array.from({ length: 100 }, () => makeToken('a', 'admin'))
    assert.equal(new Set(tokens.map(({ token }) => token)).size, 100)
    assert.equal(parseTokens(tokens.map(({ line }) => line).join('\n')).length, 100)
  })
})
