// The clients that people use, against the runtime over HTTP.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { createMcpRuntime } from './create-runtime.ts'
import {
  answeringCaller,
  keepingUsage,
  openLimits,
  type RuntimeServer,
  sampleInstance,
  sampleService,
  sampleTool,
  serveRuntime,
} from './testing.ts'

const service = sampleService([sampleTool('first_tool'), sampleTool('second_tool')], [sampleTool('hidden_tool')])
const caller = answeringCaller()
const usage = keepingUsage()
let server: RuntimeServer

before(async () => {
  const runtime = createMcpRuntime({ caller, usage, limits: openLimits() })
  const instance = sampleInstance(service)
  server = await serveRuntime(runtime, () => instance)
})
after(() => server.close())

test('SI-02 a client of the SDK v1 initializes, lists and calls', async () => {
  const client = new LegacyClient({ name: 'v1', version: '1' })
  // The v1 transport's optional members are typed without exactOptionalPropertyTypes.
  const transport = new LegacyTransport(new URL(server.url)) as unknown as Parameters<LegacyClient['connect']>[0]
  await client.connect(transport)
  assert.equal(client.getServerVersion()?.name, 'sample')
  const { tools } = await client.listTools()
  assert.deepEqual(
    tools.map((tool) => tool.name),
    ['first_tool', 'second_tool', 'search_operations', 'call_operation'],
  )
  const result = await client.callTool({ name: 'first_tool', arguments: { text: 'grüß dich' } })
  assert.deepEqual(result.content, [{ type: 'text', text: '{"text":"grüß dich"}' }])
  await client.ping()
  const resources = await client.listResources()
  assert.equal(resources.resources[0]?.uri, 'crossfade://service')
  await client.close()
})

for (const revision of ['2026-07-28', '2025-11-25'] as const) {
  test(`SI-02 a client of the SDK v2 lists and calls at revision ${revision}`, async () => {
    const client = new ModernClient(
      { name: 'v2', version: '1' },
      { versionNegotiation: { mode: revision === '2026-07-28' ? { pin: revision } : 'legacy' } },
    )
    await client.connect(new ModernTransport(new URL(server.url)))
    assert.equal(client.getNegotiatedProtocolVersion(), revision)
    const { tools } = await client.listTools()
    assert.equal(tools.length, 4)
    assert.match(tools[0]!.description!, /says — for tests/)
    const result = await client.callTool({
      name: 'call_operation',
      arguments: { name: 'hidden_tool', arguments: { text: 'x' } },
    })
    assert.deepEqual(result.content, [{ type: 'text', text: '{"text":"x"}' }])
    await assert.rejects(client.callTool({ name: 'first_tol', arguments: {} }), /first_tool.*CF13002/)
    await client.close()
  })
}
