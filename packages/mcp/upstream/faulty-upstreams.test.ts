import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { InstanceId } from '@crossfade/model/platform-ids.ts'
import {
  apiKey,
  startRawUpstream,
  startUpstream,
  testCall,
  testConfig,
  testSession,
  testTool,
  textOf,
  withCaller,
} from './testing/loopback-upstream.ts'

const post = testTool({ method: 'POST' })

test('upstreams that lie about the length, reset, talk garbage or send endless headers are coded outcomes, and the pool recovers', async () => {
  let behaviour: (socket: import('node:net').Socket) => void = () => undefined
  const upstream = await startRawUpstream((socket) => behaviour(socket))
  const behaviours: Record<string, { answer: typeof behaviour; code: string }> = {
    'too short': {
      answer: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"short":true}'),
      code: 'CF13313',
    },
    'cut chunk': {
      answer: (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{"short"'),
      code: 'CF13313',
    },
    reset: { answer: (socket) => socket.resetAndDestroy(), code: 'CF13313' },
    'closed at once': { answer: (socket) => socket.end(), code: 'CF13313' },
    garbage: { answer: (socket) => socket.end('\u0000\u0001 this is not http \r\n\r\n'), code: 'CF13314' },
    'both lengths': {
      answer: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}'),
      code: 'CF13313',
    },
    'endless headers': {
      answer: (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n')
        const more = () => {
          while (!socket.destroyed && socket.write(`x-filler: ${'x'.repeat(8000)}\r\n`));
        }
        socket.on('drain', more)
        more()
      },
      code: 'CF13314',
    },
  }
  await withCaller(upstream, async (caller) => {
    for (const [name, { answer, code }] of Object.entries(behaviours)) {
      behaviour = answer
      const outcome = await caller.call(testCall(testConfig(upstream.url), post))
      assert.equal(outcome.errorCode, code, `${name}: ${textOf(outcome)}`)
      assert.equal(outcome.result.isError, true)
    }
    behaviour = (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"well":true}')
    const well = await caller.call(testCall(testConfig(upstream.url), post))
    assert.deepEqual(well.result.structuredContent, { well: true })
  })
})

test('a dead upstream, a silent one and one that stops in the middle are told apart', async () => {
  const dead = await startUpstream()
  await dead.close()
  await withCaller(
    await startUpstream(),
    async (caller) => {
      const outcome = await caller.call(testCall(testConfig(dead.url), post))
      assert.equal(outcome.errorCode, 'CF13311')
    },
    { allowedPrivateHosts: [dead.host] },
  )

  const silent = await startUpstream(() => undefined)
  await withCaller(
    silent,
    async (caller) => {
      assert.equal((await caller.call(testCall(testConfig(silent.url), post))).errorCode, 'CF13312')
      while (silent.connections > 0) await setImmediate()
    },
    { callMsMax: 60 },
  )

  const slow = await startUpstream((_, response) => {
    response.write('{"begun":')
    const drip = setInterval(() => response.write(' '), 5)
    response.on('close', () => clearInterval(drip))
  })
  await withCaller(
    slow,
    async (caller) => {
      const outcome = await caller.call(testCall(testConfig(slow.url), post))
      assert.equal(outcome.errorCode, 'CF13312')
      assert.equal(outcome.statusCode, 200)
      while (slow.connections > 0) await setImmediate()
    },
    { callMsMax: 80 },
  )
})

test('answers larger than the limit are not taken, whether they say so or not', async () => {
  let sent = 0
  const upstream = await startUpstream(({ url }, response) => {
    if (url === '/says') response.setHeader('content-length', 1_000_000)
    const piece = Buffer.alloc(1_000, 'x')
    const more = () => {
      while (!response.destroyed && sent < 1_000_000) {
        sent += piece.length
        if (!response.write(piece)) return void response.once('drain', more)
      }
      response.end()
    }
    more()
  })
  await withCaller(
    upstream,
    async (caller) => {
      for (const path of ['/says', '/silent']) {
        sent = 0
        const outcome = await caller.call(
          testCall(testConfig(upstream.url), testTool({ path }, { name: path.slice(1) })),
        )
        assert.equal(outcome.errorCode, 'CF13315', path)
        assert.equal(outcome.statusCode, 200)
      }
      while (upstream.connections > 0) await setImmediate()
    },
    { responseBytesMax: 10_000 },
  )
})

test('compressed answers are unpacked within the limit: a decompression bomb is refused in every encoding', async () => {
  const text = JSON.stringify({ hello: 'wörld' })
  const bomb = Buffer.alloc(5_000_000, 0x20)
  const packers = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync, zstd: zstdCompressSync }
  const upstream = await startUpstream(({ url }, response) => {
    const [, encoding = '', what = ''] = url.split('/')
    response.setHeader('content-type', 'application/json')
    response.setHeader('content-encoding', encoding)
    if (what === 'raw') return response.end(deflateRawSync(text))
    if (what === 'empty') return response.writeHead(204).end()
    if (what === 'refused') return response.writeHead(422).end(packers.gzip('{"message":"no such thing"}'))
    if (what === 'cut') return response.end(packers.gzip(text).subarray(0, -9))
    if (what === 'damaged') return response.end('\u001f\u008bdamaged')
    if (what === 'twice') return response.setHeader('content-encoding', 'gzip, gzip').end(gzipSync(gzipSync(bomb)))
    const pack = packers[encoding as keyof typeof packers] ?? ((plain: string | Buffer) => Buffer.from(plain))
    response.end(pack(what === 'bomb' ? bomb : text))
  })
  await withCaller(
    upstream,
    async (caller) => {
      const run = (path: string) => caller.call(testCall(testConfig(upstream.url), testTool({ path })))
      for (const encoding of Object.keys(packers)) {
        assert.deepEqual((await run(`/${encoding}/text`)).result.structuredContent, { hello: 'wörld' }, encoding)
        assert.equal((await run(`/${encoding}/bomb`)).errorCode, 'CF13315', encoding)
      }
      assert.deepEqual((await run('/deflate/raw')).result.structuredContent, { hello: 'wörld' })
      assert.equal((await run('/gzip/damaged')).errorCode, 'CF13316')
      assert.equal((await run('/gzip/cut')).errorCode, 'CF13316')
      assert.equal(textOf(await run('/gzip/empty')), '204: done; the upstream answered nothing more.')
      assert.match(textOf(await run('/gzip/refused')), /^CF13335: .*no such thing/)
      assert.equal((await run('/gzip/twice')).errorCode, 'CF13315')
      assert.equal((await run('/rot13/text')).errorCode, 'CF13316')
    },
    { responseBytesMax: 50_000 },
  )
})

test('a reset before the answer is tried again for reads, at most twice, and never for writes', async () => {
  let connections = 0
  const upstream = await startRawUpstream((socket) => {
    connections++
    if (connections < 3) socket.resetAndDestroy()
    else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}')
  })
  await withCaller(upstream, async (caller) => {
    assert.equal((await caller.call(testCall(testConfig(upstream.url), testTool()))).errorCode, null)
    assert.equal(connections, 3)
    connections = 0
    assert.equal((await caller.call(testCall(testConfig(upstream.url), post))).errorCode, 'CF13313')
    assert.equal(connections, 1)
  })
})

test('a breaker opens after failures in a row, answers at once, lets one call try, and closes when that went well', async () => {
  let isWell = false
  const upstream = await startUpstream((_, response) => {
    response.statusCode = isWell ? 200 : 502
    response.end('{}')
  })
  const changes: string[] = []
  await withCaller(
    upstream,
    async (caller, client) => {
      const config = testConfig(upstream.url)
      for (let call = 0; call < 8; call++)
        assert.equal((await caller.call(testCall(config, post))).errorCode, 'CF13336')
      assert.deepEqual(client.breakers(), [{ serviceType: 'acme', origin: upstream.url, state: 'open' }])
      const seen = upstream.received.length
      const refused = await caller.call(testCall(config, post))
      assert.equal(refused.errorCode, 'CF13318')
      assert.equal(upstream.received.length, seen)
      isWell = true
      while ((await caller.call(testCall(config, post))).errorCode === 'CF13318') await setImmediate()
      assert.equal(client.breakers()[0]?.state, 'closed')
      assert.deepEqual(changes, ['open', 'half-open', 'closed'])
    },
    { breakerOpenMs: { first: 30, max: 30 }, onBreakerChange: ({ state }) => changes.push(state) },
  )
})

test('SI-20 no single user opens a breaker for the others: not with refused keys, nor with errors of their own making', async () => {
  let status = 401
  const upstream = await startUpstream((_, response) => {
    response.statusCode = status
    response.end('{}')
  })
  await withCaller(upstream, async (caller, client) => {
    const config = testConfig(upstream.url)
    const one = testSession(apiKey('k-1'), { instanceId: 'acm_user_1' as InstanceId })
    const two = testSession(apiKey('k-2'), { instanceId: 'acm_user_2' as InstanceId })
    for (status of [401, 403, 404, 422, 500]) {
      for (let call = 0; call < 12; call++) await caller.call(testCall(config, post, { session: one }))
      assert.equal(client.breakers()[0]?.state, 'closed', String(status))
    }
    await caller.call(testCall(config, post, { session: two }))
    assert.equal(client.breakers()[0]?.state, 'open', 'a second user meets the same 500')
  })
})

test('more calls than may wait for one origin are refused at once', async () => {
  const upstream = await startUpstream(() => undefined)
  await withCaller(upstream, async (caller) => {
    const controller = new AbortController()
    const call = () => caller.call(testCall(testConfig(upstream.url), post, { signal: controller.signal }))
    const waiting = Array.from({ length: 1_024 }, () => assert.rejects(call()))
    assert.equal((await call()).errorCode, 'CF13319')
    controller.abort(new Error('enough'))
    await Promise.all(waiting)
    while (upstream.connections > 0) await setImmediate()
  })
})
