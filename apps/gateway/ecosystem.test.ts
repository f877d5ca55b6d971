import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { type EcosystemService, ecosystemFile } from './ecosystem.ts'
import { checkHealth, healthExitCode, healthReport } from './health-check.ts'

const directory = mkdtempSync(join(tmpdir(), 'crossfade-ecosystem-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const services = [
  { serviceType: 'github', port: 49294 },
  { serviceType: 'figma', port: 49160 },
] as EcosystemService[]
const places = {
  fileDirectory: join(directory, 'deploy'),
  programDirectory: resolve('/opt/crossfade'),
  workingDirectory: directory,
}

function load(text: string): { apps: Record<string, unknown>[] } {
  mkdirSync(places.fileDirectory, { recursive: true })
  const file = join(places.fileDirectory, `${Math.random()}.config.cjs`)
  writeFileSync(file, text)
  return createRequire(import.meta.url)(file)
}

test('SI-11 one process per service has the name, port and environment that the plan document gives it', () => {
  const { apps } = load(ecosystemFile(services, { ...places, perService: true }))
  assert.deepEqual(
    apps.map(({ name, args, env, script, interpreter, cwd }) => ({ name, args, env, script, interpreter, cwd })),
    (['figma', 'github'] as const).map((service) => {
      const port = service === 'figma' ? '49160' : '49294'
      return {
        name: `mcp-${service}`,
        args: ['--service', service, '--port', port],
        env: { MCP_TYPE: service, PORT: port, SERVICE_MODE: 'shared' },
        script: '/opt/crossfade/apps/gateway/worker-main.ts',
        interpreter: '/opt/crossfade/node_modules/.bin/node',
        cwd: directory,
      }
    }),
  )
  for (const app of apps) {
    assert.equal(app['wait_ready'], true)
    assert.equal(app['max_memory_restart'], '250M')
    assert.equal(app['exp_backoff_restart_delay'], 200)
    assert.equal(app['kill_timeout'], 10_000)
  }
})

test('SI-11 by default a few workers serve everything on one port; the order of services changes nothing', () => {
  const text = ecosystemFile(services, { ...places, workers: 3, port: 7171 })
  const { apps } = load(text)
  assert.equal(apps.length, 1)
  assert.equal(apps[0]!['name'], 'mcp-gateway')
  assert.equal(apps[0]!['instances'], 3)
  assert.deepEqual(apps[0]!['args'], ['--port', '7171', '--shared'])
  const many = ecosystemFile(services, { ...places, perService: true })
  assert.equal(ecosystemFile(services.toReversed(), { ...places, perService: true }), many)
})

test('two services on one port are refused by name', () => {
  const twice = [...services, { serviceType: 'gmail' as ServiceType, port: 49160 }]
  assert.throws(() => ecosystemFile(twice, { ...places, perService: true }), {
    code: 'CF14530',
    message: 'The port 49160 belongs to two services: figma and gmail.',
  })
})

test('SI-11 the health check names who does not answer, and says so by its exit code', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/silent') return
    response.statusCode = request.url === '/failing' ? 503 : 404
    response.end()
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const closed = createServer()
  await new Promise<void>((listening) => closed.listen(0, '127.0.0.1', listening))
  const nobody = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`
  await new Promise((done) => closed.close(done))
  const good = await checkHealth([{ name: 'mcp-figma', url }])
  assert.deepEqual([good[0]!.state, healthExitCode(good), healthReport(good)], ['healthy', 0, '1 of 1 answer'])
  const names = ['mcp-figma', 'mcp-failing', 'mcp-silent', 'mcp-nobody']
  const urls = [url, `${url}/failing`, `${url}/silent`, nobody]
  const answers = await checkHealth(
    names.map((name, index) => ({ name, url: urls[index]! })),
    2_000,
  )
  assert.deepEqual(
    answers.map(({ name, state, reason }) => [name, state, reason]),
    [
      ['mcp-figma', 'healthy', null],
      ['mcp-failing', 'failing', 'answered 503'],
      ['mcp-silent', 'silent', 'no answer within 2000 ms'],
      ['mcp-nobody', 'silent', 'ECONNREFUSED'],
    ],
  )
  assert.equal(healthExitCode(answers), 1)
  const report = healthReport(answers)
  assert.ok(report.includes('mcp-nobody') && !report.includes('mcp-figma') && report.endsWith('1 of 4 answer'))
  assert.equal(healthExitCode([]), 1)
  server.closeAllConnections()
  server.close()
})
