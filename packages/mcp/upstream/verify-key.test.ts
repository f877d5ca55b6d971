import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeyVerification } from '@crossfade/catalog/service-config.ts'
import { apiKey, startUpstream, testConfig, withCaller } from './testing/loopback-upstream.ts'
import { at, verifyKey } from './verify-key.ts'

const verification: KeyVerification = {
  method: 'GET',
  path: '/me',
  validStatuses: [200],
  invalidStatuses: [401, 403],
  account: '/user/login',
}
const never = new AbortController().signal

test('SI-05 a right key names its account, a wrong one says why, an upstream in trouble decides nothing', async () => {
  let status = 200
  const upstream = await startUpstream(({ headers }, response) => {
    const isRight = headers.authorization === 'Bearer right-key'
    response.statusCode = isRight ? status : 401
    response.end(isRight ? '{"user":{"login":"ada"}}' : `{"message":"unknown key ${headers.authorization?.slice(7)}"}`)
  })
  await withCaller(upstream, async (_, client) => {
    const config = testConfig(upstream.url, { verification })
    assert.deepEqual(await verifyKey(client, config, {}, apiKey('right-key'), never), { kind: 'valid', account: 'ada' })
    const wrong = await verifyKey(client, config, {}, apiKey('wrong-key'), never)
    assert.deepEqual(wrong, { kind: 'invalid', reason: 'Acme refused the key (401): unknown key [redacted].' })
    assert.equal((await verifyKey(client, config, {}, apiKey('line\nbreak'), never)).kind, 'invalid')
    for (status of [500, 429, 302, 404]) {
      assert.equal((await verifyKey(client, config, {}, apiKey('right-key'), never)).kind, 'unknown', String(status))
    }
    const without = await verifyKey(client, { ...config, verification: null }, {}, apiKey('x'), never)
    assert.equal(without.kind, 'unknown')
    const aborted = AbortSignal.abort(new Error('gone'))
    await assert.rejects(verifyKey(client, config, {}, apiKey('x'), aborted), /gone/)
  })
})

test('SI-05 an upstream that answers 200 to everything is judged by the place that must be true', async () => {
  const upstream = await startUpstream(({ headers, body }, response) => {
    const isRight = headers.authorization === 'Bearer right-key' && String(body) === '{"query":"{ viewer }"}'
    response.end(isRight ? '{"ok":true,"team":"Acme"}' : '{"ok":false,"error":"invalid_auth"}')
  })
  await withCaller(upstream, async (_, client) => {
    const slack: KeyVerification = {
      ...verification,
      method: 'POST',
      body: { query: '{ viewer }' },
      truePointer: '/ok',
      account: '/team',
    }
    const config = testConfig(upstream.url, { verification: slack })
    assert.deepEqual(await verifyKey(client, config, {}, apiKey('right-key'), never), {
      kind: 'valid',
      account: 'Acme',
    })
    const wrong = await verifyKey(client, config, {}, apiKey('wrong-key'), never)
    assert.deepEqual(wrong, { kind: 'invalid', reason: 'Acme refused the key (200): invalid_auth.' })
  })
})

test('SI-05 the key is never sent to a private address to be verified', async () => {
  const upstream = await startUpstream()
  await withCaller(
    upstream,
    async (_, client) => {
      const verdict = await verifyKey(client, testConfig(upstream.url, { verification }), {}, apiKey('k'), never)
      assert.equal(verdict.kind, 'unknown')
      assert.equal(upstream.received.length, 0)
    },
    { allowedPrivateHosts: [] },
  )
})

test('a JSON pointer points as RFC 6901 says', () => {
  const value = { a: { 'b/c': [{ '~d': 1 }] }, '': 2 }
  assert.equal(at(value, '/a/b~1c/0/~0d'), 1)
  assert.equal(at(value, '/'), 2)
  assert.equal(at(value, ''), value)
  assert.equal(at(value, '/a/toString'), undefined)
  assert.equal(at(value, '/a/b~1c/9'), undefined)
})
