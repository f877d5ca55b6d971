import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { get } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { createLogger, redact } from '@crossfade/telemetry/logger.ts'
import { type ListenOptions, startServer } from './listen.ts'
import { makeToken } from './make-token.ts'
import { certificate, privateKey } from './testing/certificate.ts'
import { sampleMigration, samplePlanning, type TestServer, testServer } from './testing.ts'

let behind: TestServer
let directory: string
before(async () => {
  behind = await testServer()
  directory = mkdtempSync(join(tmpdir(), 'crossfade-listen-'))
})
after(async () => {
  await behind.close()
  rmSync(directory, { recursive: true })
})

const start = (options: Partial<ListenOptions> = {}) =>
  startServer({
    service: behind.service,
    planning: samplePlanning,
    consoleDirectory: null,
    version: '0.0.0-test',
    port: 0,
    ...options,
  })

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

suite('listening', () => {
  test('DM-17 beyond this machine only with tokens: CF7207', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com', '127.0.0.1.example.com']) {
      await assert.rejects(start({ host }), { code: 'CF7207' }, host)
    }
  })
  test('a port that is in use: CF7208, and the remedy names --port', async () => {
    const taken = createTcpServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as AddressInfo
    await assert.rejects(start({ port }), (error: { code: string; message: string; remedy: string }) => {
      assert.equal(error.code, 'CF7208')
      assert.ok(error.message.includes(String(port)) && error.remedy.includes('--port'))
      return true
    })
    taken.close()
  })
  test('an address that is not of this machine: CF7209', async () => {
    const tokensFile = file('tokens-for-elsewhere', makeToken('a', 'admin').line)
    await assert.rejects(start({ host: '192.0.2.1', tokensFile }), { code: 'CF7209' })
  })
  test('a tokens file that is missing is CF7210, one with a wrong line CF7204', async () => {
    await assert.rejects(start({ tokensFile: join(directory, 'nowhere') }), { code: 'CF7210' })
    await assert.rejects(start({ tokensFile: file('wrong', 'ann:admin') }), { code: 'CF7204' })
  })
  test('the URL has the port it really took, and close may be called twice', async () => {
    const server = await start()
    assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/)
    assert.equal((await fetch(`${server.url}/health/live`)).status, 200)
    await Promise.all([server.close(), server.close()])
    await assert.rejects(fetch(`${server.url}/health/live`))
  })
})

suite('the console', () => {
  test('its page and files need no token, also for addresses that only the page knows; the API beside them does', async () => {
    const consoleDirectory = mkdtempSync(join(directory, 'console-'))
    writeFileSync(join(consoleDirectory, 'index.html'), '<title>Crossfade</title>')
    writeFileSync(join(consoleDirectory, 'icon.svg'), '<svg/>')
    const tokensFile = file('tokens-of-console', makeToken('a', 'admin').line)
    const server = await start({ consoleDirectory, tokensFile })
    const get = async (path: string, accept = 'text/html') => {
      const answer = await fetch(`${server.url}${path}`, { headers: { accept } })
      return [answer.status, (await answer.text()).includes('<title>Crossfade')]
    }
    assert.deepEqual(await get('/'), [200, true])
    assert.deepEqual(await get('/icon.svg'), [200, false])
    assert.deepEqual(await get('/migrations/mig_0/copy'), [200, true])
    assert.deepEqual(await get('/sign-in'), [200, true])
    assert.deepEqual(await get('/nowhere/at/all'), [404, true])
    assert.deepEqual(await get('/nowhere', 'application/json'), [404, false])
    assert.deepEqual(await get('/../tokens-of-console'), [404, true])
    assert.deepEqual(await get('/api/v1/migrations'), [401, false])
    const policy = (await fetch(server.url)).headers.get('content-security-policy')
    assert.match(String(policy), /default-src 'self'/)
    await server.close()
  })
})

suite('tokens', () => {
  test('a token that is added works, one that is taken out stops working, without a restart', async () => {
    const ann = makeToken('ann', 'viewer')
    const bob = makeToken('bob', 'viewer')
    const tokensFile = file('tokens', ann.line)
    const server = await start({ tokensFile })
    const status = async ({ token }: { token: string }) =>
      (await fetch(`${server.url}/api/v1/migrations`, { headers: { authorization: `Bearer ${token}` } })).status
    const becomes = async (who: { token: string }, wanted: number) => {
      while ((await status(who)) !== wanted) await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.deepEqual([await status(ann), await status(bob)], [200, 401])
    writeFileSync(tokensFile, bob.line)
    utimesSync(tokensFile, new Date(), new Date(Date.now() + 5_000))
    await becomes(bob, 200)
    assert.equal(await status(ann), 401)
    writeFileSync(tokensFile, 'nonsense')
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    assert.equal(await status(bob), 200, 'a wrong file locks nobody out')
    await server.close()
  })
})

suite('TLS', () => {
  test('with a certificate the server speaks HTTPS', async () => {
    const tls = { certificateFile: file('cert.pem', certificate), keyFile: file('key.pem', privateKey) }
    const server = await start({ tls })
    assert.match(server.url, /^https:/)
    const status = await new Promise((resolve, reject) => {
      get(`${server.url}/health/live`, { ca: certificate, checkServerIdentity: () => undefined }, (response) =>
        resolve(response.resume().statusCode),
      ).on('error', reject)
    })
    assert.equal(status, 200)
    await server.close()
  })
  test('files that are missing or no certificate: CF7211', async () => {
    const keyFile = file('key.pem', privateKey)
    await assert.rejects(start({ tls: { certificateFile: join(directory, 'none'), keyFile } }), { code: 'CF7211' })
    await assert.rejects(start({ tls: { certificateFile: file('bad.pem', 'hello'), keyFile } }), { code: 'CF7211' })
  })
})

suite('closing', () => {
  test('a request that is under way is answered', async () => {
    const hold = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const slow = await testServer()
    slow.service.workers = async () => {
      asked.resolve()
      await hold.promise
      return []
    }
    const server = await start({ service: slow.service })
    const answer = fetch(`${server.url}/api/v1/workers`)
    await asked.promise
    const closing = server.close()
    hold.resolve()
    assert.equal((await answer).status, 200)
    await closing
    await slow.close()
  })
})

suite('tracing', () => {
  test('DM-08 requests are sent as spans to the collector, with their route and status', async () => {
    const received: string[] = []
    const collector = createServer((request, response) => {
      let body = ''
      request.on('data', (part) => (body += part))
      request.on('end', () => {
        received.push(`${request.url} ${body}`)
        response.end('{}')
      })
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => collector.once('listening', resolve))
    const { port } = collector.address() as AddressInfo
    const server = await start({ tracingEndpoint: `http://127.0.0.1:${port}/` })
    await fetch(`${server.url}/api/v1/migrations`)
    await server.close()
    collector.close()
    const text = received.join('\n')
    assert.match(text, /^\/v1\/traces /)
    assert.ok(text.includes('GET /api/v1/migrations') && text.includes('"crossfade"'), text.slice(0, 500))
  })
})

suite('the log', () => {
  test('no token, password or header reaches it', async () => {
    const lines: string[] = []
    const logger = createLogger('debug', { write: (line) => void lines.push(line) })
    const { token } = makeToken('a', 'admin')
    logger.info({ req: { headers: { authorization: `Bearer ${token}` } }, password: 'hunter2' }, 'one')
    logger.error({ err: new Error('cannot reach postgres://app:hunter2@db:5432/x?sslmode=require') }, `got ${token}`)
    logger.warn('host=db user=app password=hunter2 dbname=x')
    logger.warn({ authorization: 'Basic hunter2', nested: { token: 'hunter2', url: 'redis://:hunter2@cache' } }, 'two')
    const text = lines.join('')
    assert.ok(!text.includes('hunter2') && !text.includes(token), text)
    for (const line of lines) assert.equal(typeof JSON.parse(line).time, 'string')
    assert.ok(text.includes('postgres://app:***@db:5432/x'))
    assert.ok(text.includes('"level":"error"'))
  })
  test('what holds no secret stays as it is', () => {
    const text = '{"msg":"GET http://127.0.0.1:7070/a?b=c@d took 3 ms: lag 0/16B3748"}'
    assert.equal(redact(text), text)
  })
  test('a server under requests of all kinds writes no token', async () => {
    const lines: string[] = []
    const logger = createLogger('debug', { write: (line) => void lines.push(line) })
    const ann = makeToken('ann', 'operator')
    const own = await testServer()
    const id = await sampleMigration(own)
    own.service.pause = async () => {
      throw new Error(`broken near postgres://u:hunter2@db and ${ann.token}`)
    }
    const server = await start({ service: own.service, tokensFile: file('ann', ann.line), logger })
    const headers = { authorization: `Bearer ${ann.token}` }
    const bodies: string[] = []
    for (const [method, path] of [
      ['GET', 'migrations'],
      ['POST', `migrations/${id}/pause`],
      ['GET', 'nothing'],
      ['POST', `migrations/${id}/abort`],
    ] as const) {
      bodies.push(await (await fetch(`${server.url}/api/v1/${path}`, { method, headers })).text())
    }
    bodies.push(
      await (
        await fetch(`${server.url}/api/v1/migrations`, { headers: { authorization: `${headers.authorization}x` } })
      ).text(),
    )
    await server.close()
    await own.close()
    assert.ok(
      lines.some((line) => line.includes('broken near')),
      'the failure itself is in the log',
    )
    for (const text of [...lines, ...bodies]) assert.ok(!text.includes(ann.token) && !text.includes('hunter2'), text)
  })
})
