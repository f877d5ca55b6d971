import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { Failure } from '@crossfade/model/failure.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import type { SnapshotReference } from '@crossfade/pipeline/data-plane.ts'
import { routeSql } from '@crossfade/routing/route-sql.ts'
import { removeDuplicates } from './remove-duplicates.ts'
import { type Bench, type BenchOptions, migration, startBench, taskContext, testTable } from './snapshot-testing.ts'

let cluster: Cluster
const source = asShardId('source/0')
const target = asShardId('target/0')
const open: Bench[] = []

before(async () => {
  cluster = await startCluster({ version: 18 })
})
after(() => cluster?.destroy())
afterEach(async () => {
  for (const bench of open.splice(0)) await bench.close()
})

async function bench(options: Omit<BenchOptions, 'cluster'>): Promise<Bench> {
  const made = await startBench({ cluster, ...options })
  open.push(made)
  return made
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => assert.fail('it should have failed'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof Failure, String((error as Error).stack))
  return error
}

async function copyAll(made: Bench, snapshot: SnapshotReference, from = source) {
  const chunks = await made.snapshots.chunks(from)
  const copied = []
  for (const chunk of chunks) copied.push(await made.snapshots.copy(chunk, snapshot, taskContext()))
  return { chunks, rows: copied.reduce((sum, each) => sum + each.rows, 0) }
}

const itemColumns = { id: 'bigint', tenant: 'uuid', note: 'text', amount: 'numeric', at: 'timestamp with time zone' }
const itemsSql =
  'CREATE TABLE items (id bigint, tenant uuid, note text, amount numeric, at timestamptz) WITH (autovacuum_enabled = off)'
const fillItems = (rows: number) => `
  INSERT INTO items SELECT n, md5((n % 97)::text)::uuid,
    CASE WHEN n % 11 = 0 THEN NULL WHEN n % 13 = 0 THEN E'tab\\t nl\\n back\\\\slash \\\\N é中😀' ELSE repeat(md5(n::text), 5) END,
    n / 7.0, timestamptz '2020-01-01' + n * interval '1 minute' FROM generate_series(1, ${rows}) n`
const digest = `SELECT count(*) AS n, sum(hashtextextended(items::text, 0)::numeric) AS d FROM items`

const byTenant = (targets: readonly ReturnType<typeof asShardId>[]) =>
  ({
    kind: 'hash',
    buckets: 16,
    ranges: targets.map((shard, index) => ({
      shard,
      from: Math.floor((16 * index) / targets.length),
      to: Math.floor((16 * (index + 1)) / targets.length),
    })),
  }) as const

for (const binary of [true, false]) {
  test(`DM-03 one target: all chunks arrive untouched (${binary ? 'binary' : 'text'}), and again is a no-op`, async () => {
    const made = await bench({ tables: [testTable('items', itemColumns, { binary })], sourceSql: itemsSql })
    await made.run(source, fillItems(20_000))
    const snapshot = await made.snapshots.open(source, taskContext())
    await made.run(
      source,
      `INSERT INTO items VALUES (-1); DELETE FROM items WHERE id = 5; UPDATE items SET note = 'later' WHERE id < 100`,
    )
    const { chunks, rows } = await copyAll(made, snapshot)
    assert.ok(chunks.length > 3, `${chunks.length} chunks`)
    assert.equal(chunks.at(-1)!.toPage, null)
    assert.equal(rows, 20_000)
    const expected = await bench({ tables: [], sourceSql: itemsSql })
    await expected.run(source, fillItems(20_000))
    assert.deepEqual(await made.rows(target, digest), await expected.rows(source, digest))
    assert.equal((await made.snapshots.copied(source)).size, chunks.length)
    const [first] = chunks
    const again = await made.snapshots.copy(first!, snapshot, taskContext())
    assert.ok(again.rows > 0)
    assert.deepEqual(await made.rows(target, digest), await expected.rows(source, digest))
    await snapshot.close()
  })

  test(`DM-02 three targets: each row goes where its key routes (${binary ? 'binary' : 'text'})`, async () => {
    const table = testTable('items', itemColumns, { binary, route: { kind: 'column', column: 'tenant' } })
    const made = await bench({ targets: 3, topology: byTenant, tables: [table], sourceSql: itemsSql })
    await made.run(source, fillItems(20_000))
    const snapshot = await made.snapshots.open(source, taskContext())
    await copyAll(made, snapshot)
    await snapshot.close()
    const shardSql = routeSql(made.plan.target.topology, 'tenant::text')
    const expected = await made.rows(
      source,
      `SELECT ${shardSql} AS shard, count(*) AS n, sum(hashtextextended(items::text, 0)::numeric) AS d FROM items GROUP BY 1 ORDER BY 1`,
    )
    assert.equal(expected.length, 3)
    for (const { shard, ...figures } of expected)
      assert.deepEqual(await made.rows(asShardId(shard!), digest), [figures])
  })
}

test('DM-02 rows are routed through their parents, reference tables go everywhere, from the first source alone', async () => {
  const sql = `CREATE TABLE channels (id int PRIMARY KEY, tenant text); CREATE TABLE settings (id int, channel int, tenant text); CREATE TABLE countries (code text)`
  const tables = [
    testTable('channels', { id: 'integer', tenant: 'text' }, { route: { kind: 'column', column: 'tenant' } }),
    testTable(
      'settings',
      { id: 'integer', channel: 'integer', tenant: 'text' },
      {
        where: "tenant <> 'left out'",
        route: {
          kind: 'parent',
          column: 'channel',
          parent: { schema: 'public', name: 'channels' },
          parentColumn: 'id',
          then: { kind: 'column', column: 'tenant' },
        },
      },
    ),
    testTable('countries', { code: 'text' }, { route: { kind: 'reference' } }),
  ]
  const made = await bench({ sources: 2, targets: 2, topology: byTenant, tables, sourceSql: sql })
  const other = asShardId('source/1')
  await made.run(
    source,
    `INSERT INTO channels SELECT n, 'tenant ' || n FROM generate_series(1, 50) n; INSERT INTO settings SELECT n, 1 + n % 50, CASE WHEN n % 10 = 0 THEN 'left out' ELSE 'x' END FROM generate_series(1, 1000) n; INSERT INTO countries VALUES ('CH'), ('NZ')`,
  )
  await made.run(other, `INSERT INTO countries VALUES ('CH'), ('NZ')`)
  for (const from of [source, other]) {
    const snapshot = await made.snapshots.open(from, taskContext())
    await copyAll(made, snapshot, from)
    await snapshot.close()
  }
  let settings = 0
  for (const shard of made.plan.target.shards) {
    assert.deepEqual(await made.rows(shard.id, 'SELECT code FROM countries ORDER BY 1'), [
      { code: 'CH' },
      { code: 'NZ' },
    ])
    const [figures] = await made.rows(
      shard.id,
      `SELECT count(*) AS n, count(c.id) AS with_parent, count(*) FILTER (WHERE ${routeSql(made.plan.target.topology, 'c.tenant')} = '${shard.id}') AS placed
       FROM settings s LEFT JOIN channels c ON c.id = s.channel`,
    )
    assert.equal(figures!['with_parent'], figures!['n'])
    assert.equal(figures!['placed'], figures!['n'])
    settings += Number(figures!['n'])
  }
  assert.equal(settings, 900)
})

test('D18 generated and identity columns, renamed ones, and names with quotes', async () => {
  const name = 'Odd "name", with spaces'
  const made = await bench({
    tables: [
      testTable(
        name,
        { 'Id "x"': 'integer', doubled: 'integer', a: 'text' },
        { columns: [{ identity: 'always' }, { generated: true }, { target: 'b' }] },
      ),
    ],
    sourceSql: `CREATE TABLE "Odd ""name"", with spaces" ("Id ""x""" int GENERATED ALWAYS AS IDENTITY, a text, doubled int GENERATED ALWAYS AS ("Id ""x""" * 2) STORED)`,
    targetSql: `CREATE TABLE "Odd ""name"", with spaces" (b text, doubled int GENERATED ALWAYS AS ("Id ""x""" * 2) STORED, "Id ""x""" int GENERATED ALWAYS AS IDENTITY)`,
  })
  await made.run(source, `INSERT INTO "Odd ""name"", with spaces" (a) VALUES ('one'), (NULL), ('')`)
  const snapshot = await made.snapshots.open(source, taskContext())
  await copyAll(made, snapshot)
  await snapshot.close()
  assert.deepEqual(await made.rows(target, `SELECT * FROM "Odd ""name"", with spaces" ORDER BY 3`), [
    { b: 'one', doubled: '2', 'Id "x"': '1' },
    { b: null, doubled: '4', 'Id "x"': '2' },
    { b: '', doubled: '6', 'Id "x"': '3' },
  ])
})

test('a table without columns keeps its rows', async () => {
  for (const binary of [true, false]) {
    const table = testTable('nothing', {}, { binary, identity: { kind: 'full' } })
    const made = await bench({ tables: [table], sourceSql: 'CREATE TABLE nothing ()' })
    await made.run(source, 'INSERT INTO nothing SELECT FROM generate_series(1, 5)')
    const snapshot = await made.snapshots.open(source, taskContext())
    await copyAll(made, snapshot)
    await snapshot.close()
    assert.deepEqual(await made.rows(target, 'SELECT count(*) AS n FROM nothing'), [{ n: '5' }])
  }
})

test('DM-04 a transform sees the source’s row and gives the target’s; null leaves a row out; NULL and the empty text stay apart', async () => {
  const made = await bench({
    targets: 2,
    topology: byTenant,
    tables: [testTable('items', itemColumns, { transform: 'mask', route: { kind: 'column', column: 'tenant' } })],
    sourceSql: itemsSql,
    transforms: {
      mask: (row) =>
        row['id'] === '3'
          ? null
          : { ...row, note: row['note'] === null ? '' : `${row['note']}\t\\.${row['amount']?.slice(0, 2)}` },
    },
  })
  await made.run(source, fillItems(5000))
  const snapshot = await made.snapshots.open(source, taskContext())
  await copyAll(made, snapshot)
  await snapshot.close()
  const expected = await made.rows(
    source,
    `SELECT ${routeSql(made.plan.target.topology, 'tenant::text')} AS shard, count(*) AS n, sum(hashtextextended((id, tenant, coalesce(note || E'\\t\\\\.' || left(amount::text, 2), ''), amount, at)::text, 0)::numeric) AS d
     FROM items WHERE id <> 3 GROUP BY 1`,
  )
  for (const { shard, ...figures } of expected) assert.deepEqual(await made.rows(asShardId(shard!), digest), [figures])
})

test('a transform that throws, or gives no text, is CF3105 and leaves nothing behind', async () => {
  for (const transform of [
    () => {
      throw new Error('no idea')
    },
    () => ({ id: '1' }),
  ]) {
    const made = await bench({
      tables: [testTable('items', itemColumns, { transform: 'bad' })],
      sourceSql: itemsSql,
      transforms: { bad: transform },
    })
    await made.run(source, fillItems(10))
    const snapshot = await made.snapshots.open(source, taskContext())
    const failure = await failureOf(copyAll(made, snapshot))
    assert.equal(failure.code, 'CF3105')
    assert.deepEqual(await made.rows(target, 'SELECT * FROM items'), [])
    assert.equal((await made.snapshots.copied(source)).size, 0)
    await snapshot.close()
  }
})

test('a row that no target owns is CF3106', async () => {
  const made = await bench({
    targets: 2,
    topology: ([a]) => ({ kind: 'directory', entries: { x: a! }, otherwise: null }),
    tables: [testTable('items', itemColumns, { route: { kind: 'column', column: 'tenant' } })],
    sourceSql: itemsSql,
  })
  assert.equal(made.plan.target.shards.length, 2)
  await made.run(source, `${fillItems(10)}; UPDATE items SET tenant = NULL WHERE id = 4`)
  const directory = { ...made.plan.target.topology }
  assert.equal(directory.kind, 'directory')
  const snapshot = await made.snapshots.open(source, taskContext())
  // With one shard named in the directory nothing needs to be split, so a second name makes it look at keys.
  Object.assign((made.plan.target.topology as { entries: object }).entries, { y: asShardId('target/1') })
  const failure = await failureOf(copyAll(made, snapshot))
  assert.equal(failure.code, 'CF3106')
  await snapshot.close()
})

test('D02 a part that is on one target already is not copied again, and a stale epoch is refused', async () => {
  const table = testTable('items', itemColumns, { route: { kind: 'column', column: 'tenant' } })
  const made = await bench({ targets: 2, topology: byTenant, tables: [table], sourceSql: itemsSql })
  await made.run(source, fillItems(3000))
  const snapshot = await made.snapshots.open(source, taskContext())
  const chunks = await made.snapshots.chunks(source)
  for (const chunk of chunks) await made.snapshots.copy(chunk, snapshot, taskContext({ epochNumber: 3 }))
  const whole = await made.rows(asShardId('target/1'), digest)
  const first = await made.rows(target, digest)
  // As after a crash between the two commits.
  await made.run(asShardId('target/1'), 'TRUNCATE items; DELETE FROM crossfade.chunk_done')
  assert.equal((await made.snapshots.copied(source)).size, 0)
  for (const chunk of chunks) {
    const failure = await failureOf(made.snapshots.copy(chunk, snapshot, taskContext({ epochNumber: 2 })))
    assert.equal(failure.code, 'CF6006')
    await made.snapshots.copy(chunk, snapshot, taskContext({ epochNumber: 3 }))
  }
  assert.deepEqual(await made.rows(asShardId('target/1'), digest), whole)
  assert.deepEqual(await made.rows(target, digest), first)
  assert.equal((await made.snapshots.copied(source)).size, chunks.length)
  await snapshot.close()
})

test('D09 a lost snapshot is retryable, a later one goes on, and rows that both showed are left once', async () => {
  const made = await bench({ tables: [testTable('items', itemColumns)], sourceSql: itemsSql })
  await made.run(source, `${fillItems(10_000)}; ALTER TABLE items ADD PRIMARY KEY (id)`)
  const first = await made.snapshots.open(source, taskContext())
  assert.equal(first.generation, 1)
  const chunks = await made.snapshots.chunks(source)
  const half = chunks.slice(0, chunks.length / 2)
  for (const chunk of half) await made.snapshots.copy(chunk, first, taskContext())
  await made.run(source, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'walsender'`)
  assert.equal((await failureOf(first.lost)).code, 'CF3101')
  const failure = await failureOf(made.snapshots.copy(chunks.at(-1)!, first, taskContext()))
  assert.equal(failure.code, 'CF3101')
  assert.equal(failure.retry, true)
  // These rows leave the pages that are copied already for pages that are not.
  await made.run(source, `UPDATE items SET note = 'moved' WHERE id <= 500`)
  const second = await made.snapshots.open(source, taskContext({ epochNumber: 2 }))
  assert.ok(second.generation > 1)
  assert.ok(second.lsn > first.lsn)
  for (const chunk of chunks) await made.snapshots.copy(chunk, second, taskContext({ epochNumber: 2 }))
  await second.close()
  const count = async () => (await made.rows(target, 'SELECT count(*) AS n, count(DISTINCT id) AS keys FROM items'))[0]!
  const twice = await count()
  assert.equal(twice['keys'], '10000')
  assert.ok(Number(twice['n']) > 10_000, 'no row was shown twice')
  const [table] = made.plan.tables
  const removed = await made
    .pool(target)
    .withConnection((client) => removeDuplicates(client, migration, made.plan, table!))
  assert.equal(removed, Number(twice['n']) - 10_000)
  assert.deepEqual(await count(), { n: '10000', keys: '10000' })
  const slots = await made.rows(
    source,
    `SELECT slot_name FROM pg_replication_slots WHERE database = current_database()`,
  )
  assert.deepEqual(slots, [{ slot_name: made.slot(source) }])
})

test('a later snapshot rides over keys that are on the target already', async () => {
  const made = await bench({
    tables: [testTable('items', itemColumns)],
    sourceSql: itemsSql,
    targetSql: `${itemsSql}; ALTER TABLE items ADD PRIMARY KEY (id)`,
  })
  await made.run(source, fillItems(3000))
  await (await made.snapshots.open(source, taskContext())).close()
  const later = await made.snapshots.open(source, taskContext())
  await made.run(target, `INSERT INTO items (id, note) VALUES (7, 'earlier state')`)
  await copyAll(made, later)
  await later.close()
  assert.deepEqual(await made.rows(target, 'SELECT count(*) AS n FROM items'), [{ n: '3000' }])
  assert.deepEqual(await made.rows(target, 'SELECT note FROM items WHERE id = 7'), [{ note: 'earlier state' }])
})

test('D19 partitioned tables are read leaf by leaf; without identity they are one chunk through the root', async () => {
  const sql = `CREATE TABLE items (id bigint, tenant uuid, note text, amount numeric, at timestamptz) PARTITION BY RANGE (id);
    CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (3000);
    CREATE TABLE items_2 PARTITION OF items FOR VALUES FROM (3000) TO (100000)`
  const leaves = ['items_1', 'items_2'].map((name) => ({ schema: 'public', name }))
  for (const identity of [{ kind: 'key', columns: ['id'] }, { kind: 'full' }] as const) {
    const made = await bench({
      tables: [testTable('items', itemColumns, { leaves, identity })],
      sourceSql: sql,
      targetSql: itemsSql,
    })
    await made.run(source, fillItems(10_000))
    const snapshot = await made.snapshots.open(source, taskContext())
    const { chunks } = await copyAll(made, snapshot)
    await snapshot.close()
    if (identity.kind === 'full') assert.equal(chunks.length, 1)
    else assert.deepEqual([...new Set(chunks.map((chunk) => chunk.leaf.name))], ['items_1', 'items_2'])
    assert.deepEqual(await made.rows(target, digest), await made.rows(source, digest))
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, chunks.length)
  }
})

test('a table that is written anew while it is copied is CF3104; a truncated one is empty', async () => {
  const made = await bench({ tables: [testTable('items', itemColumns)], sourceSql: itemsSql })
  await made.run(source, fillItems(3000))
  const snapshot = await made.snapshots.open(source, taskContext())
  const chunks = await made.snapshots.chunks(source)
  await made.run(source, 'VACUUM FULL items')
  const failure = await failureOf(made.snapshots.copy(chunks[0]!, snapshot, taskContext()))
  assert.equal(failure.code, 'CF3104')
  await made.run(source, 'TRUNCATE items')
  assert.equal((await made.snapshots.copy(chunks[0]!, snapshot, taskContext())).rows, 0)
  await snapshot.close()
})

test('D07 a target that dies in the middle of a chunk is retryable, and what it refuses is not', async () => {
  const made = await bench({ tables: [testTable('items', itemColumns)], sourceSql: itemsSql })
  await made.run(source, fillItems(20_000))
  const snapshot = await made.snapshots.open(source, taskContext())
  const [chunk] = await made.snapshots.chunks(source)
  const whole = { ...chunk!, toPage: null }
  let killed = false
  const failure = await failureOf(
    made.snapshots.copy(
      whole,
      snapshot,
      taskContext({
        throttle: async () => {
          if (killed) return
          killed = true
          await made.run(
            source,
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${made.databases.get(target)!.name}'`,
          )
        },
      }),
    ),
  )
  assert.ok(killed)
  assert.equal(failure.retry, true, failure.message)
  assert.deepEqual(await made.rows(target, 'SELECT * FROM items'), [])
  await made.run(target, 'ALTER TABLE items ADD CHECK (id < 19000)')
  const refused = await failureOf(made.snapshots.copy(whole, snapshot, taskContext()))
  assert.equal(refused.code, 'CF3103')
  await made.run(target, 'ALTER TABLE items DROP CONSTRAINT items_id_check')
  assert.equal((await made.snapshots.copy(whole, snapshot, taskContext())).rows, 20_000)
  await snapshot.close()
})

test('an abort ends a copy with its reason, leaves nothing, and gives every connection back', async () => {
  const made = await bench({ tables: [testTable('items', itemColumns)], sourceSql: itemsSql, connectionsMax: 1 })
  await made.run(source, fillItems(20_000))
  const snapshot = await made.snapshots.open(source, taskContext())
  const [chunk] = await made.snapshots.chunks(source)
  const whole = { ...chunk!, toPage: null }
  const controller = new AbortController()
  const reason = new Error('the lease is lost')
  const copy = made.snapshots.copy(
    whole,
    snapshot,
    taskContext({
      signal: controller.signal,
      throttle: async () => controller.abort(reason),
    }),
  )
  await assert.rejects(copy, (error) => error === reason)
  assert.deepEqual(await made.rows(target, 'SELECT * FROM items'), [])
  assert.equal((await made.snapshots.copy(whole, snapshot, taskContext())).rows, 20_000)
  await snapshot.close()
})

test('an abort while the snapshot is opened leaves no slot', async () => {
  const made = await bench({ tables: [], sourceSql: itemsSql })
  const controller = new AbortController()
  await made.pool(source).withTransaction(async (client) => {
    // A running transaction that holds the slot's creation up.
    await client.query('INSERT INTO items VALUES (1)')
    const opening = made.snapshots.open(source, taskContext({ signal: controller.signal }))
    opening.catch(() => undefined)
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event_type = 'Lock'`
    while ((await made.rows(source, waiting)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    controller.abort(new Error('stopped'))
    await assert.rejects(opening, /stopped/)
    const senders = `SELECT 1 FROM pg_stat_activity WHERE backend_type = 'walsender' AND datname = current_database()`
    while ((await made.rows(source, senders)).length > 0) await new Promise((resolve) => setTimeout(resolve, 50))
  })
  assert.deepEqual(
    await made.rows(source, `SELECT slot_name FROM pg_replication_slots WHERE database = current_database()`),
    [],
  )
})

/** Together more than twice what memory may grow by. */
const largeRows = 18

for (const targets of [1, 2]) {
  test(`rows of 8 MB pass through ${targets} target(s) in bounded memory`, async () => {
    const table = testTable('blobs', { id: 'integer', body: 'bytea' }, { route: { kind: 'column', column: 'id' } })
    const made = await bench({
      targets,
      topology: byTenant,
      tables: [table],
      sourceSql: 'CREATE TABLE blobs (id int, body bytea); ALTER TABLE blobs ALTER body SET STORAGE EXTERNAL',
    })
    await made.run(
      source,
      `INSERT INTO blobs SELECT n, convert_to(repeat(md5(n::text), 256 * 1024), 'UTF8') FROM generate_series(1, ${largeRows}) n`,
    )
    const snapshot = await made.snapshots.open(source, taskContext())
    const chunks = await made.snapshots.chunks(source)
    const before = process.memoryUsage.rss()
    let peak = before
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss())
    }, 5)
    for (const chunk of chunks) await made.snapshots.copy(chunk, snapshot, taskContext())
    clearInterval(watch)
    await snapshot.close()
    const sum = 'SELECT count(*) AS n, sum(hashtextextended(md5(body) || id, 0)::numeric) AS d FROM blobs'
    const parts = await Promise.all(made.plan.target.shards.map((shard) => made.rows(shard.id, sum)))
    const [whole] = await made.rows(source, sum)
    assert.equal(
      parts.reduce((rows, [part]) => rows + Number(part!['n']), 0),
      largeRows,
    )
    assert.equal(
      parts.reduce((all, [part]) => all + BigInt(part!['d'] ?? 0), 0n),
      BigInt(whole!['d']!),
    )
    const grownMb = Math.round((peak - before) / 1024 / 1024)
    assert.ok(grownMb < 64, `${largeRows * 8} MB passed and memory grew by ${grownMb} MB`)
  })
}
