import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { fail } from '@crossfade/model/failure.ts'
import { type ApiWhenLoaded, type ApiWhenLoadedOptions, apiWhenLoaded } from './api-when-loaded.ts'

const opened: { server: Server; api: ApiWhenLoaded }[] = []
afterEach(async () => {
  for (const { server, api } of opened.splice(0)) {
    await api.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

const routing: Awaited<ReturnType<ApiWhenLoadedOptions['load']>>['routing'] = (_request, response) => {
  response.end('the API')
}

/** An API whose first `failures` attempts to be loaded fail, behind a real socket. */
async function startApi(failures: number, reason: Error, options: Partial<ApiWhenLoadedOptions> = {}) {
  const failed: { attempt: number; retryMs: number }[] = []
  let attempts = 0
  const api = apiWhenLoaded({
    async load() {
      attempts += 1
      if (attempts <= failures) throw reason
      return { routing }
    },
    onFailure: ({ attempt, retryMs }) => failed.push({ attempt, retryMs }),
    ...options,
  })
  const server = createServer((request, response) => api.route(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  opened.push({ server, api })
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
  return { api, ask, failed, attempts: () => attempts }
}

test('an API that could not be loaded is loaded again by itself, later each time, until it could be', async () => {
  const { ask, failed } = await startApi(3, fail('CF12502', { reason: 'nobody listens' }), { reloadMsFirst: 10 })
  assert.equal((await ask('/api/v1/services')).status, 503)
  for (;;) {
    const { status, text } = await ask('/api/v1/services')
    if (status === 200) {
      assert.equal(text, 'the API')
      break
    }
  }
  assert.deepEqual(failed, [
    { attempt: 1, retryMs: 10 },
    { attempt: 2, retryMs: 20 },
    { attempt: 3, retryMs: 40 },
  ])
})

test('until it is loaded health and readiness say why, and every answer when to come again', async () => {
  const { ask, attempts } = await startApi(1, fail('CF12502', { reason: 'nobody listens' }), { reloadMsFirst: 20_000 })
  const refused = await ask('/api/v1/services')
  assert.equal(refused.status, 503)
  assert.match(refused.headers.get('retry-after')!, /^(19|20)$/)
  const problem = JSON.parse(refused.text)
  assert.equal(problem.code, 'CF14018')
  assert.match(problem.message, /nobody listens/)
  const health = await ask('/healthz')
  assert.equal(health.status, 200)
  assert.equal(JSON.parse(health.text).api.code, 'CF14018')
  const ready = await ask('/readyz?verbose')
  assert.equal(ready.status, 503)
  assert.equal(JSON.parse(ready.text).ready, false)
  // Those who ask do not hasten the next attempt.
  assert.equal(attempts(), 1)
})

test('of a failure without a code nobody outside is told the words', async () => {
  const error = Object.assign(new Error('/home/somebody/secret-place/x.ts is missing'), {
    code: 'ERR_MODULE_NOT_FOUND',
  })
  const { ask } = await startApi(1, error, { reloadMsFirst: 20_000 })
  const { text } = await ask('/')
  assert.match(text, /ERR_MODULE_NOT_FOUND/)
  assert.doesNotMatch(text, /secret-place/)
})

test('requests that come while it is loaded wait for it, and it is loaded once', async () => {
  const gate = Promise.withResolvers<void>()
  let loads = 0
  const { ask } = await startApi(0, new Error(), {
    async load() {
      loads += 1
      await gate.promise
      return { routing }
    },
  })
  const answers = [ask('/a'), ask('/b')]
  while (loads === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  gate.resolve()
  assert.deepEqual(
    (await Promise.all(answers)).map(({ text }) => text),
    ['the API', 'the API'],
  )
  assert.equal(loads, 1)
})

test('a closed one tries nothing any more', async () => {
  const { api, ask, attempts } = await startApi(1, new Error('once'), { reloadMsFirst: 1 })
  await api.close()
  assert.equal((await ask('/')).status, 503)
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(attempts(), 0)
})
