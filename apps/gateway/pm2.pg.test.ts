// PM2 itself. In a process of its own like tests of servers, for it keeps a daemon while it runs.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { findOrInstallNpmProgram } from '@crossfade/tools/setup/npm-programs.ts'
import { type EcosystemService, ecosystemFile } from './ecosystem.ts'
import { checkHealth, healthExitCode } from './health-check.ts'
import { listProcesses, startAll } from './start-all.ts'

const setup = findOrInstallNpmProgram('pm2', '7.0.4')
const skip = 'missing' in setup && setup.missing
const pm2 = 'path' in setup ? setup.path : ''
const directory = mkdtempSync(join(tmpdir(), 'crossfade-pm2-'))
const environment = { PM2_HOME: join(directory, 'pm2'), PM2_DISCRETE_MODE: 'true', PM2_CONCURRENT_ACTIONS: '4' }
const options = { pm2, environment, save: false }
const places = {
  fileDirectory: directory,
  programDirectory: resolve(import.meta.dirname, '../..'),
  workingDirectory: directory,
}
const script = 'apps/gateway/fixtures/small-worker.ts'

function command(...given: string[]): void {
  execFileSync(pm2, given, { env: { ...process.env, ...environment }, stdio: 'ignore' })
}

after(() => {
  if (!skip) command('kill')
  rmSync(directory, { recursive: true, force: true })
})

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports: number[] = []
  for (const server of servers) {
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    ports.push((server.address() as { port: number }).port)
  }
  for (const server of servers) await new Promise((closed) => server.close(closed))
  return ports
}

function write(name: string, text: string): string {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

async function answerOf(port: number): Promise<Record<string, unknown>> {
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  return (await answer.json()) as Record<string, unknown>
}

/** Whether a process is there and no zombie. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolveSoon) => setTimeout(resolveSoon, 50))
}

test('SI-11 M02 PM2 starts a process per service, replaces one that dies, and leaves none behind', {
  skip,
}, async () => {
  const names = ['figma', 'github', 'slack'] as ServiceType[]
  const ports = await freePorts(names.length)
  const services: EcosystemService[] = names.map((serviceType, index) => ({ serviceType, port: ports[index]! }))
  const file = write('ecosystem.config.cjs', ecosystemFile(services, { ...places, script, perService: true }))
  const started = await startAll({ ...options, file })
  assert.deepEqual(
    started.map(({ name, status }) => [name, status]),
    names.map((name) => [`mcp-${name}`, 'online']),
  )
  // Ready means ready: nobody has to wait after the start.
  const targets = services.map(({ serviceType, port }) => ({
    name: `mcp-${serviceType}`,
    url: `http://127.0.0.1:${port}/`,
  }))
  assert.equal(healthExitCode(await checkHealth(targets)), 0)
  for (const [index, { serviceType, port }] of services.entries()) {
    const { service, MCP_TYPE, PORT, SERVICE_MODE, pid, cwd, node } = await answerOf(port)
    assert.deepEqual(
      { service, MCP_TYPE, PORT, SERVICE_MODE, pid, cwd },
      {
        service: serviceType,
        MCP_TYPE: serviceType,
        PORT: String(port),
        SERVICE_MODE: 'shared',
        pid: started[index]!.pid,
        cwd: directory,
      },
    )
    assert.match(String(node), /^v24\./)
  }

  await fetch(`${targets[1]!.url}die`).catch(() => undefined)
  await until(async () => {
    const now = (await listProcesses(options)).find(({ name }) => name === 'mcp-github')
    return now?.status === 'online' && now.restarts === 1
  })
  await until(async () => healthExitCode(await checkHealth(targets)) === 0)
  assert.notEqual((await answerOf(ports[1]!))['pid'], started[1]!.pid)

  const pids = (await listProcesses(options)).map(({ pid }) => pid)
  command('delete', file)
  assert.deepEqual(pids.filter(isAlive), [])
  const gone = await checkHealth(targets)
  assert.deepEqual([...new Set(gone.map(({ state }) => state))], ['silent'])
  assert.equal(healthExitCode(gone), 1)
})

test('SI-11 shared workers take connections on one port; the end of PM2 is theirs too', { skip }, async () => {
  const [port] = await freePorts(1)
  const file = write('shared.config.cjs', ecosystemFile([], { ...places, script, workers: 2, port: port! }))
  const started = await startAll({ ...options, file })
  assert.equal(started.length, 2)
  const seen = new Set<unknown>()
  await until(async () => seen.add((await answerOf(port!))['pid']).size === 2)
  assert.deepEqual([...seen].sort(), started.map(({ pid }) => pid).sort())
  command('kill')
  assert.deepEqual(
    started.filter(({ pid }) => isAlive(pid)),
    [],
  )
})

test('SI-11 the workers themselves run under PM2, all services on one port and a service on its own, on one database', {
  skip,
}, async () => {
  const [shared, own] = await freePorts(2)
  const everything = write('gateway.config.cjs', ecosystemFile([], { ...places, workers: 2, port: shared! }))
  const figma: EcosystemService[] = [{ serviceType: 'figma' as ServiceType, port: own! }]
  const single = write('figma.config.cjs', ecosystemFile(figma, { ...places, perService: true }))
  const environmentOfWorkers = { ...environment, CROSSFADE_MCP_HEALTH_CHECKS: 'off' }
  await startAll({ ...options, environment: environmentOfWorkers, file: everything })
  const started = await startAll({ ...options, environment: environmentOfWorkers, file: single })
  assert.deepEqual(
    started.map(({ name, status }) => [name, status]),
    [
      ['mcp-figma', 'online'],
      ['mcp-gateway', 'online'],
      ['mcp-gateway', 'online'],
    ],
  )
  const readyz = (port: number) => ({ name: String(port), url: `http://127.0.0.1:${port}/readyz` })
  assert.equal(healthExitCode(await checkHealth([readyz(shared!), readyz(own!)], 30_000)), 0)
  // The service alone: instances of others are unknown on its port, and so is an instance without a token everywhere.
  const instance = 'fig_user_1a2b3c4d_9f8e7d'
  const ask = async (port: number, path: string) =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST' })).status
  assert.equal(await ask(own!, `/${instance}/`), 401)
  assert.equal(await ask(own!, `/${instance}/github/`), 404)
  assert.equal(await ask(shared!, `/${instance}/github/`), 401)
  const pids = started.map(({ pid }) => pid)
  command('delete', everything)
  command('delete', single)
  await until(() => pids.every((pid) => !isAlive(pid)))
  await until(() => !existsSync(join(directory, '.crossfade', 'control', 'data', 'postmaster.pid')))
})

test('what PM2 can’t do is told with a remedy', { skip }, async () => {
  await assert.rejects(startAll({ ...options, file: join(directory, 'missing.config.cjs') }), { code: 'CF14012' })
  const text = ecosystemFile([], { ...places, script: 'apps/gateway/fixtures/no-such-script.ts', workers: 1 })
  const file = write('broken.config.cjs', text)
  await assert.rejects(startAll({ ...options, file, pm2: join(directory, 'no-pm2') }), { code: 'CF14531' })
  await assert.rejects(startAll({ ...options, file }), {
    code: /^CF1453[23]$/ as unknown as string,
  })
})
