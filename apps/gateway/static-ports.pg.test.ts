// `mcp serve --ports` as its users run it. In a process of its own: it listens on the static port of every service.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { type AcmeUpstream, startAcme } from './testing/acme.ts'
import { callOrder } from './testing/requests.ts'
import { startServerProcess } from './testing/server-process.ts'

const figma = 49160
const acmePort = (acme: AcmeUpstream) => Number((acme.services['acme/config.json'] as { port: number }).port)

test('SI-02 SI-11 with --ports the static port of a service serves its instances and nothing else; a port that is taken is told of, and the rest is served', async () => {
  const acme = await startAcme()
  acme.keys.set('right-key', 'alice')
  const inTheWay = createServer()
  await new Promise<void>((listening) => inTheWay.listen(figma, '127.0.0.1', listening))
  const server = await startServerProcess({
    args: ['--ports', '--allow-upstream', acme.host, '--no-health-checks'],
    services: acme.services,
  })
  try {
    const port = acmePort(acme)
    const own = `http://127.0.0.1:${port}`
    const { body } = await server.api<{ instance: { url: string }; minted: { secret: string } }>(
      'POST',
      '/services/acme/authenticate',
      { apiKey: 'right-key' },
    )
    const path = new URL(body.instance.url).pathname
    const token = body.minted.secret
    assert.equal(await callOrder(`${own}${path}`, token), 200)
    assert.equal(await callOrder(`${own}${path.replace('acme/', '')}`, token), 200, 'the port says which service')
    assert.equal((await fetch(`${own}/healthz`)).status, 200)

    for (const other of ['/', '/api/v1/services', '/metrics', path.replace('acme', 'github')]) {
      const answer = await fetch(`${own}${other}`)
      assert.equal(answer.status, 404, other)
      const refusal = (await answer.json()) as { error: { data: { code: string; remedy: string } } }
      assert.equal(refusal.error.data.code, 'CF14040')
      assert.ok(refusal.error.data.remedy.includes(server.origin))
    }

    assert.match(server.log, /49160/)
    const reached = await Promise.allSettled(
      [49250, 49294, 49320, 49330].map((each) => fetch(`http://127.0.0.1:${each}/healthz`)),
    )
    reached.forEach((answer, index) => {
      const each = [49250, 49294, 49320, 49330][index]!
      assert.ok(
        answer.status === 'fulfilled' || server.log.includes(String(each)),
        `${each} is neither served nor told of`,
      )
    })
  } finally {
    await server.stop()
    await acme.stop()
    inTheWay.close()
  }
})
