import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { asEpoch, asMigrationId, asShardId } from '@crossfade/model/ids.ts'
import { type Lsn, parseLsn } from '@crossfade/model/lsn.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import pg from 'pg'
import { connect } from '../connection/connect.ts'
import { createControlSchema } from '../schema/control-schema.ts'
import { evenHash, testPlan, testTable } from '../testing/plan.ts'
import { CriticalConnections } from './critical-connections.ts'
import { Fences } from './fence.ts'

const migration = asMigrationId('mig_0123456789cd')
const a = asShardId('source/a')
const tableCount = 16
const writerCount = 8
const rounds = 4
/** Each writer rests this long after a write: about 500 writes a second together. */
const restMs = 12

describe('fences under load', () => {
  let cluster: Cluster
  let plan: ResolvedPlan
  let connections: CriticalConnections
  let url: string

  before(async () => {
    cluster = await startCluster({ version: 18 })
    url = await cluster.createDatabase('load')
    const setup = new pg.Client({ connectionString: url })
    await setup.connect()
    await createControlSchema(setup, a)
    const names = Array.from({ length: tableCount }, (_, index) => ({ schema: 'public', name: `t${index}` }))
    for (const { name } of names) {
      await setup.query(`CREATE TABLE ${name} (id bigint PRIMARY KEY, tenant_id int, round int, value text)`)
    }
    const tables = await Promise.all(
      names.map((name) => testTable(setup, name, { kind: 'column', column: 'tenant_id' })),
    )
    await setup.end()
    plan = testPlan({
      source: { topology: { kind: 'single', shard: a }, urls: { [a]: url } },
      target: { topology: { kind: 'single', shard: asShardId('target/x') }, urls: { 'target/x': url } },
      tables,
    })
    connections = new CriticalConnections(() => connect({ shard: plan.source.shards[0]!, purpose: 'cutover' }))
  })

  after(async () => {
    await connections.close()
    await cluster.destroy()
  })

  test('D17: of many concurrent writers none slips through: every acknowledged write is before the point, none after', async (t) => {
    const fences = new Fences({ plan, migration, connections })
    await connections.warm([a])
    await fences.prepare('source', [a])
    const observer = new pg.Client({ connectionString: url })
    await observer.connect()
    const slot = (
      await observer.query<{ slot: string }>(
        `SELECT slot_name AS slot FROM pg_create_logical_replication_slot('fence_load', 'test_decoding')`,
      )
    ).rows.length
    assert.equal(slot, 1)

    const milliseconds: number[] = []
    const acknowledged = new Map<string, number>()
    const held: number[] = []
    let serial = 0
    for (let round = 1; round <= rounds; round++) {
      let running = true
      let refusals = 0
      const writers = Array.from({ length: writerCount }, async (_, number) => {
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        while (running) {
          const id = ++serial
          const first = (id * 7 + number) % tableCount
          const second = (first + 1 + (id % 5)) % tableCount
          const statements =
            id % 3 === 0
              ? [`INSERT INTO t${first} VALUES (${id}, ${number}, ${round}, 'w')`]
              : [
                  'BEGIN',
                  `INSERT INTO t${first} VALUES (${id}, ${number}, ${round}, 'w')`,
                  `UPDATE t${second} SET value = 'u' WHERE id = ${id - 50}`,
                  'COMMIT',
                ]
          const sent = performance.now()
          try {
            for (const statement of statements) await client.query(statement)
            acknowledged.set(`t${first} ${id}`, round)
          } catch (error) {
            assert.equal((error as pg.DatabaseError).code, 'CF001', String(error))
            if (refusals++ < writerCount) held.push(performance.now() - sent)
            await client.query('ROLLBACK')
          }
          await new Promise((resolve) => setTimeout(resolve, restMs))
        }
        await client.end()
      })
      try {
        await new Promise((resolve) => setTimeout(resolve, 400))
        const started = performance.now()
        const [point] = await fences.fence('source', [a], asEpoch(round), 'target')
        milliseconds.push(performance.now() - started)
        await new Promise((resolve) => setTimeout(resolve, 200))
        // On a busy machine it takes a while until the writers come by.
        for (let tries = 0; refusals === 0 && tries < 1_500; tries++)
          await new Promise((resolve) => setTimeout(resolve, 20))
        const stillThere = await commitsAfter(observer, point!.lsn)
        assert.deepEqual(stillThere, [], 'no transaction with a row commits after the point')
        assert.ok(refusals > 0, 'writers met the fence')
      } finally {
        running = false
      }
      await Promise.all(writers)
      await fences.unfence('source', [a], asEpoch(round))
      await fences.settled()
    }
    const rows = new Set<string>()
    for (let index = 0; index < tableCount; index++) {
      const { rows: found } = await observer.query<{ id: string }>(`SELECT id::text AS id FROM t${index}`)
      for (const { id } of found) rows.add(`t${index} ${id}`)
    }
    assert.deepEqual(
      [...acknowledged.keys()].filter((key) => !rows.has(key)),
      [],
      'acknowledged and lost',
    )
    assert.deepEqual(
      [...rows].filter((key) => !acknowledged.has(key)),
      [],
      'refused and there all the same',
    )
    await observer.query(`SELECT pg_drop_replication_slot('fence_load')`)
    await observer.end()
    t.diagnostic(
      `fence of ${tableCount} tables under load: ${milliseconds.map((each) => each.toFixed(1)).join(', ')} ms, first refusals after at most ${Math.max(...held).toFixed(1)} ms, ${acknowledged.size} writes acknowledged`,
    )
  })
  test('D10 D17: kill -9 of a fencing backend, which restarts its whole server, leaves all fenced or none', async () => {
    const b = asShardId('source/b')
    const second = await startCluster({ version: 18 })
    const urlB = await second.createDatabase('load')
    const setup = new pg.Client({ connectionString: urlB })
    await setup.connect()
    await createControlSchema(setup, b)
    for (const { source } of plan.tables)
      await setup.query(`CREATE TABLE ${source.name} (id bigint PRIMARY KEY, tenant_id int)`)
    await setup.end()
    const both = testPlan({
      source: { topology: evenHash([a, b]), urls: { [a]: url, [b]: urlB } },
      target: { topology: { kind: 'single', shard: asShardId('target/x') }, urls: { 'target/x': url } },
      tables: plan.tables,
    })
    let backend = 0
    const sessions = new CriticalConnections(async (shard) => {
      const client = await connect({ shard: both.source.shards.find((each) => each.id === shard)!, purpose: 'cutover' })
      const { rows } = await client.query<{ pid: string }>('SELECT pg_backend_pid()::text AS pid')
      if (shard === b) backend = Number(rows[0]!.pid)
      return client
    })
    const writes = async (connectionString: string) => {
      const client = new pg.Client({ connectionString })
      await client.connect()
      const done = await client.query('INSERT INTO t0 VALUES ((random() * 1e15)::bigint, 1)').then(
        () => true,
        (error: pg.DatabaseError) => error.code !== 'CF001' && Promise.reject(error),
      )
      await client.end()
      return done
    }
    let epoch = 100
    for (const step of ['begin', 'armed', 'commit', 'committed'] as const) {
      let killed = false
      const fences = new Fences({
        plan: both,
        migration,
        connections: sessions,
        observe: async (at, shard) => {
          if (at !== step || shard !== b || killed) return
          killed = true
          process.kill(backend, 'SIGKILL')
          await new Promise((resolve) => setTimeout(resolve, 50))
        },
      })
      await fences.prepare('source', [a, b])
      epoch += 1
      const fenced = await fences.fence('source', [a, b], asEpoch(epoch), 'target').then(
        () => true,
        () => false,
      )
      assert.ok(killed)
      for (let tries = 0; tries < 600; tries++) {
        if (
          await writes(urlB).then(
            () => true,
            () => false,
          )
        )
          break
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      assert.equal(fenced, step === 'committed')
      assert.deepEqual([await writes(url), await writes(urlB)], fenced ? [false, false] : [true, true], step)
      await fences.unfence('source', [a, b], asEpoch(epoch))
      await fences.settled()
      assert.deepEqual([await writes(url), await writes(urlB)], [true, true])
    }
    await sessions.close()
    await second.destroy()
  })
})

/** Transactions with rows of the plan's tables whose commit lies after `point`, as the log itself says. */
async function commitsAfter(client: pg.Client, point: Lsn): Promise<readonly string[]> {
  const { rows } = await client.query<{ lsn: string; data: string }>(
    `SELECT lsn::text AS lsn, data FROM pg_logical_slot_peek_changes('fence_load', NULL, NULL)`,
  )
  const late: string[] = []
  let changes: string[] = []
  for (const { lsn, data } of rows) {
    if (data.startsWith('BEGIN')) changes = []
    else if (data.startsWith('table public.t')) changes.push(data)
    else if (data.startsWith('COMMIT') && parseLsn(lsn) > point) late.push(...changes)
  }
  await client.query(`SELECT pg_replication_slot_advance('fence_load', pg_current_wal_lsn())`)
  return late
}
