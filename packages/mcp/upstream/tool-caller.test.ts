import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryPins, startRemoteServer } from '../remote/testing/remote-server.ts'
import {
  apiKey,
  startUpstream,
  testCall,
  testConfig,
  testService,
  testSession,
  testTool,
  textOf,
} from './testing/loopback-upstream.ts'
import { createToolCaller } from './tool-caller.ts'

test('SI-04 calls go where the source of their service says, all through one caller', async () => {
  const upstream = await startUpstream()
  const remote = await startRemoteServer()
  remote.tools = [{ name: 'read', description: 'Reads.', inputSchema: { type: 'object' } }]
  const caller = createToolCaller({ allowedPrivateHosts: [upstream.host, remote.host], remote: { pins: memoryPins() } })
  try {
    const http = testConfig(upstream.url)
    assert.equal((await caller.call(testCall(http, testTool()))).statusCode, 200)
    const session = testSession(apiKey('k-1'))
    const own = testService(http, [testTool()])
    assert.equal(caller.serviceFor(session, own), own)

    const config = testConfig(remote.url, { source: { kind: 'remote-mcp', url: remote.url } })
    const service = await caller.serviceFor(session, testService(config, []))
    const outcome = await caller.call(testCall(config, service.tool('read')!, { session, service }))
    assert.equal(textOf(outcome), 'read did')

    const builtIn = testConfig(upstream.url, { source: { kind: 'built-in', server: 'everything' } })
    assert.equal((await caller.call(testCall(builtIn, testTool()))).errorCode, 'CF13303')
    assert.deepEqual(
      caller.breakers().map(({ origin, state }) => [origin, state]),
      [
        [upstream.url, 'closed'],
        [`http://${remote.host}`, 'closed'],
      ],
    )
  } finally {
    await caller.close()
    await upstream.close()
    await remote.close()
  }
})
