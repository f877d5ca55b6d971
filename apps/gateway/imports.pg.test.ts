// People import services for themselves: real workers, real accounts, a real remote MCP server.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TestBrowser, testPassword } from '@crossfade/accounts/testing.ts'
import { type RemoteServer, startRemoteServer } from '@crossfade/mcp/remote/testing/remote-server.ts'
import type { Imported, PinnedTool } from './contract/imports.ts'
import type { Authenticated } from './contract/instances.ts'
import { until } from './testing/requests.ts'
import { type ServerProcess, startServerProcess } from './testing/server-process.ts'

let server: ServerProcess
let remote: RemoteServer
before(async () => {
  remote = await startRemoteServer()
  remote.tools = [{ name: 'echo', description: 'Says it again.', inputSchema: { type: 'object' } }]
  server = await startServerProcess({ workers: 2, args: ['--allow-upstream', remote.host, '--no-health-checks'] })
})
after(async () => {
  await server?.stop()
  await remote?.close()
})

async function person(name: string) {
  const browser = new TestBrowser(server.origin)
  const email = `${name}@example.org`
  assert.ok((await browser.post('/sign-up/email', { name, email, password: testPassword })).ok)
  assert.ok((await browser.signIn(email)).ok)
  return async <Body = { code: string; message: string; remedy: string }>(
    method: string,
    path: string,
    body?: unknown,
  ) => {
    const answer = await browser.send(method, `/api/v1${path}`, body)
    const text = await answer.text()
    return { status: answer.status, body: (text === '' ? null : JSON.parse(text)) as Body }
  }
}

const orders = (extra = '') => `openapi: 3.1.0
info: { title: Own Orders, version: '1', description: Orders of one's own shop. }
servers: [{ url: 'http://${remote.host}' }]
paths:
  /orders:
    get: { operationId: list, responses: { '200': { description: ok } } }
    post: { operationId: list, responses: { '200': { description: ok } } }
${extra}`

test('SI-01 SI-14: an import is its owner’s alone: nobody else sees, calls, replaces, decides or removes it, on any worker', async () => {
  const [ann, bob] = [await person('ann'), await person('bob')]
  const wish = { text: orders(), fileName: 'orders.yaml' }
  const { status, body } = await ann<Imported>('POST', '/imports', wish)
  assert.equal(status, 201, JSON.stringify(body))
  assert.deepEqual(
    [body.serviceType, body.kind, body.audience, body.fileName, body.operations],
    ['own-orders', 'openapi-file', 'me', 'orders.yaml', 2],
  )
  const clash = body.findings.find(({ message }) => message.includes('stands twice'))!
  assert.match(clash.message, /The id list stands twice; POST \/orders is the tool list_[0-9a-f]{8}\./)
  assert.deepEqual([clash.severity, clash.pointer, clash.line], ['warn', '/paths/~1orders/post/operationId', 7])

  // Two workers: whoever answers knows it soon, and knows whose it is at once.
  const seenBy = async (who: typeof ann) =>
    (await who<{ total: number }>('GET', '/services?search=own-orders')).body.total
  await until(async () => (await seenBy(ann)) === 1)
  for (let round = 0; round < 6; round++) {
    assert.equal(await seenBy(bob), 0)
    for (const path of ['/services/own-orders', '/services/own-orders/tools', '/imports/own-orders/tools'])
      assert.equal((await bob('GET', path)).status, 404)
    assert.equal((await bob('POST', '/services/own-orders/authenticate', {})).status, 404)
    const health = await bob<{ services: { serviceType: string }[] }>('GET', '/health')
    assert.ok(!health.body.services.some(({ serviceType }) => serviceType === 'own-orders'))
  }
  assert.equal((await bob('DELETE', '/imports/own-orders')).body.code, 'CF12041')
  for (const replace of [false, true]) {
    const taken = await bob('POST', '/imports', { ...wish, replace })
    assert.deepEqual([taken.status, taken.body.code], [409, 'CF12038'])
    assert.match(taken.body.remedy, /own-orders-2 is free/)
  }
  const shipped = await ann('POST', '/imports', { ...wish, serviceType: 'github', replace: true })
  assert.equal(shipped.body.code, 'CF12038')
  assert.equal((await bob('POST', '/imports', { ...wish, audience: 'everybody' })).status, 403)
  assert.deepEqual((await bob('GET', '/imports')).body, { imports: [] })

  assert.equal((await ann('POST', '/imports', wish)).body.code, 'CF12039')
  const more = orders("  /me:\n    get: { operationId: me, responses: { '200': { description: ok } } }\n")
  const again = await ann<Imported>('POST', '/imports', { ...wish, text: more, replace: true })
  assert.deepEqual([again.status, again.body.operations], [201, 3])
  assert.equal((await ann('DELETE', '/imports/own-orders')).status, 204)
  await until(async () => (await seenBy(ann)) === 0)
  const { body: trail } = await ann<{ entries: { action: string; outcome: string }[] }>('GET', '/user/audit')
  assert.deepEqual(
    trail.entries.filter(({ action }) => action.startsWith('service.')).map((each) => [each.action, each.outcome]),
    [
      ['service.remove', 'done'],
      ['service.import', 'done'],
      ['service.import', 'refused'],
      ['service.import', 'refused'],
      ['service.import', 'done'],
    ],
  )
})

test('SI-01: what can’t be imported is told with its line, and nothing is served of it', async () => {
  const cid = await person('cid')
  const json = await cid('POST', '/imports', { text: '{\n  "openapi": "3.1.0",\n  oops\n}' })
  assert.deepEqual([json.status, json.body.code], [422, 'CF10050'])
  assert.match(json.body.message, /line 3, column 3/)
  const yaml = await cid('POST', '/imports', { text: 'openapi: 3.1.0\npaths:\n\t- x' })
  assert.match(yaml.body.message, /line 3/)
  const empty = await cid('POST', '/imports', { text: '{"openapi":"3.1.0","info":{"title":"x"},"paths":{}}' })
  assert.equal(empty.body.code, 'CF10050')
  assert.deepEqual((await cid('GET', '/imports')).body, { imports: [] })
})

test('SI-01: of a remote server’s tools a change waits for the owner, who approves it or takes an approval back', async () => {
  const [dora, eve] = [await person('dora'), await person('eve')]
  const described = {
    $schema: 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
    name: 'org.example/echoes',
    description: 'A remote server that says everything again.',
    version: '1.0.0',
    remotes: [{ type: 'streamable-http', url: remote.url }],
  }
  const imported = await dora<Imported>('POST', '/imports', {
    text: JSON.stringify(described),
    fileName: 'server.json',
  })
  assert.deepEqual([imported.status, imported.body.kind], [201, 'remote-mcp'])
  await until(async () => (await dora('GET', '/services/echoes')).status === 200)
  const connected = await dora<Authenticated>('POST', '/services/echoes/authenticate', {})
  const { url, secret } = connected.body.minted!
  const listed = async () => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${secret}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    })
    return ((await answer.json()) as { result: { tools: { name: string; description: string }[] } }).result.tools
  }
  const tools = async () => (await dora<{ tools: PinnedTool[] }>('GET', '/imports/echoes/tools')).body.tools
  const decide = (who: typeof dora, digest: string, decision: string) =>
    who('POST', '/imports/echoes/tools/echo/decision', { digest, decision })

  assert.deepEqual(await tools(), [])
  const asked = await dora<{ tools: PinnedTool[] }>('POST', '/imports/echoes/tools')
  assert.deepEqual([asked.status, asked.body.tools[0]?.name, asked.body.tools[0]?.waiting], [200, 'echo', null])
  assert.deepEqual(
    (await listed()).map(({ name }) => name),
    ['echo'],
  )
  const first = (await tools())[0]!
  assert.deepEqual(
    [first.name, first.waiting, first.approved?.definition['description']],
    ['echo', null, 'Says it again.'],
  )

  // A tool that has changed is not served until its owner has looked at it; each worker asks the server anew.
  remote.tools = [{ name: 'echo', description: 'Now sends it elsewhere, too.', inputSchema: { type: 'object' } }]
  assert.equal((await decide(dora, first.approved!.digest, 'quarantine')).status, 204)
  await until(async () => (await listed()).length === 0)
  const changed = (await tools())[0]!
  assert.deepEqual(
    [changed.approved, changed.waiting?.definition['description']],
    [null, 'Now sends it elsewhere, too.'],
  )
  const { digest } = changed.waiting!
  assert.equal((await decide(eve, digest, 'approve')).body.code, 'CF12041')
  assert.equal((await decide(dora, first.approved!.digest, 'approve')).body.code, 'CF12042')
  const { body: list } = await dora<{ imports: Imported[] }>('GET', '/imports')
  assert.deepEqual(
    list.imports.map(({ serviceType, waitingTools }) => [serviceType, waitingTools]),
    [['echoes', 1]],
  )
  assert.equal((await decide(dora, digest, 'approve')).status, 204)
  await until(async () => (await listed())[0]?.description === 'Now sends it elsewhere, too.')

  // What was approved goes with the import: whoever takes the name next begins anew.
  assert.equal((await dora('DELETE', '/imports/echoes')).status, 204)
  await until(async () => (await fetch(url, { headers: { authorization: `Bearer ${secret}` } })).status === 401)
  assert.equal((await eve('POST', '/imports', { text: JSON.stringify(described) })).status, 201)
  assert.deepEqual((await eve('GET', '/imports/echoes/tools')).body, { tools: [] })
})
