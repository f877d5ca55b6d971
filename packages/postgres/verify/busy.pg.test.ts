import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { asShardId, type ShardId } from '@crossfade/model/ids.ts'
import { type Lsn, parseLsn } from '@crossfade/model/lsn.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import pg from 'pg'
import { createPool, type ShardPool } from '../connection/pool.ts'
import { type RunningStream, type SinkBench, startSinkBench } from '../sink/sink-testing.ts'
import { evenHash, testTable } from '../testing/plan.ts'
import { createVerification, type PostgresVerification } from './plane.ts'
import { taskContext } from './verify-testing.ts'

const schema = `
CREATE TABLE item (tenant_id int, id int, v text, n numeric, big text, PRIMARY KEY (tenant_id, id));
CREATE TABLE word (word text PRIMARY KEY, tenant_id int, times int);
ALTER TABLE item ALTER COLUMN big SET STORAGE EXTERNAL;
`
const writerCount = 4
const tenants = 6
const seed = testSeed()
const source = asShardId('source/0')

describe('D20: a busy table', () => {
  let bench: SinkBench
  let verification: PostgresVerification
  let stream: RunningStream
  let writing = true
  let writes = 0
  let writers: Promise<void>[]
  const pools = new Map<ShardId, ShardPool>()
  const stop = new AbortController()

  before(async () => {
    const cluster = await sharedTestCluster()
    const client = new pg.Client({ connectionString: await cluster.createDatabase(`busy_${process.pid}`) })
    await client.connect()
    await client.query(schema)
    const tenant = { kind: 'column', column: 'tenant_id' } as const
    const tables = [
      await testTable(client, { schema: 'public', name: 'item' }, tenant),
      await testTable(client, { schema: 'public', name: 'word' }, tenant),
    ]
    await client.end()
    bench = await startSinkBench({
      sourceCluster: cluster,
      targets: 2,
      targetTopology: (shards) => evenHash(shards),
      tables,
      sourceSql: schema,
      listener: (from) => verification.listener(from, taskContext(stop.signal)),
    })
    const plan: ResolvedPlan = {
      ...bench.plan,
      verification: {
        chunkRowsMax: 100,
        rechecksMax: 8,
        recheckMs: 20,
        touchedKeysMax: 20_000,
        mismatchesReportedMax: 100,
      },
    }
    for (const shard of [...plan.source.shards, ...plan.target.shards]) {
      pools.set(shard.id, createPool({ shard, purpose: 'verify', writer: bench.migration, connectionsMax: 6 }))
    }
    const read = <T>(shard: ShardId, work: (client: pg.ClientBase) => Promise<T>) =>
      pools.get(shard)!.withConnection(work)
    verification = createVerification({
      plan,
      migration: bench.migration,
      read,
      write: read,
      authority: async () => 'source',
      transforms: () => assert.fail('no transform'),
    })
    stream = bench.follow(source)
    writers = Array.from({ length: writerCount }, (_, number) => write(number))
  })

  after(async () => {
    writing = false
    await Promise.all(writers)
    stop.abort()
    await stream.stop()
    for (const pool of pools.values()) await pool.end()
    await bench.close()
    const cluster = await sharedTestCluster()
    await cluster.dropDatabase(`busy_${process.pid}`)
  })

  async function write(number: number): Promise<void> {
    const client = new pg.Client({ connectionString: bench.databases.get(source)!.url })
    await client.connect()
    let state = seed + number * 7919
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return (state >> 8) % below
    }
    while (writing) {
      const tenant = random(tenants)
      // Few hot keys and many cold ones.
      const id = random(3) === 0 ? random(5) : random(400)
      const statements = [
        () =>
          client.query(
            `INSERT INTO item VALUES ($1, $2, 'new', random(), repeat(md5(random()::text), 100)) ON CONFLICT (tenant_id, id) DO UPDATE SET v = item.v || 'x', n = random()`,
            [tenant, id],
          ),
        () =>
          client.query(`UPDATE item SET v = 'u' || $3 WHERE tenant_id = $1 AND id = $2`, [tenant, id, random(1000)]),
        () => client.query(`DELETE FROM item WHERE tenant_id = $1 AND id = $2`, [tenant, id]),
        () =>
          client.query(
            `UPDATE item SET tenant_id = $3 WHERE tenant_id = $1 AND id = $2 AND NOT EXISTS (SELECT FROM item WHERE tenant_id = $3 AND id = $2)`,
            [tenant, id, random(tenants)],
          ),
        () =>
          client.query(
            `INSERT INTO word VALUES ($1, $2, 1) ON CONFLICT (word) DO UPDATE SET times = word.times + 1, tenant_id = excluded.tenant_id`,
            [`w${id}`, tenant],
          ),
      ]
      await statements[random(statements.length)]!().catch((error: pg.DatabaseError) => {
        if (error.code !== '23505' && error.code !== '40P01') throw error
      })
      writes += 1
    }
    await client.end()
  }

  async function verifyAll(): Promise<readonly Mismatch[]> {
    const found: Mismatch[] = []
    for (const range of await verification.ranges())
      found.push(...(await verification.verify(range, taskContext())).mismatches)
    return found
  }
  const until = async (holds: () => boolean, what: string) => {
    for (let tries = 0; tries < 3_000; tries++) {
      if (holds()) return
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.fail(
      `never: ${what}; ${JSON.stringify(stream.status(), (_, value) => (typeof value === 'bigint' ? String(value) : value))}`,
    )
  }

  test('verifies clean again and again while it is written, and its touched keys are proven', async (t) => {
    t.diagnostic(`CROSSFADE_SEED=${seed}`)
    await until(() => writes > 500, 'writes')
    for (let round = 0; round < 6; round++) {
      assert.deepEqual(await verifyAll(), [], `round ${round}, seed ${seed}`)
      assert.deepEqual(stream.status()?.mismatches ?? [], [], `touched, seed ${seed}`)
    }
    const before = stream.status()!.proven
    await until(() => stream.status()!.proven > before, 'proven moves')
    t.diagnostic(`${writes} writes meanwhile`)
  })

  test('and what is really wrong is found and repaired while it is written', async () => {
    for (const target of bench.targets) {
      await target.query(`SET crossfade.writer = '${bench.migration}'`)
      await target.query(`UPDATE item SET v = 'corrupt' WHERE id BETWEEN 350 AND 360; DELETE FROM item WHERE id BETWEEN 361 AND 365;
        INSERT INTO item SELECT tenant_id, 5000, 'extra' FROM item WHERE tenant_id IN (SELECT tenant_id FROM item ORDER BY id LIMIT 1) LIMIT 1`)
    }
    let found: readonly Mismatch[] = []
    // Clients overwrite some of it by themselves before anybody looks.
    for (let tries = 0; tries < 5 && found.length === 0; tries++) found = await verifyAll()
    assert.ok(
      found.some((each) => each.kind === 'extra' && each.key['id'] === '5000'),
      JSON.stringify(found),
    )
    assert.ok(
      found.every((each) => Number(each.key['id']) >= 350),
      JSON.stringify(found),
    )
    for (let tries = 0; tries < 5 && found.length > 0; tries++) {
      await verification.repair(found, taskContext())
      found = await verifyAll()
    }
    assert.deepEqual(found, [])
  })

  test('when writing stops everything is proven within moments, and equal', async () => {
    writing = false
    await Promise.all(writers)
    const { rows } = await bench.sources[0]!.query<{ lsn: string }>(
      `SELECT pg_current_wal_insert_lsn()::text AS lsn, pg_logical_emit_message(true, 'crossfade.fence', '')::text`,
    )
    const end: Lsn = parseLsn(rows[0]!.lsn)
    await until(() => (stream.status()?.proven ?? 0n) >= end, 'proven to the end')
    assert.deepEqual(await verifyAll(), [])
    await bench.assertEqual()
  })
})
