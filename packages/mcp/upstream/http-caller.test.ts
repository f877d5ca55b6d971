import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { InstanceId } from '@crossfade/model/platform-ids.ts'
import { encodeStrictly } from './parameter-styles.ts'
import {
  apiKey,
  startUpstream,
  testCall,
  testConfig,
  testSession,
  testTool,
  textOf,
  withCaller,
} from './testing/loopback-upstream.ts'

const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')

test('SI-04 a call reaches the upstream with the right header, the right key and nothing more', async () => {
  const upstream = await startUpstream()
  await withCaller(upstream, async (caller) => {
    const tool = testTool({
      path: '/repos/{owner}/issues',
      parameters: [
        { argument: 'owner', name: 'owner', in: 'path', required: true, style: 'simple', explode: false },
        { argument: 'state', name: 'state', in: 'query', required: false, style: 'form', explode: true },
      ],
    })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const config = testConfig(`${upstream.url}/v1`, { headers: { 'Acme-Version': '7' } })
    const values = { owner: 'me', state: 'open' }
    const outcome = await caller.call(testCall(config, tool, { arguments: values, traceparent }))
    assert.equal(outcome.statusCode, 200)
    assert.equal(outcome.errorCode, null)
    assert.deepEqual(outcome.result, {
      content: [{ type: 'text', text: '{"ok":true}' }],
      structuredContent: { ok: true },
    })
    assert.equal(upstream.received[0]?.url, '/v1/repos/me/issues?state=open')
    const { 'user-agent': userAgent, ...headers } = upstream.received[0]!.headers
    assert.match(String(userAgent), /^crossfade-mcp\/\d/)
    assert.deepEqual(headers, {
      host: upstream.host,
      connection: 'keep-alive',
      accept: 'application/json',
      'accept-encoding': 'gzip, br, deflate, zstd',
      'acme-version': '7',
      authorization: 'Bearer key-of-one',
      traceparent,
    })
  })
})

test('SI-04 token passthrough: nothing that a caller sends becomes a header, and a false trace context is dropped', async () => {
  const upstream = await startUpstream()
  await withCaller(upstream, async (caller) => {
    const parameters = ['Authorization', 'X-Note'].map((name) => {
      return { argument: name, name, in: 'header' as const, required: false, style: 'simple' as const, explode: false }
    })
    const call = testCall(testConfig(upstream.url), testTool({ parameters }), {
      arguments: { Authorization: 'Bearer of-the-caller', 'X-Note': 'fine', cookie: 'a=b', 'x-api-key': 'no' },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nx-evil: 1',
    })
    await caller.call(call)
    const { rawHeaders, headers } = upstream.received[0]!
    assert.equal(headers.authorization, 'Bearer key-of-one')
    assert.equal(headers['x-note'], 'fine')
    assert.doesNotMatch(rawHeaders.join('\n'), /of-the-caller|traceparent|evil|cookie|x-api-key/i)
  })
})

test('M03 M04 two instances share connections but never a key, also when their keys are the same', async () => {
  const upstream = await startUpstream((request, response) =>
    response.end(JSON.stringify({ saw: request.headers.authorization, url: request.url })),
  )
  await withCaller(upstream, async (caller, client) => {
    const config = testConfig(upstream.url)
    const parameters = [
      {
        argument: 'canary',
        name: 'canary',
        in: 'query' as const,
        required: true,
        style: 'form' as const,
        explode: true,
      },
    ]
    const tool = testTool({ parameters })
    const calls = Array.from({ length: 200 }, async (_, index) => {
      const key = index % 4 === 3 ? 'shared-key' : `key-${index}`
      const session = testSession(apiKey(key), { instanceId: `acm_user_${index}` as InstanceId })
      const outcome = await caller.call(testCall(config, tool, { session, arguments: { canary: index } }))
      assert.deepEqual(outcome.result.structuredContent, { saw: `Bearer ${key}`, url: `/things?canary=${index}` })
    })
    await Promise.all(calls)
    assert.equal(client.origins, 1)
    assert.ok(upstream.connections <= 64, `${upstream.connections} connections`)
  })
})

test('M04 "not now" for one instance is not "not now" for another with the same key', async () => {
  const upstream = await startUpstream((request, response) => {
    const isFirst = upstream.received.length === 1
    response.writeHead(isFirst ? 429 : 200, isFirst ? { 'retry-after': '120' } : {})
    response.end(`{"url":"${request.url}"}`)
  })
  await withCaller(upstream, async (caller) => {
    const config = testConfig(upstream.url)
    const one = testSession(apiKey('shared'), { instanceId: 'acm_user_1' as InstanceId })
    const two = testSession(apiKey('shared'), { instanceId: 'acm_user_2' as InstanceId })
    const refused = await caller.call(testCall(config, testTool(), { session: one }))
    assert.equal(refused.errorCode, 'CF13320')
    assert.equal(refused.statusCode, 429)
    assert.match(textOf(refused), /120 s/)
    const again = await caller.call(testCall(config, testTool(), { session: one }))
    assert.equal(again.errorCode, 'CF13320')
    assert.equal(upstream.received.length, 1, 'the upstream is not asked again')
    assert.equal((await caller.call(testCall(config, testTool(), { session: two }))).errorCode, null)
    const newKey = testSession(apiKey('new'), { instanceId: 'acm_user_1' as InstanceId, credentialVersion: 2 })
    assert.equal((await caller.call(testCall(config, testTool(), { session: newKey }))).errorCode, null)
  })
})

test('what an upstream says of its trouble is passed on with a code and a remedy, without the key if it repeats that', async () => {
  const answers: Record<
    string,
    { status: number; body: string; headers?: Record<string, string>; code: string; says: RegExp }
  > = {
    bad: { status: 400, body: '{"error":{"message":"no such field"}}', code: 'CF13335', says: /no such field/ },
    refused: {
      status: 401,
      body: '{"message":"bad key key-of-one"}',
      code: 'CF13331',
      says: /bad key \[redacted\].*crossfade mcp connect acme/,
    },
    forbidden: { status: 403, body: 'nope', code: 'CF13332', says: /nope.*permission/ },
    missing: { status: 404, body: '{"message":"Not Found"}', code: 'CF13333', says: /Not Found/ },
    conflict: { status: 409, body: '{"errors":[{"detail":"stale"}]}', code: 'CF13334', says: /stale/ },
    invalid: { status: 422, body: '{"errors":[{"message":"a"},{"message":"b"}]}', code: 'CF13335', says: /a; b/ },
    broken: {
      status: 500,
      body: '<html><title>Oops</title><body>stack trace</body></html>',
      headers: { 'content-type': 'text/html' },
      code: 'CF13336',
      says: /\(500\): Oops\./,
    },
    teapot: { status: 418, body: '', code: 'CF13330', says: /nothing more/ },
    limited: {
      status: 403,
      body: '',
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '30' },
      code: 'CF13320',
      says: /30 s/,
    },
  }
  const upstream = await startUpstream(({ url }, response) => {
    const { status, body, headers } = answers[url.slice(1)]!
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(body)
  })
  await withCaller(upstream, async (caller) => {
    for (const [name, { status, code, says }] of Object.entries(answers)) {
      const session = testSession(apiKey('key-of-one'))
      const tool = testTool({ path: `/${name}`, method: 'POST' }, { name })
      const outcome = await caller.call(testCall(testConfig(upstream.url), tool, { session }))
      assert.equal(outcome.errorCode, code, name)
      assert.equal(outcome.statusCode, status)
      assert.equal(outcome.result.isError, true)
      assert.match(textOf(outcome), says)
      assert.doesNotMatch(textOf(outcome), /key-of-one|stack trace/)
      assert.equal(session.refused, status === 401 ? 1 : 0)
    }
  })
})

test('SI-08 no answer tells the key, not where it is cut, spelled otherwise, or repeated by an upstream that is content', async () => {
  const key = "key-of-one!('-0123456789"
  const upstream = await startUpstream(({ url, headers }, response) => {
    const basic = String(headers['authorization']).replace(/^Basic /, '')
    const sent = String(headers['authorization']).replace(/^Bearer /, '')
    const told: Record<string, () => void> = {
      '/cut': () => response.writeHead(400).end(`${'x'.repeat(1_990)} ${sent}`),
      '/late': () => response.writeHead(400).end(`${' '.repeat(65_530)}${sent}`),
      '/spelled': () => response.writeHead(400).end(`unknown: ${encodeStrictly(sent)}`),
      '/moved': () => response.writeHead(302, { location: `https://other.example/${'x'.repeat(1_970)}${sent}` }).end(),
      '/ok': () => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ sent, id: 7 })),
      '/plain': () => response.writeHead(200, { 'content-type': 'text/plain' }).end(`you said ${sent}`),
      '/user': () =>
        response.writeHead(401).end(`no such key ${Buffer.from(basic, 'base64').toString().split(':')[0]}`),
    }
    told[url]!()
  })
  await withCaller(upstream, async (caller) => {
    for (const path of ['/cut', '/late', '/spelled', '/moved', '/ok', '/plain']) {
      const session = testSession(apiKey(key))
      const outcome = await caller.call(testCall(testConfig(upstream.url), testTool({ path }), { session }))
      assert.doesNotMatch(JSON.stringify(outcome.result), /key-of|0123/, path)
      if (path === '/ok') assert.deepEqual(outcome.result.structuredContent, { sent: '[redacted]', id: 7 })
    }
    const auth = { type: 'basic_auth', usernameLabel: 'API key', passwordLabel: 'Leave empty', help: '' } as const
    const credential = { kind: 'basic_auth', username: 'key-of-one', password: '', additional: {} } as const
    const call = testCall(testConfig(upstream.url, { auth }), testTool({ path: '/user' }), {
      session: testSession(credential),
    })
    assert.match(textOf(await caller.call(call)), /no such key \[redacted\]/)
  })
})

test('answers become the content that their type and first bytes say', async () => {
  const answers: Record<string, [type: string | null, body: Buffer | string]> = {
    png: ['application/octet-stream', png],
    lie: ['image/png', Buffer.from('00ff00ff00', 'hex')],
    sound: ['audio/mpeg', Buffer.from('4944330300000000', 'hex')],
    file: ['application/vnd.acme', Buffer.from('00010203', 'hex')],
    pdf: ['application/pdf', Buffer.from('%PDF-1.7\n\u0000')],
    frames: ['application/octet-stream', Buffer.from('fffb900000', 'hex')],
    svg: ['image/svg+xml', '<svg/>'],
    text: ['text/plain; charset=iso-8859-1', Buffer.from('caf\xe9', 'latin1')],
    shiftJis: ['text/csv; charset="Shift_JIS"', Buffer.from('83658358', 'hex')],
    marked: ['text/plain', Buffer.from('\ufeffhé', 'utf16le')],
    unknownCharset: ['text/plain; charset=klingon', 'é'],
    latinJson: ['application/json; charset=iso-8859-1', Buffer.from('{"a":"caf\xe9"}', 'latin1')],
    utf8Json: ['application/json; charset=iso-8859-1', '{"a":"café"}'],
    markedJson: ['application/json', '\ufeff{"a":"é"}'],
    list: ['application/json', '[1,2]'],
    untyped: [null, '{"a":1}'],
    false: ['application/json', 'not json'],
    empty: [null, ''],
  }
  const upstream = await startUpstream(({ url }, response) => {
    const [type, body] = answers[url.slice(1)]!
    if (type !== null) response.setHeader('content-type', type)
    response.statusCode = url === '/empty' ? 204 : 200
    response.end(body)
  })
  await withCaller(upstream, async (caller) => {
    const results: Record<string, unknown> = {}
    for (const name of Object.keys(answers)) {
      const outcome = await caller.call(testCall(testConfig(upstream.url), testTool({ path: `/${name}` }, { name })))
      results[name] = outcome.result
    }
    assert.deepEqual(results, {
      png: { content: [{ type: 'image', data: png.toString('base64'), mimeType: 'image/png' }] },
      lie: {
        content: [
          {
            type: 'resource',
            resource: { uri: 'crossfade://acme/lie', mimeType: 'application/octet-stream', blob: 'AP8A/wA=' },
          },
        ],
      },
      sound: { content: [{ type: 'audio', data: 'SUQzAwAAAAA=', mimeType: 'audio/mpeg' }] },
      file: {
        content: [
          {
            type: 'resource',
            resource: { uri: 'crossfade://acme/file', mimeType: 'application/vnd.acme', blob: 'AAECAw==' },
          },
        ],
      },
      pdf: {
        content: [
          {
            type: 'resource',
            resource: { uri: 'crossfade://acme/pdf', mimeType: 'application/pdf', blob: 'JVBERi0xLjcKAA==' },
          },
        ],
      },
      frames: { content: [{ type: 'audio', data: '//uQAAA=', mimeType: 'audio/mpeg' }] },
      svg: { content: [{ type: 'text', text: '<svg/>' }] },
      text: { content: [{ type: 'text', text: 'café' }] },
      shiftJis: { content: [{ type: 'text', text: 'テス' }] },
      marked: { content: [{ type: 'text', text: 'hé' }] },
      unknownCharset: { content: [{ type: 'text', text: 'é' }] },
      latinJson: { content: [{ type: 'text', text: '{"a":"café"}' }], structuredContent: { a: 'café' } },
      utf8Json: { content: [{ type: 'text', text: '{"a":"café"}' }], structuredContent: { a: 'café' } },
      markedJson: { content: [{ type: 'text', text: '{"a":"é"}' }], structuredContent: { a: 'é' } },
      list: { content: [{ type: 'text', text: '[1,2]' }] },
      untyped: { content: [{ type: 'text', text: '{"a":1}' }], structuredContent: { a: 1 } },
      false: { content: [{ type: 'text', text: 'not json' }] },
      empty: { content: [{ type: 'text', text: '204: done; the upstream answered nothing more.' }] },
    })
  })
})

test('a long list is cut to correct JSON with a note that names how to page; what can not be cut is refused', async () => {
  const items = Array.from({ length: 100 }, (_, id) => ({ id, text: 'x'.repeat(50) }))
  const bodies: Record<string, string> = {
    '/list': JSON.stringify(items),
    '/wrapped': JSON.stringify({ total: 100, items }),
    '/object': JSON.stringify({ text: 'x'.repeat(5000) }),
    '/text': 'y'.repeat(5000),
  }
  const upstream = await startUpstream(({ url }, response) => {
    const [path = ''] = url.split('?')
    response.setHeader('content-type', path === '/text' ? 'text/plain' : 'application/json')
    response.end(bodies[path])
  })
  const parameters = [
    {
      argument: 'per_page',
      name: 'per_page',
      in: 'query' as const,
      required: false,
      style: 'form' as const,
      explode: true,
    },
  ]
  const run = async (path: string) => {
    const config = testConfig(upstream.url)
    return await theCaller.call(testCall(config, testTool({ path, parameters }, { name: path.slice(1) })))
  }
  let theCaller!: Parameters<Parameters<typeof withCaller>[1]>[0]
  await withCaller(
    upstream,
    async (caller) => {
      theCaller = caller
      for (const path of ['/list', '/wrapped']) {
        const { result } = await run(path)
        const [text, note] = result.content.map((block) => (block.type === 'text' ? block.text : ''))
        const shown = JSON.parse(text!) as unknown
        const kept = Array.isArray(shown) ? shown : (shown as { items: unknown[] }).items
        assert.ok(text!.length <= 1000 && kept.length > 5)
        assert.deepEqual(kept, items.slice(0, kept.length))
        assert.match(note!, new RegExp(`first ${kept.length} of 100 items.*per_page`))
        assert.equal(result.structuredContent, undefined)
      }
      const refused = await run('/object')
      assert.equal(refused.errorCode, 'CF13315')
      assert.match(textOf(refused), /per_page/)
      assert.match(textOf(await run('/text')), /^y{1000}\nOnly the first 1000 of 5000 characters/)
    },
    { textCharactersMax: 1000 },
  )
})

test('SI-04 an upstream that pages by link headers is gone on with by the arguments of the tool', async () => {
  const links: Record<string, string> = {
    '/both':
      '<https://api.acme.test/both?page=1>; rel="prev", <https://api.acme.test/both?q=x&page=3&per_page=2>; rel="next"',
    '/cursor': '</cursor?page%5Bafter%5D=a%2Cb>; title="the rest, of it"; rel=next',
    '/several': '<?page=4>; rel="last next"',
    '/last': '<https://api.acme.test/last?page=1>; rel="first"',
    '/key': '<https://api.acme.test/key?api_key=secret>; rel="next"',
    '/echo': '<https://api.acme.test/echo?page=key-of-one>; rel="next"',
    '/broken': '<http://[>; rel="next", <',
  }
  const upstream = await startUpstream(({ url }, response) => {
    response.setHeader('link', links[url]!)
    response.setHeader('content-type', 'application/json').end('[1]')
  })
  const parameters = ['q', 'page', 'per_page', 'page[after]', 'api_key'].map((name) => {
    const argument = name.replace(/\W+/g, '_').replace(/_$/, '')
    return { argument, name, in: 'query', required: false, style: 'form', explode: true } as const
  })
  await withCaller(upstream, async (caller) => {
    const told: Record<string, string[]> = {}
    for (const path of Object.keys(links)) {
      const outcome = await caller.call(testCall(testConfig(upstream.url), testTool({ path, parameters })))
      told[path] = textOf(outcome).split('\n')
    }
    assert.deepEqual(told, {
      '/both': ['[1]', 'There is more: call it again with page=3, per_page=2.'],
      '/cursor': ['[1]', 'There is more: call it again with page_after=a,b.'],
      '/several': ['[1]', 'There is more: call it again with page=4.'],
      '/last': ['[1]'],
      '/key': ['[1]'],
      '/echo': ['[1]', 'There is more: call it again with page=[redacted].'],
      '/broken': ['[1]'],
    })
  })
})

test('redirects are followed within the origin for reads; to another origin nothing is sent, the address is told', async (context) => {
  const other = await startUpstream()
  context.after(() => other.close())
  const upstream = await startUpstream(({ url }, response) => {
    const targets: Record<string, string> = {
      '/old': '/new',
      '/away': `${other.url}/stolen`,
      '/loop': '/loop',
      '/down': '//127.0.0.1:1/x',
    }
    const location = targets[url.split('?')[0]!]
    response.writeHead(location === undefined ? 200 : 302, location === undefined ? {} : { location })
    response.end('{"at":"here"}')
  })
  await withCaller(
    upstream,
    async (caller) => {
      const config = testConfig(upstream.url)
      const moved = await caller.call(testCall(config, testTool({ path: '/old' })))
      assert.deepEqual(moved.result.structuredContent, { at: 'here' })
      assert.equal(upstream.received.at(-1)?.headers.authorization, 'Bearer key-of-one')
      for (const path of ['/away', '/loop', '/down']) {
        const outcome = await caller.call(testCall(config, testTool({ path }, { name: path.slice(1) })))
        assert.equal(outcome.errorCode, 'CF13317', path)
      }
      assert.match(textOf(await caller.call(testCall(config, testTool({ path: '/away' })))), /\/stolen/)
      const written = await caller.call(testCall(config, testTool({ path: '/old', method: 'POST' })))
      assert.equal(written.errorCode, 'CF13317')
      const inQuery = testConfig(upstream.url, {
        auth: { type: 'api_key', label: 'Key', help: 'x', send: { in: 'query', name: 'key' } },
      })
      const before = upstream.received.length
      const keyInAddress = await caller.call(testCall(inQuery, testTool({ path: '/old' })))
      assert.equal(keyInAddress.errorCode, 'CF13317')
      assert.equal(upstream.received.length, before + 1)
      assert.equal(other.received.length, 0)
    },
    { allowedPrivateHosts: [upstream.host, other.host] },
  )
})

test('a cancelled call closes its connection and rejects with the reason; one that waits is never sent', async () => {
  const upstream = await startUpstream(() => undefined)
  await withCaller(upstream, async (caller) => {
    const controller = new AbortController()
    const reason = new Error('the client went away')
    const running = caller.call(testCall(testConfig(upstream.url), testTool(), { signal: controller.signal }))
    const rejected = assert.rejects(running, reason)
    while (upstream.received.length === 0) await setImmediate()
    controller.abort(reason)
    await rejected
    while (upstream.connections > 0) await setImmediate()
    await assert.rejects(
      caller.call(testCall(testConfig(upstream.url), testTool(), { signal: controller.signal })),
      reason,
    )
    assert.equal(upstream.received.length, 1)
  })
})

test('reads are tried again after 502, 503 and 504, at most twice; writes never', async () => {
  const upstream = await startUpstream((_, response) => {
    response.statusCode = upstream.received.length < 3 ? 503 : 200
    response.end('{}')
  })
  await withCaller(upstream, async (caller) => {
    assert.equal((await caller.call(testCall(testConfig(upstream.url), testTool()))).statusCode, 200)
    assert.equal(upstream.received.length, 3)
    upstream.received.length = 0
    const written = await caller.call(testCall(testConfig(upstream.url), testTool({ method: 'POST' })))
    assert.equal(written.errorCode, 'CF13336')
    assert.equal(upstream.received.length, 1)
  })
})

test('the answer to HEAD may announce more than the limit, for it brings nothing', async () => {
  const upstream = await startUpstream((_, response) => response.setHeader('content-length', 10_000_000).end())
  await withCaller(
    upstream,
    async (caller) => {
      const outcome = await caller.call(testCall(testConfig(upstream.url), testTool({ method: 'HEAD' })))
      assert.equal(outcome.errorCode, null)
      assert.equal(textOf(outcome), '200: done; the upstream answered nothing more.')
    },
    { responseBytesMax: 1000 },
  )
})

test('the published rate of a service is kept per instance: what does not fit is answered with the wait', async () => {
  const upstream = await startUpstream()
  await withCaller(upstream, async (caller) => {
    const config = testConfig(upstream.url, { rateLimit: { requestsMax: 3, windowMs: 600_000 } })
    const session = testSession(apiKey('k-1'))
    const codes: (string | null)[] = []
    for (let call = 0; call < 5; call++)
      codes.push((await caller.call(testCall(config, testTool(), { session }))).errorCode)
    assert.deepEqual(codes, [null, null, null, 'CF13321', 'CF13321'])
    assert.equal(upstream.received.length, 3)
    const other = testSession(apiKey('k-1'), { instanceId: 'acm_user_2' as InstanceId })
    assert.equal((await caller.call(testCall(config, testTool(), { session: other }))).errorCode, null)
  })
})
