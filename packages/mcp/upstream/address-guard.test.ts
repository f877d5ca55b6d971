import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { Client } from 'undici'
import { guardedConnector, isPublicAddress, type LookupAll } from './address-guard.ts'
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

test('only addresses of the public internet are public', () => {
  const refused = [
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '169.254.170.2',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::7f00:1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::808:808',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '2002:808:808::1',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '4000::1',
    'localhost',
    '',
    '8.8.8',
    'not an address',
  ]
  for (const address of refused) assert.equal(isPublicAddress(address), false, address)
  for (const address of ['8.8.8.8', '1.1.1.1', '140.82.121.4', '2606:4700::1111', '2a00:1450:4001:80b::200e']) {
    assert.equal(isPublicAddress(address), true, address)
  }
})

test('SSRF private, link-local and metadata addresses are refused in every spelling that a URL can have', async () => {
  const upstream = await startUpstream()
  const { port } = upstream
  const hosts = [
    `127.0.0.1:${port}`,
    `2130706433:${port}`,
    `0x7f000001:${port}`,
    `0177.0.0.1:${port}`,
    `017700000001:${port}`,
    `127.1:${port}`,
    `0x7f.1:${port}`,
    `127.0.0.1.:${port}`,
    `%31%32%37.0.0.1:${port}`,
    `①②⑦.⓪.⓪.①:${port}`,
    `[::1]:${port}`,
    `[::ffff:127.0.0.1]:${port}`,
    `[::ffff:7f00:1]:${port}`,
    `[0:0:0:0:0:ffff:7f00:0001]:${port}`,
    `[64:ff9b::7f00:1]:${port}`,
    `[2002:7f00:1::]:${port}`,
    `0.0.0.0:${port}`,
    `0:${port}`,
    `[::]:${port}`,
    '169.254.169.254',
    '0xa9fea9fe',
    '[fd00:ec2::254]',
    '10.0.0.1',
    '192.168.0.1:8080',
    '100.64.0.1',
    '224.0.0.1',
    `localhost:${port}`,
    `LOCALHOST:${port}`,
  ]
  await withCaller(
    upstream,
    async (caller) => {
      for (const [index, host] of hosts.entries()) {
        const config = testConfig(`http://${host}/latest/meta-data`)
        const outcome = await caller.call(testCall(config, testTool({}, { name: `tool-${index}` })))
        assert.equal(outcome.errorCode, 'CF13310', `${host}: ${textOf(outcome)}`)
      }
      assert.equal(upstream.received.length, 0)
    },
    { allowedPrivateHosts: [] },
  )
})

test('SSRF a name that an instance may choose leads nowhere private, and only http and https are spoken', async () => {
  const upstream = await startUpstream()
  await withCaller(
    upstream,
    async (caller) => {
      const variables = { host: { label: 'Host', pattern: '.+' } }
      const config = testConfig(`http://{host}/api`, { variables })
      const run = async (host: string, index: number) => {
        const session = testSession(apiKey('secret-key'))
        const settings = { ...session.settings, variables: { host } }
        return caller.call(
          testCall(config, testTool({}, { name: `t-${index}` }), { session: { ...session, settings } }),
        )
      }
      const codes = {
        [upstream.host]: 'CF13310',
        'user@127.0.0.1': 'CF13301',
        'a/../b': 'CF13301',
        'x?y': 'CF13301',
        'x#y': 'CF13301',
        'x\\y': 'CF13301',
        'x y': 'CF13301',
        '': 'CF13301',
      }
      for (const [index, [host, code]] of Object.entries(codes).entries()) {
        assert.equal((await run(host, index)).errorCode, code, host)
      }
      for (const url of ['file:///etc/passwd', 'ftp://example.com', 'gopher://127.0.0.1', 'unix:/run/docker.sock']) {
        assert.equal((await caller.call(testCall(testConfig(url), testTool()))).errorCode, 'CF13303', url)
      }
      assert.equal(upstream.received.length, 0)
    },
    { allowedPrivateHosts: [] },
  )
})

test('SSRF DNS rebinding: the address that was checked is the one connected to, and every connection is checked anew', async () => {
  // Both on the loopback network, which is all a test may use: here 127.0.0.2 plays the public address.
  const upstream = await startUpstream((_, response) => response.end('inner'))
  const outer = createServer((_, response) => response.end('outer'))
  await new Promise<void>((resolve) => outer.listen(upstream.port, '127.0.0.2', resolve))
  const asked: string[] = []
  const answers: Record<string, string[][]> = {
    'rebind.test': [['127.0.0.2'], ['127.0.0.1'], ['127.0.0.1'], ['127.0.0.1']],
    'mixed.test': [['127.0.0.1', '127.0.0.2']],
  }
  const lookup: LookupAll = (hostname, answer) => {
    asked.push(hostname)
    const addresses = answers[hostname]?.shift() ?? []
    answer(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    )
  }
  const connect = guardedConnector({ lookup }, (address) => address === '127.0.0.2')
  const get = async (host: string) => {
    const client = new Client(`http://${host}:${upstream.port}`, { connect, allowH2: false })
    try {
      return await (await client.request({ path: '/', method: 'GET' })).body.text()
    } finally {
      await client.destroy()
    }
  }
  try {
    assert.equal(await get('rebind.test'), 'outer')
    assert.deepEqual(asked, ['rebind.test'], 'asked once: what was answered and checked is what is connected to')
    await assert.rejects(get('rebind.test'), { code: 'CF13310' })
    assert.equal(await get('mixed.test'), 'outer', 'of several addresses only those that passed are used')
    assert.equal(upstream.received.length, 0)
  } finally {
    outer.closeAllConnections()
    await new Promise((resolve) => outer.close(resolve))
    await upstream.close()
  }
})

test('an operator allows private hosts one by one, by name and port', async () => {
  const upstream = await startUpstream()
  const lookup: LookupAll = (_, answer) => answer(null, [{ address: '127.0.0.1', family: 4 }])
  const allowedPrivateHosts = [`jira.internal:${upstream.port}`]
  await withCaller(
    upstream,
    async (caller) => {
      const run = (host: string, name: string) =>
        caller.call(testCall(testConfig(`http://${host}`), testTool({}, { name })))
      assert.equal((await run(`JIRA.internal:${upstream.port}`, 'a')).errorCode, null)
      assert.equal((await run(`other.internal:${upstream.port}`, 'b')).errorCode, 'CF13310')
      assert.equal((await run('jira.internal', 'c')).errorCode, 'CF13310')
      assert.equal(upstream.received.length, 1)
    },
    { allowedPrivateHosts, lookup },
  )
})

test('SSRF a redirect to a private address is not followed', async () => {
  const inner = await startUpstream()
  const upstream = await startUpstream((_, response) =>
    response.writeHead(302, { location: `http://169.254.169.254/` }).end(),
  )
  await withCaller(upstream, async (caller) => {
    assert.equal((await caller.call(testCall(testConfig(upstream.url), testTool()))).errorCode, 'CF13317')
  })
  assert.equal(inner.received.length, 0)
  await inner.close()
})

test('no proxy of the environment is used', async () => {
  const proxy = await startUpstream()
  const upstream = await startUpstream()
  const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']
  const before = names.map((name) => process.env[name])
  for (const name of names) process.env[name] = name.startsWith('NODE') ? '1' : proxy.url
  try {
    await withCaller(upstream, async (caller) => {
      assert.equal((await caller.call(testCall(testConfig(upstream.url), testTool()))).errorCode, null)
    })
    assert.equal(proxy.received.length, 0)
  } finally {
    for (const [index, name] of names.entries()) {
      if (before[index] === undefined) delete process.env[name]
      else process.env[name] = before[index]
    }
    await proxy.close()
  }
})
