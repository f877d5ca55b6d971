import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { startCluster } from '@crossfade/embedded/cluster.ts'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import { type BenchOptions, openClient, type SinkBench, startSinkBench, testTable } from './sink-testing.ts'

const benches: SinkBench[] = []
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close()
})

async function bench(options: Omit<BenchOptions, 'sourceCluster'> & Partial<BenchOptions>): Promise<SinkBench> {
  const made = await startSinkBench({ sourceCluster: await sharedTestCluster(), ...options })
  benches.push(made)
  return made
}

const keyed = testTable('item', { id: 'integer', name: 'text' })
const keyless = testTable('event', { name: 'text' }, { identity: { kind: 'full' } })
const sql = `CREATE TABLE item (id int PRIMARY KEY, name text); CREATE TABLE event (name text); ALTER TABLE event REPLICA IDENTITY FULL;`

test('D07, D15: servers that are killed and started again, on either side, are ridden out exactly', async () => {
  const target = await startCluster({ version: 18 })
  const source = await startCluster({ version: 18 })
  try {
    const b = await bench({
      sourceCluster: source,
      targetCluster: target,
      tables: [keyed, keyless],
      sourceSql: sql,
      changes: { batchRowsMax: 20 },
    })
    const stream = b.follow('source/0')
    let id = 0
    const write = async (count: number) => {
      for (let index = 0; index < count; index += 1) {
        id += 1
        await b.sources[0]!.query(
          `BEGIN; INSERT INTO item VALUES (${id}, 'n'); INSERT INTO event VALUES ('e${id % 3}'); UPDATE event SET name = 'f${id}' WHERE ctid = (SELECT min(ctid) FROM event); COMMIT`,
        )
      }
    }
    await write(50)
    const writing = write(200)
    await target.kill()
    await writing
    await target.start()
    await b.reconnect('target/0')
    await b.caughtUp('source/0', stream)
    await b.assertEqual()
    await write(20)
    await source.kill()
    await source.start()
    await b.reconnect('source/0')
    await write(20)
    await b.caughtUp('source/0', stream)
    await b.assertEqual()
  } finally {
    for (const made of benches.splice(0)) await made.close()
    await source.destroy()
    await target.destroy()
  }
})

test('D15: a transaction of many pieces is interrupted between them and goes on exactly where it was', async () => {
  const b = await bench({ tables: [keyed, keyless], sourceSql: sql, changes: { batchRowsMax: 50 } })
  const [source] = b.sources
  const [target] = b.targets
  const stream = b.follow('source/0')
  await source!.query(
    `BEGIN; INSERT INTO event SELECT 'e' || g % 5 FROM generate_series(1, 3000) g; INSERT INTO item SELECT g, 'x' FROM generate_series(1, 3000) g; UPDATE event SET name = 'u' || name; COMMIT`,
  )
  for (let kill = 0; kill < 8; kill += 1) {
    await new Promise((resolve) => setTimeout(resolve, 40))
    await target!.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'crossfade apply'`,
    )
  }
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
})

test('DM-05 a table that is altered stops the stream, names the change, and still does after a restart', async () => {
  const b = await bench({ tables: [keyed], sourceSql: sql })
  const [source] = b.sources
  for (let start = 1; start <= 2; start += 1) {
    const stream = b.follow('source/0', start)
    if (start === 1) {
      await source!.query(`INSERT INTO item VALUES (1, 'before')`)
      await b.caughtUp('source/0', stream)
      await source!.query(`ALTER TABLE item ADD COLUMN extra text; INSERT INTO item VALUES (2, 'after', 'x')`)
    }
    await assert.rejects(
      stream.done,
      (error: Failure) => error.code === 'CF3203' && /public\.item.*extra/.test(error.message),
    )
  }
  assert.equal((await b.targets[0]!.query('SELECT 1 FROM item')).rowCount, 1)
})

test('DM-05 with ddl: apply, columns that are added and dropped are carried over, to every target and through restarts', async () => {
  const b = await bench({
    tables: [keyed],
    sourceSql: sql,
    ddl: 'apply',
    targets: 2,
    targetTopology: (shards) => ({ kind: 'single', shard: shards[0]! }),
    reverse: true,
  })
  const [source] = b.sources
  const stream = b.follow('source/0')
  const back = b.follow('target/0')
  await source!.query(`INSERT INTO item VALUES (1, 'before')`)
  await b.caughtUp('source/0', stream)
  await source!.query(
    `ALTER TABLE item ADD COLUMN extra text DEFAULT 'it''s', ADD COLUMN more int; INSERT INTO item VALUES (2, 'after', 'x', 7); UPDATE item SET more = 1 WHERE id = 1`,
  )
  await b.caughtUp('source/0', stream)
  const rows = async (client: (typeof b.sources)[number]) => (await client.query('SELECT * FROM item ORDER BY id')).rows
  assert.deepEqual(await rows(b.targets[0]!), await rows(source!))
  await b.targets[0]!.query(`UPDATE item SET extra = 'from there' WHERE id = 1`)
  await b.caughtUp('target/0', back)
  assert.deepEqual(await rows(b.targets[0]!), await rows(source!))
  await stream.stop()
  const again = b.follow('source/0', 2)
  await source!.query(
    `UPDATE item SET extra = 'y', more = 9; ALTER TABLE item DROP COLUMN more; INSERT INTO item VALUES (3, 'c', 'z')`,
  )
  await b.caughtUp('source/0', again)
  assert.deepEqual(await rows(b.targets[0]!), await rows(source!))
  await source!.query(`ALTER TABLE item RENAME COLUMN extra TO renamed; INSERT INTO item VALUES (4, 'd', 'z')`)
  await assert.rejects(again.done, (error: Failure) => error.code === 'CF3203' && /renamed/.test(error.message))
})

test('DM-05 while somebody else has the table that is to be altered, readers go on, and so does the stream afterwards', async () => {
  const b = await bench({ tables: [keyed], sourceSql: sql, ddl: 'apply' })
  const [source] = b.sources
  const [target] = b.targets
  const stream = b.follow('source/0')
  await source!.query(`INSERT INTO item VALUES (1, 'before')`)
  await b.caughtUp('source/0', stream)
  await target!.query('BEGIN; SELECT 1 FROM item')
  await source!.query(`ALTER TABLE item ADD COLUMN extra text; INSERT INTO item VALUES (2, 'after', 'x')`)
  const reader = await openClient(b.databases.get(asShardId('target/0'))!.url)
  try {
    const waiting = `SELECT 1 FROM pg_locks WHERE relation = 'item'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted`
    while ((await target!.query(waiting)).rowCount === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    await reader.query(`SET statement_timeout = '60s'`)
    assert.equal((await reader.query('SELECT 1 FROM item')).rowCount, 1)
  } finally {
    await reader.end()
  }
  await target!.query('COMMIT')
  await b.caughtUp('source/0', stream)
  assert.deepEqual((await target!.query('SELECT extra FROM item ORDER BY id')).rows, [{ extra: null }, { extra: 'x' }])
})

test('stopping is quick, also while nothing can be reached', async () => {
  const target = await startCluster({ version: 18 })
  try {
    const b = await bench({ targetCluster: target, tables: [keyed], sourceSql: sql })
    const stream = b.follow('source/0')
    await b.sources[0]!.query(`INSERT INTO item VALUES (1)`)
    await b.caughtUp('source/0', stream)
    await target.stop('immediate')
    await b.sources[0]!.query(`INSERT INTO item VALUES (2)`)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await stream.stop()
  } finally {
    for (const made of benches.splice(0)) await made.close()
    await target.destroy()
  }
})
