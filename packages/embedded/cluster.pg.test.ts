import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Failure } from '@crossfade/model/failure.ts'
import pg from 'pg'
import { postgresVersions } from './binaries.ts'
import { type Cluster, startCluster } from './cluster.ts'
import type { OwnedCluster } from './owner-process.ts'
import { childrenOf, isAlive } from './processes.ts'
import { freshDatabase, sharedTestCluster } from './testing.ts'

const ownerProgram = join(import.meta.dirname, 'owner-process.ts')
const scratch = mkdtempSync(join(tmpdir(), 'crossfade embedded "test" '))
after(() => rmSync(scratch, { recursive: true, force: true }))

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}

/** Waits for something the operating system does in its own time; the limit is only there so that a failure ends. */
async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1500; tries++) {
    if (holds()) return
    await sleep(20)
  }
  assert.fail(`did not come true: ${what}`)
}

async function startOwner(args: string[], env: Record<string, string> = {}): Promise<[ChildProcess, OwnedCluster]> {
  const owner = spawn(process.execPath, [ownerProgram, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const [line] = (await once(createInterface(owner.stdout!), 'line')) as [string]
  return [owner, JSON.parse(line) as OwnedCluster]
}

describe('a cluster of every version', () => {
  const identifiers = new Set<unknown>()
  for (const version of postgresVersions) {
    test(`PostgreSQL ${version} starts, replicates logically, survives stop and kill, and is destroyed`, async () => {
      const cluster = await startCluster({ version })
      try {
        const [about] = await query(
          cluster.superuserUrl(),
          `SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('wal_level') AS wal_level,
                  current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
                  current_setting('synchronous_commit') AS commit, system_identifier FROM pg_control_system()`,
        )
        assert.deepEqual(
          { ...about, system_identifier: undefined },
          {
            major: version,
            wal_level: 'logical',
            encoding: 'UTF8',
            fsync: 'off',
            commit: 'on',
            system_identifier: undefined,
          },
        )
        identifiers.add(about?.['system_identifier'])

        const url = await cluster.createDatabase('ledger')
        await query(url, 'CREATE TABLE entry (id int PRIMARY KEY)')
        const { port } = cluster
        let rows = 0
        for (const end of [() => cluster.stop(), () => cluster.kill(), () => cluster.stop('immediate')]) {
          rows += 1
          await query(url, `INSERT INTO entry VALUES (${rows})`)
          await end()
          assert.equal(cluster.running(), false)
          assert.equal(cluster.pid(), undefined)
          await assert.rejects(query(url, 'SELECT 1'), { code: 'ECONNREFUSED' })
          await cluster.start()
          assert.equal(cluster.port, port)
          assert.deepEqual(await query(url, 'SELECT count(*)::int AS n FROM entry'), [{ n: rows }])
        }
      } finally {
        await cluster.destroy()
      }
      assert.equal(cluster.running(), false)
      assert.equal(existsSync(cluster.directory), false)
      await cluster.destroy()
    })
  }

  test('copies of one template have different system identifiers', async () => {
    const twin = await startCluster({ version: 18 })
    const [about] = await query(twin.superuserUrl(), 'SELECT system_identifier FROM pg_control_system()')
    await twin.destroy()
    assert.equal(identifiers.size, postgresVersions.length)
    assert.equal(identifiers.has(about?.['system_identifier']), false)
  })
})

describe('a cluster in a directory of its own', () => {
  test('is found again with its data by a later start, in a directory with spaces and quotes', async () => {
    const directory = join(scratch, `it's "a" home`)
    const first = await startCluster({
      version: 17,
      directory,
      settings: { work_mem: '7MB', 'crossfade.note': "it's" },
    })
    const url = await first.createDatabase('odd "name" of a database')
    await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer')
    assert.deepEqual(
      await query(
        url,
        `SELECT current_setting('work_mem') AS a, current_setting('crossfade.note') AS b, current_setting('fsync') AS c`,
      ),
      [{ a: '7MB', b: "it's", c: 'on' }],
    )
    await first.stop()
    const second = await startCluster({ version: 17, directory })
    assert.deepEqual(await query(second.superuserUrl('odd "name" of a database'), 'SELECT answer FROM kept'), [
      { answer: 42 },
    ])
    await second.destroy()
    assert.equal(existsSync(directory), false)
  })

  test('is shared when it already runs, and refused as another version', async () => {
    const directory = join(scratch, 'shared')
    const first = await startCluster({ version: 16, directory })
    const second = await startCluster({ version: 16, directory })
    assert.equal(second.port, first.port)
    assert.equal(second.pid(), first.pid())
    await assert.rejects(startCluster({ version: 18, directory }), { code: 'CF8004' })
    await first.destroy()
  })

  test('is made once when several start it at the same time', async () => {
    const directory = join(scratch, 'contended')
    const clusters = await Promise.all([1, 2, 3].map(() => startCluster({ version: 18, directory })))
    assert.equal(new Set(clusters.map((cluster) => cluster.pid())).size, 1)
    await clusters[0]!.destroy()
  })

  test('below a directory that the server user cannot enter, keeps its data elsewhere', {
    skip: process.getuid?.() === 0 ? false : 'only root runs PostgreSQL as another user',
  }, async () => {
    const locked = mkdtempSync(join(tmpdir(), 'crossfade-locked-'))
    const directory = join(locked, 'control')
    const cluster = await startCluster({ version: 18, directory })
    await cluster.createDatabase('control')
    await cluster.stop()
    const again = await startCluster({ version: 18, directory })
    assert.equal((await query(again.superuserUrl('control'), 'SELECT 1 AS one')).length, 1)
    await again.destroy()
    assert.equal(existsSync(directory), false)
    rmSync(locked, { recursive: true })
  })

  test('says why a server did not start', async () => {
    await assert.rejects(
      startCluster({ version: 18, settings: { shared_buffers: 'a lot' } }),
      (error: Failure) => error.code === 'CF8002' && error.message.includes('parameter "shared_buffers"'),
    )
  })
})

describe('connections', () => {
  test('need the password when the cluster was given one', async () => {
    const cluster = await startCluster({ version: 18, password: 'a/b c@d' })
    assert.equal((await query(cluster.superuserUrl(), 'SELECT 1 AS one')).length, 1)
    await assert.rejects(query(cluster.url({ user: 'postgres', password: 'wrong' }), 'SELECT 1'), { code: '28P01' })
    await cluster.destroy()
  })

  test('roles have what they were given', async () => {
    const cluster = await sharedTestCluster()
    await cluster.createRole('Mover "1"', { replication: true, password: "it's", memberOf: ['pg_monitor'] })
    const [role] = await query(
      cluster.superuserUrl(),
      `SELECT rolreplication AS r, rolsuper AS s FROM pg_roles WHERE rolname = 'Mover "1"'`,
    )
    assert.deepEqual(role, { r: true, s: false })
    const [me] = await query(cluster.url({ user: 'Mover "1"', password: "it's" }), 'SELECT current_user AS name')
    assert.deepEqual(me, { name: 'Mover "1"' })
  })

  test('test databases have names of their own and are dropped with their connections', async () => {
    const cluster = await sharedTestCluster()
    const [one, two] = [await freshDatabase(cluster, 'unit'), await freshDatabase(cluster, 'unit')]
    assert.notEqual(one.name, two.name)
    const client = new pg.Client({ connectionString: one.url })
    client.on('error', () => {})
    await client.connect()
    await one.drop()
    await one.drop()
    await two.drop()
    const left = await query(cluster.superuserUrl(), `SELECT datname FROM pg_database WHERE datname LIKE 'unit%'`)
    assert.deepEqual(left, [])
  })
})

describe('when the owner ends', () => {
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
    test(`by ${signal}, its ephemeral cluster is stopped and removed`, async () => {
      const [owner, owned] = await startOwner(['18'])
      assert.equal(isAlive(owned.pid), true)
      owner.kill(signal)
      await eventually('the server has ended', () => !isAlive(owned.pid))
      await eventually('its directory is gone', () => !existsSync(owned.directory))
    })
  }

  test('together with its watchdog, the next start removes the cluster', async () => {
    const [owner, owned] = await startOwner(['18'])
    const watchdog = childrenOf(owned.ownerPid).find((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('watchdog'),
    )
    process.kill(watchdog!, 'SIGKILL')
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    assert.equal(isAlive(owned.pid), true)
    const next = await startCluster({ version: 18 })
    assert.equal(isAlive(owned.pid), false)
    assert.equal(existsSync(owned.directory), false)
    await next.destroy()
  })

  test('a persistent cluster goes on and is used by the next process', async () => {
    const directory = join(scratch, 'persistent')
    const [owner, owned] = await startOwner(['18', directory])
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    const cluster: Cluster = await startCluster({ version: 18, directory })
    assert.equal(cluster.pid(), owned.pid)
    assert.equal(cluster.port, owned.port)
    await cluster.destroy()
  })

  test('a cluster in a temporary directory stays when it is told to, however old it is', async () => {
    const kept = await startCluster({ version: 18, ephemeral: false })
    const longAgo = new Date('2001-01-01')
    utimesSync(kept.directory, longAgo, longAgo)
    const next = await startCluster({ version: 18 })
    assert.equal(kept.running(), true)
    await next.destroy()
    await kept.destroy()
    assert.equal(existsSync(kept.directory), false)
  })

  test('processes that start their first clusters at the same time do not disturb each other', async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'crossfade-fresh-'))
    // Reachable by the user PostgreSQL runs as, like the temporary directory itself.
    chmodSync(temporary, 0o755)
    const owners = await Promise.all([1, 2, 3].map(() => startOwner(['18'], { TMPDIR: temporary })))
    assert.equal(new Set(owners.map(([, owned]) => owned.port)).size, 3)
    for (const [owner, owned] of owners) {
      assert.equal(owned.directory.startsWith(temporary), true)
      owner.kill('SIGKILL')
    }
    await eventually('all servers have ended', () => owners.every(([, owned]) => !isAlive(owned.pid)))
    await eventually('all directories are gone', () => owners.every(([, owned]) => !existsSync(owned.directory)))
    rmSync(temporary, { recursive: true, force: true })
  })
})
