// Two workers of one installation: what one of them has answered, the other one knows. No waiting, no second try.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createLocalOwner } from '@crossfade/accounts/local-owner.ts'
import { type FaultProxy, startFaultProxy } from '@crossfade/embedded/fault-proxy.ts'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { limitSettings } from '@crossfade/mcp/limits/settings.ts'
import { withPool } from '@crossfade/mcp-database/pool.ts'
import { createLogger } from '@crossfade/telemetry/logger.ts'
import { openHome } from './home.ts'
import { openPlatform, type Platform } from './platform.ts'
import { prepareInstallation } from './prepare.ts'
import { serveCatalog } from './served-catalog.ts'
import { type AcmeUpstream, startAcme } from './testing/acme.ts'
import { callOrder } from './testing/requests.ts'
import { startWorker, type Worker } from './worker.ts'

/** How long the word of a change is on its way to a worker: longer than a request takes. */
const wordMs = 40

const directory = mkdtempSync(join(tmpdir(), 'crossfade-next-'))
let acme: AcmeUpstream
let platform: Platform
let proxy: FaultProxy
let token: string
let workers: readonly [Worker, Worker]

before(async () => {
  acme = await startAcme()
  const database = await freshDatabase(await sharedTestCluster(18), 'next')
  const home = openHome(directory)
  platform = await openPlatform(home, database.url)
  const baseUrl = 'http://127.0.0.1:1'
  const settings = {
    directory,
    roles: platform.roles,
    secrets: await prepareInstallation(platform, home, await serveCatalog(home), baseUrl),
    host: '127.0.0.1',
    port: 0,
    shared: false,
    staticPorts: false,
    onlyService: null,
    baseUrl,
    allowedHosts: [],
    allowedOrigins: [],
    allowedUpstreams: [acme.host],
    limits: limitSettings({}),
    signUp: false,
    healthChecks: false,
    alertsUrl: null,
    consoleDirectory: null,
    logLevel: 'error' as const,
    version: '0.0.0',
  }
  const logger = createLogger('error')
  const target = new URL(platform.roles.runtime)
  proxy = await startFaultProxy({ target: { host: target.hostname, port: Number(target.port) } })
  target.hostname = '127.0.0.1'
  target.port = String(proxy.port)
  const far = { ...settings, roles: { ...settings.roles, runtime: target.href } }
  workers = [await startWorker(far, logger), await startWorker(far, logger)]
  proxy.delay(wordMs)
  await withPool(platform.roles.accounts, { applicationName: 'test', connectionsMax: 1 }, async (accounts) => {
    token = (await createLocalOwner(accounts, 'test')).secret
  })
})
after(async () => {
  for (const worker of workers ?? []) await worker.close()
  await proxy?.close()
  await platform?.release()
  await acme?.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Each after the other, so that every answer is followed by a request to who did not give it. */
function turns(count: number) {
  return Array.from({ length: count }, (_, turn) => ({
    turn,
    one: workers[turn % 2]!,
    other: workers[1 - (turn % 2)]!,
  }))
}

async function api<Body = Record<string, unknown>>(worker: Worker, method: string, path: string, body?: unknown) {
  const answer = await fetch(`http://127.0.0.1:${worker.port}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: (text === '' ? null : JSON.parse(text)) as Body }
}

interface Connected {
  readonly instance: { readonly instanceId: string; readonly serviceType: string }
  readonly minted: { readonly secret: string; readonly token: { readonly id: string } }
}

/** The address of an instance at one worker. */
const at = (worker: Worker, { instance }: Connected) =>
  `http://127.0.0.1:${worker.port}/${instance.instanceId}/${instance.serviceType}/`

async function listedTools(worker: Worker, connected: Connected): Promise<string[]> {
  const answer = await fetch(at(worker, connected), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${connected.minted.secret}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  })
  const { result } = (await answer.json()) as { result: { tools: { name: string }[] } }
  return result.tools.map(({ name }) => name)
}

const ordersOf = (name: string) => ({
  openapi: '3.1.0',
  info: { title: name, version: '1', description: `Orders of the shop ${name}.` },
  servers: [{ url: `${acme.origin}/v1` }],
  components: { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'X-Acme-Key' } } },
  security: [{ key: [] }],
  paths: {
    '/orders/{id}': {
      get: {
        operationId: 'get_order',
        summary: 'Read an order',
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
        responses: { 200: { description: 'It.' } },
      },
      delete: {
        operationId: 'cancel_order',
        summary: 'Cancel an order',
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
        responses: { 204: { description: 'Cancelled.' } },
      },
    },
  },
})

let connected: Connected

test('M11 a service that one worker has imported is served by the other one at the very next request', async () => {
  acme.keys.set('first-key', 'alice')
  for (const { turn, one, other } of turns(2)) {
    const name = `orders${turn}`
    const imported = await api(one, 'POST', '/imports', { text: JSON.stringify(ordersOf(name)), serviceType: name })
    assert.equal(imported.status, 201, JSON.stringify(imported.body))
    const answer = await api<Connected>(other, 'POST', `/services/${name}/authenticate`, { apiKey: 'first-key' })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
    connected = answer.body
    assert.equal(await callOrder(at(one, connected), connected.minted.secret), 200)
  }
})

test('SI-12 M08 tools that were chosen at one worker are what the other one lists at the very next request', async () => {
  for (const { turn, one, other } of turns(6)) {
    const tools = turn % 3 === 0 ? ['cancel_order'] : turn % 3 === 1 ? ['get_order'] : ['get_order', 'cancel_order']
    const path = `/services/${connected.instance.serviceType}/instance`
    // It holds what is right until now.
    await listedTools(other, connected)
    const changed = await api(one, 'PATCH', path, { settings: { tools, search: false } })
    assert.equal(changed.status, 200, JSON.stringify(changed.body))
    assert.deepEqual(await listedTools(other, connected), tools, `turn ${turn}`)
  }
})

test('M08 a replaced key is what the other worker sends at the very next request', async () => {
  for (const { turn, one, other } of turns(6)) {
    const key = `key-of-turn-${turn}`
    acme.keys.set(key, 'alice')
    const path = `/services/${connected.instance.serviceType}/authenticate`
    await callOrder(at(other, connected), connected.minted.secret)
    const replaced = await api(one, 'POST', path, { apiKey: key })
    assert.equal(replaced.status, 200, JSON.stringify(replaced.body))
    assert.equal(await callOrder(at(other, connected), connected.minted.secret), 200)
    assert.equal(acme.requests.at(-1)!.key, key, `turn ${turn}`)
  }
})

test('M08 a revoked token opens nothing at the other worker at the very next request', async () => {
  for (const { turn, one, other } of turns(6)) {
    const path = `/services/${connected.instance.serviceType}/instance/tokens`
    const { body } = await api<Connected['minted']>(one, 'POST', path, { name: `of turn ${turn}` })
    assert.equal(await callOrder(at(other, connected), body.secret), 200)
    await api(one, 'DELETE', `${path}/${body.token.id}`)
    assert.equal(await callOrder(at(other, connected), body.secret), 401, `turn ${turn}`)
  }
})
