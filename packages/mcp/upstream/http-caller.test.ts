import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHttpCaller, type HttpCallerOptions } from './http-caller.ts'
import {
  apiKey,
  type LoopbackUpstream,
  startRawUpstream,
  startUpstream,
  testCall,
  testConfig,
  testSession,
  testTool,
} from './testing/loopback-upstream.ts'
import type { ToolCaller, ToolOutcome } from './upstream.ts'
import { createUpstreamClient, type UpstreamClient, type UpstreamClientOptions } from './upstream-client.ts'

type Options = UpstreamClientOptions & Omit<HttpCallerOptions, 'client'>

/** A caller that may reach `upstream`, both closed when `body` ends. */
async function withCaller(
  upstream: LoopbackUpstream,
  body: (caller: ToolCaller, client: UpstreamClient) => Promise<void>,
  options: Options = {},
): Promise<void> {
  const client = createUpstreamClient({ allowedPrivateHosts: [upstream.host], ...options })
  try {
    await body(createHttpCaller({ retryMs: 1, ...options, client }), client)
  } finally {
    await client.close()
    await upstream.close()
  }
}

function textOf(outcome: ToolOutcome): string {
  return outcome.result.content.map((block) => (block.type === 'text' ? block.text : `<${block.type}>`)).join('\n')
}

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
    const outcome = await caller.call(
      testCall(config, tool, { arguments: { owner: 'me', state: 'open' }, traceparent }),
    )
    assert.equal(outcome.statusCode, 200)
    assert.deepEqual(outcome.result.structuredContent, { ok: true })
    assert.equal(upstream.received[0]?.url, '/v1/repos/me/issues?state=open')
    assert.deepEqual(
      { ...upstream.received[0]?.headers, 'user-agent': 'x' },
      {
        host: upstream.host,
        connection: 'keep-alive',
        accept: 'application/json',
        'accept-encoding': 'gzip, br, deflate, zstd',
        'user-agent': 'x',
        'acme-version': '7',
        authorization: 'Bearer key-of-one',
        traceparent,
      },
    )
    assert.match(String(upstream.received[0]?.headers['user-agent']), /^crossfade-mcp\/\d/)
  })
})
