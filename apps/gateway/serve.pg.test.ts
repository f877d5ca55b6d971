// The server as its users run it: processes that die, catalogs that change, keys that rotate, databases that go away.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { homeCluster } from '@crossfade/embedded/home-cluster.ts'
import { homePaths } from './home.ts'
import { type AcmeUpstream, startAcme } from './testing/acme.ts'
import { callOrder, until } from './testing/requests.ts'
import { type ServerProcess, startServerProcess } from './testing/server-process.ts'

let acme: AcmeUpstream
let server: ServerProcess
let url: string
let token: string

before(async () => {
  acme = await startAcme()
  acme.keys.set('right-key', 'alice')
  const broken = '{\n  "serviceType": "broken",\n  "port": "no number"\n}'
  server = await startServerProcess({
    workers: 2,
    args: ['--allow-upstream', acme.host, '--no-health-checks', '--limits', 'limits.json'],
    // Load is the point of some of these tests.
    files: { 'limits.json': { user: { callsPerSecond: null }, instance: { callsPerSecond: null } } },
    services: { ...acme.services, 'broken/config.json': broken },
  })
  const connected = await server.api<{ instance: { url: string }; minted: { secret: string } }>(
    'POST',
    '/services/acme/authenticate',
    { apiKey: 'right-key' },
  )
  assert.equal(connected.status, 201, JSON.stringify(connected.body))
  url = connected.body.instance.url
  token = connected.body.minted.secret
})
after(async () => {
  await server?.stop()
  await acme?.stop()
})

const call = () => callOrder(url, token)

test('SI-01 a broken service file is named with its line, and the others are served', async () => {
  assert.match(server.log, /broken/)
  assert.match(server.log, /line 3/)
  const { body } = await server.api<{ total: number }>('GET', '/services?limit=1')
  assert.ok(body.total >= 374, `${body.total} services`)
})

test('SI-07 SI-08 a call reaches the upstream with the key of its user and nothing of the caller', async () => {
  assert.equal(await call(), 200)
  const last = acme.requests.at(-1)!
  assert.equal(last.key, 'right-key')
  assert.equal(last.headers.authorization, undefined)
  assert.equal(last.headers.cookie, undefined)
})

test('a wrong key is told, and nothing of it is stored', async () => {
  const answer = await server.api<{ code: string }>('POST', '/services/acme/authenticate', { apiKey: 'wrong-key' })
  assert.equal(answer.status, 422)
  assert.equal(answer.body.code, 'CF12010')
  assert.equal(await call(), 200)
})

test('M11 the catalog is read again under load and no request fails', async () => {
  const config = join(homePaths(server.directory).servicesDirectory, 'acme', 'config.json')
  let goingOn = true
  const statuses: number[] = []
  const calling = Promise.all(
    Array.from({ length: 8 }, async () => {
      while (goingOn) statuses.push(await call())
    }),
  )
  for (let round = 0; round < 5; round += 1) {
    const text = JSON.parse(readFileSync(config, 'utf8')) as Record<string, unknown>
    writeFileSync(
      config,
      JSON.stringify({ ...text, description: `Looks up orders of the test upstream, round ${round}.` }),
    )
    server.kill('SIGHUP')
    const isServed = async () => {
      const { body } = await server.api<{ description: string }>('GET', '/services/acme')
      return body.description.includes(`round ${round}`)
    }
    await until(isServed)
  }
  goingOn = false
  await calling
  assert.ok(statuses.length > 50, `${statuses.length} calls`)
  assert.deepEqual(
    statuses.filter((status) => status !== 200),
    [],
  )
})

test('M13 SI-08 both levels of keys rotate under load and no request fails', async () => {
  let goingOn = true
  const statuses: number[] = []
  const calling = Promise.all(
    Array.from({ length: 8 }, async () => {
      while (goingOn) statuses.push(await call())
    }),
  )
  for (let round = 0; round < 2; round += 1) {
    const { code, stdout, stderr } = await server.run('mcp', 'rotate-keys', '--json')
    assert.equal(code, 0, stderr)
    assert.equal((JSON.parse(stdout) as { data: { instances: number } }).data.instances, 1)
  }
  goingOn = false
  await calling
  assert.ok(statuses.length > 50, `${statuses.length} calls`)
  assert.deepEqual(
    statuses.filter((status) => status !== 200),
    [],
  )
})

test('SI-09 an OAuth client is set, listed and removed by command: sealed, never printed, used by every worker at once', async () => {
  const secret = 'canary-of-the-client-secret'
  writeFileSync(join(server.directory, 'client.secret'), `${secret}\n`)
  const isOffered = async () => {
    const { body } = await server.api<{ oauth: { available: boolean } | null }>('GET', '/services/github')
    return body.oauth?.available
  }
  const printed: string[] = []
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await server.run('mcp', 'upstream-clients', ...args, '--json')
    printed.push(stdout, stderr)
    return { code, answer: JSON.parse(stdout) }
  }
  assert.equal(await isOffered(), false)
  const set = await run('set', 'github', '--client-id', 'Iv1.test', '--client-secret-file', 'client.secret')
  assert.equal(set.code, 0)
  for (let n = 0; n < 8; n += 1) assert.equal(await isOffered(), true)
  const { answer } = await run('list')
  assert.deepEqual(
    answer.map(({ serviceType, clientId, redirectUri }: Record<string, string>) => [
      serviceType,
      clientId,
      redirectUri,
    ]),
    [['github', 'Iv1.test', `${server.origin}/api/v1/oauth/callback/github`]],
  )
  assert.equal((await run('set', 'acme', '--client-id', 'x', '--public')).answer.error.code, 'CF12020')
  assert.equal((await run('set', 'nowhere', '--client-id', 'x', '--public')).answer.error.code, 'CF12013')
  assert.equal((await run('set', 'github', '--client-id', 'x')).answer.error.code, 'CF14013')
  assert.deepEqual((await run('remove', 'github')).answer, { service: 'github', removed: true })
  for (let n = 0; n < 8; n += 1) assert.equal(await isOffered(), false)
  assert.doesNotMatch(printed.join('') + server.log, new RegExp(secret))
})

test('what a service does not take, and files that hold no key, are said before anything is sent', async () => {
  writeFileSync(join(server.directory, 'empty.key'), '')
  writeFileSync(join(server.directory, 'some.key'), 'right-key')
  const before = acme.requests.length
  const codeOf = async (...args: string[]) => {
    const { code, stdout } = await server.run('mcp', 'connect', 'acme', '--json', ...args)
    assert.equal(code, 1)
    return JSON.parse(stdout).error.code
  }
  assert.equal(await codeOf(), 'CF14013')
  assert.equal(await codeOf('--key-file', 'empty.key'), 'CF14021')
  assert.equal(await codeOf('--key-file', 'some.key', '--variable', 'nope=1'), 'CF14025')
  assert.equal(acme.requests.length, before)
})

test('M08 a revoked token stops on every worker before another request can pass', async () => {
  const minted = await server.api<{ token: { id: string }; secret: string }>('POST', '/services/acme/instance/tokens', {
    name: 'to be revoked',
  })
  for (let n = 0; n < 20; n += 1) assert.equal(await callOrder(url, minted.body.secret), 200)
  await server.api('DELETE', `/services/acme/instance/tokens/${minted.body.token.id}`)
  await until(async () => (await callOrder(url, minted.body.secret)) === 401)
  for (let n = 0; n < 20; n += 1) assert.equal(await callOrder(url, minted.body.secret), 401)
})

test('a worker that is killed is replaced, and the other one serves meanwhile', async () => {
  const [first] = server.workers
  process.kill(first!, 'SIGKILL')
  // A connection that was to the dead worker breaks; every new one is served.
  await until(async () => (await call().catch(() => 0)) === 200)
  await until(async () => /a worker has ended/.test(server.log))
  for (let n = 0; n < 20; n += 1) assert.equal(await call(), 200)
})

test('the database goes away and comes back: what is known goes on, the rest is told to come again', async () => {
  assert.equal(await call(), 200)
  const home = homePaths(server.directory)
  const cluster = await homeCluster(home.databaseDirectory)
  let goingOn = true
  const statuses: number[] = []
  const calling = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (goingOn) statuses.push(await call())
    }),
  )
  await cluster.stop('immediate')
  assert.equal(await call(), 200)
  const unknown = await callOrder(url, `cfi_${'x'.repeat(43)}`)
  assert.equal(unknown, 503)
  await cluster.start()
  await until(async () => (await server.api('GET', '/services/acme/instance')).status === 200)
  goingOn = false
  await calling
  assert.ok(statuses.length > 20, `${statuses.length} calls`)
  assert.deepEqual(
    statuses.filter((status) => status !== 200),
    [],
  )
  assert.equal(await call(), 200)
  assert.equal(await callOrder(url, `cfi_${'x'.repeat(43)}`), 401)
})

test('M02 no worker outlives a server that is killed', async () => {
  const workers = [...server.workers]
  server.kill('SIGKILL')
  await server.ended()
  await until(async () => workers.every((pid) => !existsSync(`/proc/${pid}`)))
  await server.restart()
  assert.equal(await call(), 200)
})

test('a master key that is not the one of what is stored is refused at the start, with what to do', async () => {
  const home = homePaths(server.directory)
  const right = readFileSync(home.masterKeyFile, 'utf8')
  writeFileSync(home.masterKeyFile, `master:${Buffer.alloc(32, 7).toString('base64')}`)
  await assert.rejects(server.restart(), /CF110\d\d/)
  writeFileSync(home.masterKeyFile, 'not a key')
  await assert.rejects(server.restart(), /CF11006/)
  writeFileSync(home.masterKeyFile, right)
  await server.restart()
  assert.equal(await call(), 200)
})
