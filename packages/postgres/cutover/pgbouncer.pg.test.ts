import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import { asEpoch, asMigrationId, asShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import { findOrInstall } from '@crossfade/tools/setup/debian-packages.ts'
import pg from 'pg'
import { testPlan } from '../testing/plan.ts'
import { type HookContext, runHooks } from './hooks.ts'

const setup = findOrInstall('pgbouncer')
const nobody = 65534

describe('PgBouncer hooks', { skip: 'missing' in setup && setup.missing }, () => {
  let bouncer: ChildProcess
  let directory: string
  let configPath: string
  let port: number
  let source: TestDatabase
  let target: TestDatabase

  const context = (from: Side, to: Side): HookContext => ({
    plan: testPlan({
      source: { topology: { kind: 'single', shard: asShardId('source/a') }, urls: { 'source/a': source.url } },
      target: { topology: { kind: 'single', shard: asShardId('target/x') }, urls: { 'target/x': target.url } },
      tables: [],
      cutover: {
        hooks: [
          {
            kind: 'pgbouncer',
            adminUrl: `postgres://admin@127.0.0.1:${port}/pgbouncer`,
            secret: null,
            configPath,
            databases: ['app'],
          },
        ],
      },
    }),
    migration: asMigrationId('mig_0123456789ab'),
    from,
    to,
    units: [asShardId('source/a')],
    epoch: asEpoch(1),
  })
  const connectThrough = async () => {
    const client = new pg.Client({ connectionString: `postgres://postgres@127.0.0.1:${port}/app` })
    client.on('error', () => {})
    await client.connect()
    return client
  }

  before(async () => {
    const cluster = await sharedTestCluster()
    source = await freshDatabase(cluster, 'bouncer')
    target = await freshDatabase(cluster, 'bouncer')
    for (const [database, side] of [
      [source, 'source'],
      [target, 'target'],
    ] as const) {
      const client = new pg.Client({ connectionString: database.url })
      await client.connect()
      await client.query(`CREATE TABLE note (side text); INSERT INTO note VALUES ('${side}')`)
      await client.end()
    }
    port = await freePort()
    directory = mkdtempSync(join(tmpdir(), 'crossfade-bouncer-'))
    configPath = join(directory, 'pgbouncer.ini')
    const users = join(directory, 'users.txt')
    writeFileSync(users, '"admin" ""\n"postgres" ""\n')
    writeFileSync(
      configPath,
      `[databases]\napp = host=127.0.0.1 port=${cluster.port} dbname=${source.name} pool_size=5\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=${port}\nunix_socket_dir=\nauth_type=trust\nauth_file=${users}\nadmin_users=admin\npool_mode=transaction\nignore_startup_parameters=extra_float_digits,options\n`,
    )
    const root = process.getuid?.() === 0
    if (root) for (const path of [directory, configPath, users]) chownSync(path, nobody, nobody)
    chmodSync(configPath, 0o640)
    bouncer = spawn((setup as { path: string }).path, [configPath], {
      stdio: 'ignore',
      ...(root ? { uid: nobody, gid: nobody } : {}),
    })
    for (let tries = 0; tries < 600; tries++) {
      const up = await connectThrough().then(
        (client) => client.end().then(() => true),
        () => false,
      )
      if (up) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })

  after(async () => {
    bouncer?.kill('SIGKILL')
    if (directory) rmSync(directory, { recursive: true, force: true })
    await source?.drop()
    await target?.drop()
  })

  test('DM-16: clients are held, not refused, and go on at the target; and back', async () => {
    const client = await connectThrough()
    const where = async () => (await client.query<{ side: string }>('SELECT side FROM note')).rows[0]!.side
    assert.equal(await where(), 'source')
    await runHooks('before', context('source', 'target'))
    let answered = false
    const held = where().then((side) => {
      answered = true
      return side
    })
    await new Promise((resolve) => setTimeout(resolve, 150))
    assert.equal(answered, false)
    await runHooks('before', context('source', 'target'))
    await runHooks('after', context('source', 'target'))
    assert.equal(await held, 'target')
    await runHooks('after', context('source', 'target'))
    assert.equal(await where(), 'target')
    assert.equal(statSync(configPath).mode & 0o777, 0o640)
    assert.equal(statSync(configPath).uid, process.getuid?.() === 0 ? nobody : process.getuid?.())
    assert.match(readFileSync(configPath, 'utf8'), /pool_size=5/)

    await runHooks('before', context('target', 'source'))
    await runHooks('after', context('target', 'source'))
    assert.equal(await where(), 'source')
    await client.end()
  })

  test('undone: clients go on where they were', async () => {
    const client = await connectThrough()
    await runHooks('before', context('source', 'target'))
    const held = client.query<{ side: string }>('SELECT side FROM note')
    await runHooks('undone', context('source', 'target'))
    assert.equal((await held).rows[0]!.side, 'source')
    await runHooks('undone', context('source', 'target'))
    await client.end()
  })

  test('a transaction that does not end: CF5110, and nobody stays held', async () => {
    const busy = await connectThrough()
    await busy.query('BEGIN')
    await busy.query('SELECT 1')
    await assert.rejects(runHooks('before', context('source', 'target')), (error: Failure) => {
      assert.equal(error.code, 'CF5110')
      assert.match(error.message, /PAUSE "app".*no answer within/)
      return true
    })
    const other = await connectThrough()
    await other.query('SELECT side FROM note')
    await busy.query('COMMIT')
    await busy.end()
    await other.end()
  })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
