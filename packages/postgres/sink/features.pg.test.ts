import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import type { ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { type BenchOptions, hashTopology, type SinkBench, startSinkBench, testTable } from './sink-testing.ts'

const benches: SinkBench[] = []
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close()
})

async function bench(options: Omit<BenchOptions, 'sourceCluster'>): Promise<SinkBench> {
  const made = await startSinkBench({ sourceCluster: await sharedTestCluster(), ...options })
  benches.push(made)
  return made
}

const big = (letter: string) => `repeat('${letter}', 4000)`
const toasted = testTable('doc', { id: 'bigint', title: 'text', body: 'text', note: 'text' })
const toastedSql = `CREATE TABLE doc (id bigint PRIMARY KEY, title text, body text, note text);
ALTER TABLE doc ALTER body SET STORAGE EXTERNAL, ALTER note SET STORAGE EXTERNAL;`

test('D08: unchanged TOAST survives updates in place, key changes and both in bulk', async () => {
  const b = await bench({ tables: [toasted], sourceSql: toastedSql })
  const [source] = b.sources
  const stream = b.follow('source/0')
  await source!.query(
    `INSERT INTO doc SELECT g, 't' || g, ${big('a')} || g, CASE WHEN g % 2 = 0 THEN ${big('b')} END FROM generate_series(1, 300) g`,
  )
  await b.caughtUp('source/0', stream)
  await source!.query(`UPDATE doc SET title = 'small'`)
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
  await source!.query(`UPDATE doc SET id = id + 1000, title = 'moved' WHERE id <= 100`)
  await source!.query(
    `UPDATE doc SET id = id + 2000 WHERE id = 1001; UPDATE doc SET body = ${big('c')} WHERE id % 3 = 0`,
  )
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
})

test('D08: a row that is missing on the target is fetched with what the stream did not send', async () => {
  const b = await bench({ tables: [toasted], sourceSql: toastedSql })
  const [source] = b.sources
  const [target] = b.targets
  await source!.query(`INSERT INTO doc SELECT g, 't' || g, ${big('a')} || g, NULL FROM generate_series(1, 100) g`)
  const stream = b.follow('source/0')
  await b.caughtUp('source/0', stream)
  await target!.query('DELETE FROM doc')
  await source!.query(`UPDATE doc SET title = 'one' WHERE id = 1`)
  await b.caughtUp('source/0', stream)
  await source!.query(`UPDATE doc SET title = 'all'`)
  await source!.query(`UPDATE doc SET id = 5000 WHERE id = 7`)
  await source!.query(`BEGIN; UPDATE doc SET title = 'gone' WHERE id = 9; DELETE FROM doc WHERE id = 9; COMMIT`)
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
})

test('D08: a row that moves to another shard keeps what the stream did not send, and its children follow', async () => {
  const docs = testTable(
    'doc',
    { id: 'bigint', tenant: 'text', body: 'text' },
    { route: { kind: 'column', column: 'tenant' } },
  )
  const pages = testTable(
    'page',
    { id: 'bigint', doc: 'bigint', body: 'text' },
    {
      route: {
        kind: 'parent',
        column: 'doc',
        parent: { schema: 'public', name: 'doc' },
        parentColumn: 'id',
        then: { kind: 'column', column: 'tenant' },
      },
    },
  )
  const b = await bench({
    tables: [docs, pages],
    targets: 3,
    targetTopology: hashTopology(16),
    sourceSql: `CREATE TABLE doc (id bigint PRIMARY KEY, tenant text, body text); CREATE TABLE page (id bigint PRIMARY KEY, doc bigint, body text);
      ALTER TABLE doc ALTER body SET STORAGE EXTERNAL; ALTER TABLE page ALTER body SET STORAGE EXTERNAL;`,
  })
  const [source] = b.sources
  const stream = b.follow('source/0')
  await source!.query(`INSERT INTO doc SELECT g, 'tenant ' || g % 10, ${big('a')} || g FROM generate_series(1, 60) g`)
  await source!.query(`INSERT INTO page SELECT g, 1 + g % 60, ${big('p')} || g FROM generate_series(1, 200) g`)
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
  await source!.query(`UPDATE doc SET tenant = 'tenant ' || (id + 3) % 10 WHERE id % 4 = 0`)
  await source!.query(`UPDATE page SET doc = 1 + (doc + 17) % 60 WHERE id % 5 = 0`)
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
  // The cache of parents is empty after a restart: it is found out by looking.
  await stream.stop()
  const again = b.follow('source/0', 2)
  await source!.query(`UPDATE doc SET tenant = 'tenant ' || (id + 5) % 10`)
  await b.caughtUp('source/0', again)
  await b.assertEqual()
})

test('D18: identity columns that are always generated, and stored generated columns, on every path', async () => {
  const table = testTable(
    'item',
    { id: 'bigint', code: 'text', serial: 'bigint', size: 'integer' },
    {
      columns: [{ identity: 'always' }, {}, { identity: 'default' }, { generated: true }],
      identity: { kind: 'key', columns: ['id'] },
    },
  )
  const b = await bench({
    tables: [table],
    sourceSql: `CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text, serial bigint GENERATED BY DEFAULT AS IDENTITY,
      size int GENERATED ALWAYS AS (length(code)) STORED)`,
    targetSql: `CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text, serial bigint GENERATED ALWAYS AS IDENTITY,
      size int GENERATED ALWAYS AS (length(code)) STORED)`,
  } as never)
  const [source] = b.sources
  const stream = b.follow('source/0')
  for (const count of [3, 300]) {
    await source!.query(`INSERT INTO item (code) SELECT 'c' || g FROM generate_series(1, ${count}) g`)
    await source!.query(`UPDATE item SET code = code || 'x', serial = serial + 1000`)
    await source!.query(`DELETE FROM item WHERE id % 3 = 0`)
    await b.caughtUp('source/0', stream)
    await b.assertEqual()
  }
})

test('DM-09 rows go through transforms, forward and back; columns are renamed, made and left out', async () => {
  const table: ResolvedTable = {
    ...testTable(
      'person',
      { id: 'integer', email: 'text', legacy: 'text', body: 'text' },
      { binary: false, transform: 'mask' },
    ),
    columns: [
      { source: 'id', target: 'id', type: 'integer', generated: false, identity: null },
      { source: 'email', target: 'e_mail', type: 'text', generated: false, identity: null },
      { source: 'body', target: 'body', type: 'text', generated: false, identity: null },
      { source: 'legacy', target: 'legacy', type: 'text', generated: false, identity: null, only: 'source' },
      { source: 'domain', target: 'domain', type: 'text', generated: false, identity: null, only: 'target' },
    ],
  }
  const b = await bench({
    tables: [table],
    reverse: true,
    sourceSql: `CREATE TABLE person (id int PRIMARY KEY, email text, legacy text, body text); ALTER TABLE person ALTER body SET STORAGE EXTERNAL`,
    targetSql: 'CREATE TABLE person (id int PRIMARY KEY, e_mail text, body text, domain text)',
    transforms: {
      mask: {
        forward: (row) =>
          row['email'] === 'nobody'
            ? null
            : {
                id: row['id']!,
                e_mail: `<${row['email']}>`,
                body: row['body']!,
                domain: row['email']!.split('@')[1] ?? null,
              },
        backward: (row) => ({
          id: row['id']!,
          email: row['e_mail']!.slice(1, -1),
          legacy: 'from the new side',
          body: row['body']!,
        }),
      },
    },
  })
  const [source] = b.sources
  const [target] = b.targets
  const forward = b.follow('source/0')
  const back = b.follow('target/0')
  await source!.query(
    `INSERT INTO person SELECT g, 'p' || g || '@x.org', 'l', ${big('a')} FROM generate_series(1, 100) g`,
  )
  await source!.query(`INSERT INTO person VALUES (200, 'nobody', 'l', NULL), (201, 'some\\tone\\\\@y', NULL, NULL)`)
  await source!.query(`UPDATE person SET email = 'q@z' WHERE id <= 60`)
  await source!.query(`UPDATE person SET email = 'nobody' WHERE id = 61`)
  await b.caughtUp('source/0', forward)
  const rows = (sql: string) => target!.query(sql).then((result) => result.rows.map((row) => Object.values(row)))
  assert.deepEqual(await rows(`SELECT count(*) AS a, count(DISTINCT body) AS b, min(length(body)) AS c FROM person`), [
    ['100', '1', '4000'],
  ])
  assert.deepEqual(await rows('SELECT e_mail, domain FROM person WHERE id IN (1, 61, 62, 201) ORDER BY id'), [
    ['<q@z>', 'z'],
    ['<p62@x.org>', 'x.org'],
    ['<some\\tone\\\\@y>', 'y'],
  ])
  await target!.query(
    `INSERT INTO person VALUES (300, '<new@t>', 'b', 't'); UPDATE person SET e_mail = '<back@t>' WHERE id = 2`,
  )
  await b.caughtUp('target/0', back)
  const returned = await source!.query(
    'SELECT id, email, legacy, length(body) FROM person WHERE id IN (2, 300) ORDER BY id',
  )
  assert.deepEqual(
    returned.rows.map((row) => Object.values(row)),
    [
      ['2', 'back@t', 'from the new side', '4000'],
      ['300', 'new@t', 'from the new side', '1'],
    ],
  )
})

test('DM-09 rows enter and leave the filter of a table, with and without identity', async () => {
  const filtered = testTable(
    'item',
    { id: 'integer', state: 'text', body: 'text' },
    { where: `state <> 'draft' AND id < 1000` },
  )
  const events = testTable(
    'event',
    { state: 'text', n: 'integer' },
    { where: `state <> 'draft'`, identity: { kind: 'full' } },
  )
  const sql = `CREATE TABLE item (id int PRIMARY KEY, state text, body text); ALTER TABLE item ALTER body SET STORAGE EXTERNAL;
    CREATE TABLE event (state text, n int); ALTER TABLE event REPLICA IDENTITY FULL;`
  const b = await bench({ tables: [filtered, events], sourceSql: sql })
  const [source] = b.sources
  const [target] = b.targets
  const stream = b.follow('source/0')
  const check = async () => {
    await b.caughtUp('source/0', stream)
    for (const [table, where] of [
      ['item', `state <> 'draft' AND id < 1000`],
      ['event', `state <> 'draft'`],
    ]) {
      const list = `SELECT t.*::text AS row FROM ${table} AS t`
      const expected = await source!.query(`${list} WHERE ${where} ORDER BY 1`)
      assert.deepEqual((await target!.query(`${list} ORDER BY 1`)).rows, expected.rows)
    }
  }
  await source!.query(
    `INSERT INTO item SELECT g, CASE WHEN g % 2 = 0 THEN 'draft' ELSE 'live' END, ${big('a')} FROM generate_series(950, 1050) g`,
  )
  await source!.query(
    `INSERT INTO event SELECT CASE WHEN g % 2 = 0 THEN 'draft' ELSE 'live' END, g % 3 FROM generate_series(1, 20) g`,
  )
  await check()
  await source!.query(`UPDATE item SET state = CASE WHEN id % 3 = 0 THEN 'draft' ELSE 'live' END`)
  await source!.query(`UPDATE event SET state = CASE WHEN n = 0 THEN 'draft' ELSE 'live' END`)
  await check()
  await source!.query(
    `UPDATE item SET id = id + 500 WHERE id IN (951, 952); DELETE FROM item WHERE id % 7 = 0; DELETE FROM event WHERE n = 1`,
  )
  await check()
})

test('truncate empties the tables in its place among the other changes', async () => {
  const other = testTable('other', { id: 'bigint' })
  const b = await bench({
    tables: [toasted, other],
    sourceSql: `${toastedSql} CREATE TABLE other (id bigint PRIMARY KEY)`,
  })
  const [source] = b.sources
  const stream = b.follow('source/0')
  await source!.query(
    `INSERT INTO doc SELECT g, 'x' FROM generate_series(1, 100) g; INSERT INTO other SELECT generate_series(1, 10)`,
  )
  await source!.query(
    `BEGIN; INSERT INTO doc VALUES (500, 'before'); INSERT INTO other VALUES (50); TRUNCATE doc, other; INSERT INTO doc VALUES (1, 'after'); TRUNCATE other; INSERT INTO other VALUES (7); COMMIT`,
  )
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
  await source!.query('TRUNCATE doc CASCADE')
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
})

test('truncate of one of several sources leaves the rows of the others', async () => {
  const table = testTable('doc', { id: 'bigint', tenant: 'text' }, { route: { kind: 'column', column: 'tenant' } })
  const b = await bench({
    tables: [table],
    sources: 2,
    targets: 2,
    sourceTopology: (shards) => ({ kind: 'directory', entries: { a: shards[0]!, b: shards[1]! }, otherwise: null }),
    targetTopology: hashTopology(8),
    sourceSql: 'CREATE TABLE doc (id bigint PRIMARY KEY, tenant text)',
  })
  const streams = [b.follow('source/0'), b.follow('source/1')]
  await b.sources[0]!.query(`INSERT INTO doc SELECT g, 'a' FROM generate_series(1, 10) g`)
  await b.sources[1]!.query(`INSERT INTO doc SELECT g, 'b' FROM generate_series(11, 20) g`)
  await b.caughtUp('source/0', streams[0]!)
  await b.caughtUp('source/1', streams[1]!)
  await b.sources[0]!.query('TRUNCATE doc')
  await b.caughtUp('source/0', streams[0]!)
  await b.assertEqual()
  assert.equal((await b.sources[1]!.query('SELECT 1 FROM doc')).rowCount, 10)
})

test('unique values are swapped between rows inside of a batch', async () => {
  const table = testTable('seat', { id: 'integer', place: 'text', slot: 'integer' })
  const sql = `CREATE TABLE seat (id int PRIMARY KEY, place text UNIQUE, slot int UNIQUE DEFERRABLE INITIALLY DEFERRED)`
  const b = await bench({ tables: [table], sourceSql: sql })
  const [source] = b.sources
  const stream = b.follow('source/0')
  await source!.query(`INSERT INTO seat SELECT g, 'p' || g, g FROM generate_series(1, 100) g`)
  await b.caughtUp('source/0', stream)
  await source!.query(
    `BEGIN; UPDATE seat SET place = 'tmp' WHERE id = 1; UPDATE seat SET place = 'p1' WHERE id = 2; UPDATE seat SET place = 'p2' WHERE id = 1; COMMIT`,
  )
  await source!.query(`UPDATE seat SET slot = 101 - slot`)
  await source!.query(
    `BEGIN; DELETE FROM seat WHERE id = 5; INSERT INTO seat VALUES (205, 'p5', 500); UPDATE seat SET place = 'p5b' WHERE id = 205; INSERT INTO seat VALUES (5, 'p5', 501); COMMIT`,
  )
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
})

test('D09: changes replayed under a later copy converge, also where unique values have changed hands since', async () => {
  const table = testTable('seat', { id: 'integer', place: 'text', note: 'text' })
  const b = await bench({
    tables: [table],
    sourceSql:
      'CREATE TABLE seat (id int PRIMARY KEY, place text UNIQUE, note text); ALTER TABLE seat ALTER note SET STORAGE EXTERNAL',
  })
  const [source] = b.sources
  const [target] = b.targets
  await source!.query(`INSERT INTO seat SELECT g, 'p' || g, ${big('n')} FROM generate_series(1, 60) g`)
  await source!.query(`UPDATE seat SET place = 'q' || id`)
  await source!.query(`UPDATE seat SET place = 'p' || (id + 1)`)
  await source!.query(`DELETE FROM seat WHERE id % 10 = 0; INSERT INTO seat VALUES (100, 'p11', NULL)`)
  // The copy is as new as this.
  const { rows } = await source!.query('SELECT * FROM seat')
  for (const row of rows) await target!.query('INSERT INTO seat VALUES ($1, $2, $3)', Object.values(row))
  const { rows: lsn } = await source!.query('SELECT pg_current_wal_insert_lsn()::text AS lsn')
  await target!.query(`INSERT INTO crossfade.chunk_done VALUES ($1, 'source/0 public.seat 1', 1, 0, 0, $2)`, [
    b.migration,
    lsn[0].lsn,
  ])
  const stream = b.follow('source/0')
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
})

test('CF3204: rows of two sources that claim the same unique value stop the stream and are named', async () => {
  const table = testTable(
    'seat',
    { id: 'integer', tenant: 'text', place: 'text' },
    { route: { kind: 'column', column: 'tenant' } },
  )
  const b = await bench({
    tables: [table],
    sources: 2,
    sourceTopology: (shards) => ({ kind: 'directory', entries: { a: shards[0]!, b: shards[1]! }, otherwise: null }),
    sourceSql: 'CREATE TABLE seat (id int PRIMARY KEY, tenant text, place text UNIQUE)',
  })
  const first = b.follow('source/0')
  await b.sources[0]!.query(`INSERT INTO seat VALUES (1, 'a', 'here')`)
  await b.caughtUp('source/0', first)
  await b.sources[1]!.query(`INSERT INTO seat VALUES (2, 'b', 'here')`)
  const second = b.follow('source/1')
  await assert.rejects(
    second.done,
    (error: Failure) =>
      error.code === 'CF3204' && error.details['other'] === 'source/0' && /seat_place_key/.test(error.message),
  )
})

test('D16: nothing that was applied goes back, in both directions at once', async () => {
  const b = await bench({ tables: [toasted], sourceSql: toastedSql, reverse: true })
  const forward = b.follow('source/0')
  const back = b.follow('target/0')
  await b.sources[0]!.query(`INSERT INTO doc SELECT g, 'from source' FROM generate_series(1, 100) g`)
  await b.targets[0]!.query(`INSERT INTO doc SELECT g, 'from target' FROM generate_series(1001, 1100) g`)
  await b.caughtUp('source/0', forward)
  await b.caughtUp('target/0', back)
  await b.assertEqual()
  await b.targets[0]!.query(`UPDATE doc SET title = 'changed there' WHERE id <= 50; DELETE FROM doc WHERE id = 51`)
  await b.caughtUp('target/0', back)
  await b.assertEqual()
  assert.equal(forward.status()!.rowsApplied, 100)
  assert.equal(back.status()!.rowsApplied, 151)
})

test('CF6006: an older holder of the lease stops for ever, and what it had not committed is not there', async () => {
  const b = await bench({ tables: [toasted], sourceSql: toastedSql })
  await b.targets[0]!.query(`INSERT INTO crossfade.lease_epoch VALUES ($1, 'stream:source/0', 5)`, [b.migration])
  const stale = b.follow('source/0', 4)
  await b.sources[0]!.query(`INSERT INTO doc VALUES (1)`)
  await assert.rejects(stale.done, { code: 'CF6006' })
  assert.equal((await b.targets[0]!.query('SELECT 1 FROM doc')).rowCount, 0)
  const next = b.follow('source/0', 6)
  await b.caughtUp('source/0', next)
  await b.assertEqual()
})

test('D04: an idle source advances the stored position on every target', async () => {
  const b = await bench({
    tables: [toasted],
    sourceSql: toastedSql,
    targets: 2,
    targetTopology: (shards) => ({ kind: 'single', shard: shards[0]! }),
  })
  const [source] = b.sources
  const stream = b.follow('source/0')
  await source!.query('CREATE TABLE unrelated AS SELECT g FROM generate_series(1, 1000) g')
  const { rows } = await source!.query('SELECT pg_current_wal_insert_lsn()::text AS lsn')
  await b.caughtUp('source/0', stream)
  for (const target of b.targets) {
    for (;;) {
      const { rowCount } = await target.query(
        'SELECT 1 FROM crossfade.applied_position WHERE migration = $1 AND lsn >= $2',
        [b.migration, rows[0].lsn],
      )
      if (rowCount === 1) break
      await source!.query('INSERT INTO unrelated VALUES (1)')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
})

test('CF3205: a table that is missing on the target stops the stream', async () => {
  const b = await bench({ tables: [toasted], sourceSql: toastedSql, targetSql: 'SELECT' })
  const stream = b.follow('source/0')
  await b.sources[0]!.query('INSERT INTO doc VALUES (1)')
  await assert.rejects(stream.done, { code: 'CF3205' })
})

test('D19: a partitioned target takes rows into its partitions, and a partitioned source is followed by its root', async () => {
  const table = testTable(
    'metric',
    { day: 'integer', name: 'text', value: 'numeric' },
    { identity: { kind: 'key', columns: ['day', 'name'] } },
  )
  const plain = testTable('plain', { id: 'integer', value: 'text' })
  const partitions = (name: string) =>
    [0, 1, 2, 3]
      .map(
        (part) =>
          `CREATE TABLE ${name}_${part} PARTITION OF ${name} FOR VALUES FROM (${part * 100}) TO (${part * 100 + 100})`,
      )
      .join(';')
  const b = await bench({
    tables: [table, plain],
    sourceSql: `CREATE TABLE metric (day int, name text, value numeric, PRIMARY KEY (day, name)); CREATE TABLE plain (id int PRIMARY KEY, value text) PARTITION BY RANGE (id);${partitions('plain')}`,
    targetSql: `CREATE TABLE plain (id int PRIMARY KEY, value text); CREATE TABLE metric (day int, name text, value numeric, PRIMARY KEY (day, name)) PARTITION BY RANGE (day);${partitions('metric')}`,
  })
  const [source] = b.sources
  const stream = b.follow('source/0')
  for (const step of [1, 40]) {
    await source!.query(
      `INSERT INTO metric SELECT g, 'm${step}', g FROM generate_series(0, 399, ${41 - step}) g; INSERT INTO plain SELECT g, 'v' FROM generate_series(${step % 2}, 399, 2) g`,
    )
    await source!.query(
      `UPDATE metric SET value = value * 2; UPDATE metric SET day = day + 300, name = name || 'x' WHERE day < 50; UPDATE plain SET value = 'w' WHERE id % 3 = 0`,
    )
    await source!.query(`DELETE FROM metric WHERE day % 7 = 0; DELETE FROM plain WHERE id % 11 = 0`)
    await b.caughtUp('source/0', stream)
    await b.assertEqual()
  }
  await source!.query('TRUNCATE plain')
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
})

test('names of any kind, and keys of types that are only read as text', async () => {
  const table: ResolvedTable = {
    ...testTable('x', { 'Ti"me': 'timestamp with time zone', 'a b': 'numeric' }),
    source: { schema: 'We"ird', name: 'Ta ble.x' },
    target: { schema: 'other', name: `${'n'.repeat(62)}é`.slice(0, 62) },
  }
  const columns = '("Ti""me" timestamptz PRIMARY KEY, "a b" numeric)'
  const b = await bench({
    tables: [table],
    sourceSql: `CREATE SCHEMA "We""ird"; CREATE TABLE "We""ird"."Ta ble.x" ${columns}`,
    targetSql: `CREATE SCHEMA other; CREATE TABLE other.${table.target.name} ${columns}`,
  })
  const [source] = b.sources
  const stream = b.follow('source/0')
  await source!.query(
    `INSERT INTO "We""ird"."Ta ble.x" SELECT timestamptz '2024-01-01' + g * interval '1 microsecond', g / 3.0 FROM generate_series(1, 100) g`,
  )
  await source!.query(
    `UPDATE "We""ird"."Ta ble.x" SET "a b" = 'NaN' WHERE extract(microseconds FROM "Ti""me") < 30; DELETE FROM "We""ird"."Ta ble.x" WHERE "a b" > 30`,
  )
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
})

test('where foreign keys and triggers look on, changes are applied in the order of the source', async () => {
  const cluster = await sharedTestCluster()
  const role = `plain_${process.pid}`
  await cluster.createRole(role)
  const parent = testTable('parent', { id: 'integer', name: 'text' })
  const child = testTable('child', { id: 'integer', parent: 'integer' })
  const sql = `CREATE TABLE parent (id int PRIMARY KEY, name text); CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE)`
  const b = await bench({
    tables: [parent, child],
    sourceSql: sql,
    targetSql: `${sql}; CREATE TABLE audit (at serial, what text);
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO audit (what) VALUES (TG_TABLE_NAME || ' ' || TG_OP || ' ' || coalesce(NEW.id, OLD.id)); RETURN NULL; END $$;
      CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON parent FOR EACH ROW EXECUTE FUNCTION note();`,
    applier: { user: role },
  })
  const [source] = b.sources
  const stream = b.follow('source/0')
  await source!.query(
    `BEGIN; INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1), (2, 2); UPDATE parent SET name = 'c' WHERE id = 1; DELETE FROM parent WHERE id = 2; INSERT INTO parent VALUES (2, 'again'); INSERT INTO child VALUES (3, 2); COMMIT`,
  )
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
  const { rows } = await b.targets[0]!.query('SELECT what FROM audit ORDER BY at')
  assert.deepEqual(
    rows.map((row) => row.what),
    ['parent INSERT 1', 'parent INSERT 2', 'parent UPDATE 1', 'parent DELETE 2', 'parent INSERT 2'],
  )
  await source!.query(
    `INSERT INTO parent SELECT g, 'bulk' FROM generate_series(10, 400) g; INSERT INTO child SELECT g, g FROM generate_series(10, 400) g`,
  )
  await source!.query(`UPDATE parent SET id = id + 1000 WHERE id % 2 = 0; DELETE FROM parent WHERE id % 5 = 0`)
  await b.caughtUp('source/0', stream)
  await b.assertEqual()
})
