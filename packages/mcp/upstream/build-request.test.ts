import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CallBody, CallParameter, HttpCall } from '@crossfade/catalog/catalog.ts'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { Failure } from '@crossfade/model/failure.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import type { Credential } from '../instances/session.ts'
import { type BuiltRequest, compileRequest } from './build-request.ts'
import { apiKey, testConfig } from './testing/loopback-upstream.ts'

const base = 'https://api.acme.test/v1'

interface Given {
  readonly call?: Partial<HttpCall>
  readonly config?: ServiceConfig
  readonly values?: Record<string, unknown>
  readonly variables?: Record<string, string>
  readonly credential?: Credential
}

function build({
  call,
  config = testConfig(base),
  values = {},
  variables = {},
  credential = apiKey('the-key'),
}: Given): BuiltRequest {
  const whole: HttpCall = { method: 'GET', path: '/things', parameters: [], body: null, ...call }
  return compileRequest(whole, config, 'things').build(values, variables, credential)
}

function parameter(changes: Partial<CallParameter> & Pick<CallParameter, 'in'>): CallParameter {
  const style = changes.in === 'query' || changes.in === 'cookie' ? 'form' : 'simple'
  return {
    argument: 'color',
    name: 'color',
    required: changes.in === 'path',
    style,
    explode: style === 'form',
    ...changes,
  }
}

function refused(given: Given, code = 'CF13300'): string {
  try {
    build(given)
  } catch (error) {
    assert.ok(error instanceof Failure, String(error))
    assert.equal(error.code, code, error.message)
    return error.message
  }
  throw new assert.AssertionError({ message: `not refused: ${JSON.stringify(given.values)}` })
}

function headersOf({ headers }: BuiltRequest): Record<string, string> {
  const pairs: [string, string][] = []
  for (let index = 0; index < headers.length; index += 2)
    pairs.push([headers[index]!.toLowerCase(), headers[index + 1]!])
  return Object.fromEntries(pairs)
}

test('empty, missing and null values: left out where that is allowed, named where it is not', () => {
  const query = { parameters: [parameter({ in: 'query' })] }
  assert.equal(build({ call: query, values: { color: '' } }).path, '/v1/things?color=')
  for (const color of [undefined, null, [], {}])
    assert.equal(build({ call: query, values: { color } }).path, '/v1/things')
  const required = { parameters: [parameter({ in: 'query', required: true })] }
  assert.match(refused({ call: required }), /argument color of things is missing/)
  const inherited = { parameters: [parameter({ in: 'query', argument: 'toString' })] }
  assert.equal(build({ call: inherited }).path, '/v1/things')
  for (const color of [undefined, null, '', [], {}]) {
    assert.match(
      refused({ call: { path: '/{color}', parameters: [parameter({ in: 'path' })] }, values: { color } }),
      /empty|missing/,
    )
  }
})

test('parameters with content are JSON text, and allowReserved lets reserved characters through but none that ends the value', () => {
  const filter = { parameters: [parameter({ in: 'query', content: 'json' })] }
  assert.equal(build({ call: filter, values: { color: { a: [1] } } }).path, '/v1/things?color=%7B%22a%22%3A%5B1%5D%7D')
  const reserved = { parameters: [parameter({ in: 'query', allowReserved: true })] }
  assert.equal(
    build({ call: reserved, values: { color: "a/b?c:d@e!$'()*,;=&#+[]%2F é" } }).path,
    "/v1/things?color=a/b?c:d@e!$'()*,;=%26%23%2B%5B%5D%2F%20%C3%A9",
  )
  const path = { path: '/files/{color}', parameters: [parameter({ in: 'path', allowReserved: true })] }
  assert.equal(build({ call: path, values: { color: 'a/b?c#d' } }).path, '/v1/files/a/b%3Fc%23d')
})

test('path traversal: no argument leaves its segment, however it is written', () => {
  const plain = { path: '/users/{color}/keys', parameters: [parameter({ in: 'path' })] }
  for (const color of [
    '..',
    '.',
    '../admin',
    '..\\admin',
    'a/../b',
    'a/..',
    '%2e%2e',
    '%2E%2e/x',
    '.%2e',
    '%252e%252e%252fadmin',
    'a%2f..%2fb',
    '..;x',
    ['..'],
    ['../../admin'],
    ['a/../b', 'c'],
    { '../admin': 'x' },
  ]) {
    assert.match(refused({ call: plain, values: { color } }), /out of its place|leave its place/, String(color))
  }
  const kept = {
    'a/b': 'a%2Fb',
    'a?b': 'a%3Fb',
    'a#b': 'a%23b',
    '%2f': '%252f',
    'a b': 'a%20b',
    'a\r\nb': 'a%0D%0Ab',
    '...': '...',
    'a..b': 'a..b',
    'v1.2': 'v1.2',
    '\ud800': '%EF%BF%BD',
  }
  for (const [color, segment] of Object.entries(kept)) {
    assert.equal(build({ call: plain, values: { color } }).path, `/v1/users/${segment}/keys`)
  }
  const reserved = { path: '/files/{color}', parameters: [parameter({ in: 'path', allowReserved: true })] }
  for (const color of ['../x', 'a/../../x', 'a/.', '%2e%2e/x']) refused({ call: reserved, values: { color } })
  const beside = {
    path: '/x/{a}{b}/y',
    parameters: ['a', 'b'].map((name) => parameter({ in: 'path', name, argument: name })),
  }
  assert.match(refused({ call: beside, values: { a: '.', b: 'ok' } }), /only dots/)
  const label = { path: '/x/{color}', parameters: [parameter({ in: 'path', style: 'label' })] }
  assert.match(refused({ call: label, values: { color: [''] } }), /place|empty/)
  // The dot that begins a label makes two of one.
  for (const color of [['./../admin'], './admin', '/admin']) refused({ call: label, values: { color } })
})

test('header injection: no line break, no header that frames the request, none that the service or the key has', () => {
  const withHeader = (name: string) => ({ parameters: [parameter({ in: 'header', name })] })
  for (const color of [
    'a\r\nx-evil: 1',
    'a\nb',
    'a\rb',
    'a\u0000b',
    '\u2028',
    'ключ',
    ' padded ',
    ['ok', 'a\nb'],
    { a: 'x\r\ny' },
  ]) {
    assert.match(refused({ call: withHeader('X-Note'), values: { color } }), /characters/)
  }
  for (const name of [
    'Host',
    'content-length',
    'Transfer-Encoding',
    'Cookie',
    'connection',
    'Upgrade',
    'TE',
    'trailer',
    'expect',
    'Proxy-Authorization',
    'X-Forwarded-For',
    'bad name',
    'x:y',
  ]) {
    assert.match(refused({ call: withHeader(name), values: { color: 'x' } }), /no argument may/, name)
    build({ call: withHeader(name) })
  }
  const config = testConfig(base, {
    headers: { 'Acme-Version': '7' },
    auth: { type: 'api_key', label: 'k', help: 'h', send: { in: 'header', name: 'X-Acme-Key' } },
  })
  for (const name of [
    'x-acme-key',
    'ACME-VERSION',
    'authorization',
    'Accept',
    'content-type',
    'User-Agent',
    'accept-encoding',
  ]) {
    const headers = headersOf(build({ call: withHeader(name), config, values: { color: 'mine' } }))
    assert.ok(!Object.values(headers).includes('mine'), name)
    assert.equal(headers['x-acme-key'], 'the-key')
  }
})

test('request smuggling by argument: whatever a value holds, the request line and the body stay one of each', () => {
  const evil = ' HTTP/1.1\r\nhost: evil\r\n\r\nGET /admin'
  const call = {
    path: '/{a}',
    parameters: [
      parameter({ in: 'path', name: 'a', argument: 'a' }),
      parameter({ in: 'query', name: 'b', argument: 'b' }),
    ],
  }
  const { path } = build({ call, values: { a: evil, b: evil } })
  assert.match(path, /^\/v1\/[\x21-\x7e]+$/)
  assert.equal(new URL(path, base).searchParams.get('b'), evil)
})

test('request smuggling by description: an import may not put its key where a request is framed or routed, on connections that all users share', () => {
  for (const name of [
    'Transfer-Encoding',
    'content-length',
    'Host',
    'Connection',
    'X-Forwarded-For',
    'a b',
    'a\r\nb',
  ]) {
    const send = { in: 'header', name } as const
    const config = testConfig(base, { auth: { type: 'api_key', label: 'k', help: 'h', send } })
    assert.match(refused({ config }, 'CF13303'), /its key can not be sent/, name)
    const additional = [{ name: 'more', label: 'm', required: false, send }]
    const auth = { type: 'api_key', label: 'k', help: 'h', send: { in: 'query', name: 'key' }, additional } as const
    refused({ config: testConfig(base, { auth: { ...auth, additional: [...additional] } }) }, 'CF13303')
  }
})

test('the key stands exactly where the description says', () => {
  const auth = (send: object, additional?: object[]) => {
    return testConfig(base, {
      auth: {
        type: 'api_key',
        label: 'k',
        help: 'h',
        send,
        ...(additional && { additional }),
      } as ServiceConfig['auth'],
    })
  }
  const inQuery = auth({ in: 'query', name: 'api_key' })
  assert.equal(build({ config: inQuery, credential: apiKey('a&b=c') }).path, '/v1/things?api_key=a%26b%3Dc')
  const trello = auth({ in: 'query', name: 'key' }, [
    { name: 'token', label: 't', required: true, send: { in: 'query', name: 'token' } },
  ])
  assert.equal(build({ config: trello, credential: apiKey('k', { token: 't' }) }).path, '/v1/things?key=k&token=t')
  assert.match(refused({ config: trello, credential: apiKey('k') }, 'CF13302'), /lacks token/)
  const datadog = auth({ in: 'header', name: 'DD-API-KEY' }, [
    { name: 'app', label: 'a', required: false, send: { in: 'header', name: 'DD-APPLICATION-KEY' } },
  ])
  const both = headersOf(build({ config: datadog, credential: apiKey('k', { app: 'a' }) }))
  assert.deepEqual([both['dd-api-key'], both['dd-application-key'], both['authorization']], ['k', 'a', undefined])
  assert.equal(headersOf(build({ config: datadog }))['dd-application-key'], undefined)
  const telegram = { ...auth({ in: 'path', name: 'token' }), baseUrl: 'https://api.telegram.test/bot{token}' }
  assert.equal(build({ config: telegram, credential: apiKey('12:Ab-_c') }).path, '/bot12:Ab-_c/things')
  for (const key of ['../x', 'a/b', 'a?b', 'a#b', '%2f', '..', ''])
    refused({ config: telegram, credential: apiKey(key) }, 'CF13302')
  const oauth = testConfig(base, {
    auth: {
      type: 'oauth2',
      authorizationUrl: base,
      tokenUrl: base,
      scopes: [],
      clientAuthentication: 'body',
      send: { in: 'header', name: 'authorization', prefix: 'Bearer ' },
    },
  })
  assert.equal(
    headersOf(build({ config: oauth, credential: { kind: 'oauth2', accessToken: 'tok' } }))['authorization'],
    'Bearer tok',
  )
  assert.equal(headersOf(build({ config: oauth, credential: apiKey('pasted') }))['authorization'], 'Bearer pasted')
  const basic = testConfig(base, { auth: { type: 'basic_auth', usernameLabel: 'u', passwordLabel: 'p', help: 'h' } })
  const credential = { kind: 'basic_auth', username: 'ü', password: 'p:w', additional: {} } as const
  assert.equal(
    headersOf(build({ config: basic, credential }))['authorization'],
    `Basic ${Buffer.from('ü:p:w').toString('base64')}`,
  )
  refused({ config: basic, credential: { ...credential, username: 'a:b' } }, 'CF13302')
  refused({ config: basic }, 'CF13302')
  const none = testConfig(base, { auth: { type: 'none' } })
  assert.equal(headersOf(build({ config: none }))['authorization'], undefined)
  for (const key of ['a\r\nb', 'a\nb', 'ключ']) {
    const message = refused({ credential: apiKey(key) }, 'CF13302')
    assert.ok(!message.includes(key))
  }
})

test('no argument takes the place of a key in the query, not even a member of an object that is spread out', () => {
  const config = testConfig(base, {
    auth: { type: 'api_key', label: 'k', help: 'h', send: { in: 'query', name: 'api key' } },
  })
  const same = { parameters: [parameter({ in: 'query', name: 'api key' })] }
  const spread = { parameters: [parameter({ in: 'query' })] }
  refused({ config, call: same, values: { color: 'mine' } })
  refused({ config, call: spread, values: { color: { 'api key': 'mine' } } })
  assert.equal(
    build({ config, call: spread, values: { color: { other: 1 } } }).path,
    '/v1/things?other=1&api%20key=the-key',
  )
})

test('variables fill the address as their pattern allows, encoded for the place where they stand', () => {
  const variables = {
    subdomain: { label: 's', pattern: '[a-z-]+' },
    site: { label: 's', pattern: '.*', default: 'main' },
  }
  const config = testConfig('https://{subdomain}.acme.test/sites/{site}/', { variables })
  assert.deepEqual(
    (({ origin, path }) => ({ origin, path }))(build({ config, variables: { subdomain: 'me', site: 'a b' } })),
    { origin: 'https://me.acme.test', path: '/sites/a%20b/things' },
  )
  assert.equal(build({ config, variables: { subdomain: 'me' } }).path, '/sites/main/things')
  for (const subdomain of ['', 'evil.test/', 'me@evil', 'UPPER'])
    refused({ config, variables: { subdomain } }, 'CF13301')
  refused({ config }, 'CF13301')
  refused({ config, variables: { subdomain: 'me', site: '../..' } }, 'CF13301')
  const { path } = build({ config, variables: { subdomain: 'me', site: '?x#y' } })
  assert.equal(path, '/sites/%3Fx%23y/things')
})

test('bodies: members, wrapped and fixed ones, and whole arguments', () => {
  const members = (changes: object): CallBody => ({
    kind: 'members',
    contentType: 'application/json',
    encoding: 'json',
    required: true,
    members: [
      { argument: 'a', name: 'a' },
      { argument: 'body_b', name: 'b' },
    ],
    ...changes,
  })
  const post = (body: CallBody, values: Record<string, unknown>) => build({ call: { method: 'POST', body }, values })
  assert.equal(post(members({}), { a: 1, body_b: [null], c: 3 }).body, '{"a":1,"b":[null]}')
  const graph = members({ fixed: { query: '{me}' }, argumentsIn: 'variables' })
  assert.equal(post(graph, { a: 1 }).body, '{"variables":{"a":1},"query":"{me}"}')
  assert.equal(post(members({ fixed: { a: 'ours' } }), { a: 'mine' }).body, '{"a":"ours"}')
  assert.equal(post(members({ required: false }), {}).body, null)
  assert.equal(headersOf(post(members({ required: false }), {}))['content-type'], undefined)
  assert.equal(post(members({}), {}).body, '{}')
  const whole = (encoding: 'json' | 'text' | 'base64'): CallBody => ({
    kind: 'whole',
    contentType: 'x/y',
    encoding,
    argument: 'a',
    required: true,
  })
  assert.equal(post(whole('json'), { a: [1] }).body, '[1]')
  assert.equal(post(whole('text'), { a: 'hé' }).body, 'hé')
  assert.deepEqual(post(whole('base64'), { a: 'AAH_' }).body, Buffer.from([0, 1, 255]))
  refused({ call: { body: whole('base64') }, values: { a: 'not base64!' } })
  refused({ call: { body: whole('json') } })
})

test('random values come back from a parser as they went in, wherever they stand', (context) => {
  const seed = testSeed()
  context.diagnostic(`CROSSFADE_SEED=${seed}`)
  const random = seededRandom(seed)
  const alphabet = [
    ...'abz09-._~ !"#$%&\'()*+,/:;<=>?@[\\]^`{|}\r\n\t\u0000',
    'é',
    '漢',
    '😀',
    '%2e',
    '%2F',
    '..',
    '\ud800',
  ]
  const text = () =>
    Array.from({ length: 1 + Math.floor(random() * 8) }, () => alphabet[Math.floor(random() * alphabet.length)]!).join(
      '',
    )
  const call: HttpCall = {
    method: 'POST',
    path: '/in/{segment}/end',
    parameters: [
      parameter({ in: 'path', argument: 'segment', name: 'segment' }),
      parameter({ in: 'query', argument: 'q', name: 'q&=' }),
      parameter({ in: 'query', argument: 'list', name: 'list' }),
      parameter({ in: 'query', argument: 'free', name: 'free', allowReserved: true }),
      parameter({ in: 'query', argument: 'deep', name: 'deep', style: 'deepObject' }),
    ],
    body: {
      kind: 'members',
      contentType: 'application/x-www-form-urlencoded',
      encoding: 'form',
      required: true,
      members: [{ argument: 'm', name: 'm' }],
    },
  }
  const plan = compileRequest(call, testConfig(base), 'things')
  let refusals = 0
  for (let round = 0; round < 3000; round++) {
    const values = {
      segment: text(),
      q: text(),
      list: [text(), text()],
      free: text(),
      deep: { [text()]: text() },
      m: text(),
    }
    let request: BuiltRequest
    try {
      request = plan.build(values, {}, apiKey('k'))
    } catch (error) {
      assert.ok(error instanceof Failure && error.code === 'CF13300', String(error))
      assert.match(values.segment, /\.|%/)
      refusals++
      continue
    }
    const told = `seed ${seed} round ${round} ${JSON.stringify(values)}`
    assert.match(request.path, /^[\x21-\x7e]+$/, told)
    const url = new URL(request.origin + request.path)
    assert.equal(url.host, 'api.acme.test', told)
    const segments = url.pathname.split('/')
    assert.equal(segments.length, 5, told)
    assert.equal(decodeURIComponent(segments[3]!), values.segment.toWellFormed(), told)
    assert.equal(url.hash, '', told)
    assert.equal(url.searchParams.get('q&='), values.q.toWellFormed(), told)
    assert.deepEqual(
      url.searchParams.getAll('list'),
      values.list.map((item) => item.toWellFormed()),
      told,
    )
    // RFC 6570: what is a percent-encoded triple already goes as it is.
    const triples = encodeURIComponent(values.free.toWellFormed()).replace(/%25([0-9A-Fa-f]{2})/g, '%$1')
    assert.equal(url.searchParams.get('free'), new URLSearchParams(`free=${triples}`).get('free'), told)
    const [key] = Object.keys(values.deep)
    assert.equal(url.searchParams.get(`deep[${key!.toWellFormed()}]`), values.deep[key!]!.toWellFormed(), told)
    assert.equal([...url.searchParams].length, 5, told)
    assert.equal(new URLSearchParams(String(request.body)).get('m'), values.m.toWellFormed(), told)
  }
  assert.ok(refusals < 1500, `${refusals} refusals`)
})
