import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import { evenHash } from '../testing/plan.ts'
import { makeRig, type Rig } from './verify-testing.ts'

const schema = `
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN money_amount AS numeric CHECK (VALUE > -1000);
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE everything (
  id bigint PRIMARY KEY, tenant_id int NOT NULL,
  t text, n numeric, n2 numeric(10,2), d money_amount, i int, f8 float8, f4 float4, flag boolean, u uuid, day date, at timestamp, atz timestamptz, clock time, clockz timetz,
  span interval, b bytea, j json, jb jsonb, c char(5), v varchar(50), ta text[], ia int[], m mood, ma mood[], p pair, r int4range, tr tstzrange, mr int4multirange, x xml, net inet,
  bits bit varying(10), ts tsvector, folded text COLLATE nocase, other text, g int GENERATED ALWAYS AS (i * 2) STORED
);
CREATE TABLE words (word text PRIMARY KEY, tenant_id int, note text);
CREATE TABLE parts (id int, tenant_id int, at date, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2040-01-01');
CREATE TABLE log (tenant_id int, line text);
CREATE TABLE permissions (id int PRIMARY KEY, name text);
`

const fill = `
INSERT INTO everything SELECT i, i % 7, 'text ' || i, i + 0.5, i, 1, i, i / 7.0, i / 7.0, i % 2 = 0, md5(i::text)::uuid, date '2020-01-01' + i, timestamp '2020-01-01' + i * interval '1.000001 s',
  timestamptz '2020-01-01 00:00Z' + i * interval '1.000001 s', '10:00', '10:00+02', '1 day', '\\x00ff', '{"a":1, "b":2}', '{"a":1.0}', 'ab', 'abc', ARRAY['x', NULL, 'z'], '{1,2}', 'ok', '{ok,sad}',
  ROW(1, 'b')::pair, '[1,5)', '[2020-01-01,2021-01-01)', '{[1,2),[5,6)}', '<a/>', '10.0.0.1/8', '101', 'a b', 'Folded', 'other' FROM generate_series(1, 50) i;
INSERT INTO words SELECT 'w' || i, i % 7, 'n' FROM generate_series(1, 30) i;
INSERT INTO parts SELECT i, i % 7, date '2010-01-01' + i * 200, 'n' FROM generate_series(1, 40) i;
INSERT INTO log SELECT i % 7, 'line ' || (i % 5) FROM generate_series(1, 40) i;
INSERT INTO permissions SELECT i, 'p' || i FROM generate_series(1, 5) i;
`

const shards = { source: ['source/a', 'source/b'], target: ['target/x', 'target/y', 'target/z'] }
const all = [...shards.source, ...shards.target]

/** A statement that changes the copy on whichever target holds the row, and the column that must be named. */
const flips: readonly (readonly [name: string, sql: string, column: string])[] = [
  ['a flipped value', `UPDATE everything SET t = 'text x' WHERE id = 7`, 't'],
  ['NULL against an empty text', `UPDATE everything SET t = '' WHERE id = 8`, 't'],
  ['1 against 1.0', `UPDATE everything SET n = n::text::numeric + 0.00 WHERE id = 7`, 'n'],
  ['1 against 1.0 in a domain', `UPDATE everything SET d = 1.0 WHERE id = 7`, 'd'],
  ['numeric NaN', `UPDATE everything SET n = 'NaN' WHERE id = 7`, 'n'],
  ['the last digit of a numeric', `UPDATE everything SET n2 = n2 + 0.01 WHERE id = 7`, 'n2'],
  ['the sign of zero', `UPDATE everything SET f8 = '-0' WHERE id = 9`, 'f8'],
  ['the sign of a short zero', `UPDATE everything SET f4 = '-0' WHERE id = 9`, 'f4'],
  ['the last digit of a float', `UPDATE everything SET f8 = float8 '1.0000000000000002' WHERE id = 10`, 'f8'],
  ['an integer', `UPDATE everything SET flag = NOT flag WHERE id = 7`, 'flag'],
  ['a uuid', `UPDATE everything SET u = gen_random_uuid() WHERE id = 7`, 'u'],
  ['a day', `UPDATE everything SET day = day + 1 WHERE id = 7`, 'day'],
  ['a microsecond', `UPDATE everything SET at = at + interval '1 microsecond' WHERE id = 7`, 'at'],
  ['a microsecond with time zone', `UPDATE everything SET atz = atz - interval '1 microsecond' WHERE id = 7`, 'atz'],
  [
    'the same instant read in another time zone',
    `SET LOCAL TimeZone = 'Asia/Tokyo'; UPDATE everything SET atz = atz::timestamp AT TIME ZONE 'UTC' WHERE id = 7`,
    'atz',
  ],
  ['a time', `UPDATE everything SET clock = '10:00:00.000001' WHERE id = 7`, 'clock'],
  ['the zone of a time', `UPDATE everything SET clockz = '09:00+01' WHERE id = 7`, 'clockz'],
  ['one day against 24 hours', `UPDATE everything SET span = '24 hours' WHERE id = 7`, 'span'],
  ['bytes', `UPDATE everything SET b = '\\x00fe' WHERE id = 7`, 'b'],
  ['the order of json keys', `UPDATE everything SET j = '{"b":2, "a":1}' WHERE id = 7`, 'j'],
  ['white space in json', `UPDATE everything SET j = '{"a":1,"b":2}' WHERE id = 7`, 'j'],
  ['1.0 against 1 in jsonb', `UPDATE everything SET jb = '{"a":1}' WHERE id = 7`, 'jb'],
  ['jsonb null against no key', `UPDATE everything SET jb = '{"a":1.0,"b":null}' WHERE id = 7`, 'jb'],
  ['a char', `UPDATE everything SET c = 'ac' WHERE id = 7`, 'c'],
  ['a trailing space in varchar', `UPDATE everything SET v = 'abc ' WHERE id = 7`, 'v'],
  ['a NULL in an array', `UPDATE everything SET ta = ARRAY['x', 'NULL', 'z'] WHERE id = 7`, 'ta'],
  ['the bounds of an array', `UPDATE everything SET ia = '[0:1]={1,2}' WHERE id = 7`, 'ia'],
  ['the shape of an array', `UPDATE everything SET ia = '{{1,2}}' WHERE id = 7`, 'ia'],
  ['an enum', `UPDATE everything SET m = 'happy' WHERE id = 7`, 'm'],
  ['an enum in an array', `UPDATE everything SET ma = '{ok,happy}' WHERE id = 7`, 'ma'],
  ['a field of a composite', `UPDATE everything SET p.b = NULL WHERE id = 7`, 'p'],
  ['the bound of a range', `UPDATE everything SET tr = '[2020-01-01,2021-01-01]' WHERE id = 7`, 'tr'],
  ['a range', `UPDATE everything SET r = '[1,6)' WHERE id = 7`, 'r'],
  ['a multirange', `UPDATE everything SET mr = '{[1,2),[5,7)}' WHERE id = 7`, 'mr'],
  ['xml', `UPDATE everything SET x = '<a></a>' WHERE id = 7`, 'x'],
  ['a net mask', `UPDATE everything SET net = '10.0.0.1/9' WHERE id = 7`, 'net'],
  ['bits', `UPDATE everything SET bits = '1010' WHERE id = 7`, 'bits'],
  ['a text search vector', `UPDATE everything SET ts = 'a:1 b' WHERE id = 7`, 'ts'],
  ['case, where the collation calls it equal', `UPDATE everything SET folded = 'FOLDED' WHERE id = 7`, 'folded'],
]

describe('the verifier catches', () => {
  let rig: Rig

  before(async () => {
    const tenant = { kind: 'column', column: 'tenant_id' } as const
    rig = await makeRig({
      cluster: await sharedTestCluster(),
      source: evenHash(shards.source),
      target: evenHash(shards.target),
      shards,
      // The same labels under other numbers, as on a real other server.
      schema,
      tables: [
        { name: 'everything', route: tenant },
        { name: 'words', route: tenant },
        { name: 'parts', route: tenant },
        { name: 'log', route: tenant },
        { name: 'permissions', route: { kind: 'reference' } },
      ],
      verification: { recheckMs: 1 },
    })
    for (const shard of all) await rig.sql(shard, fill)
    const owns = (side: readonly string[], shard: string, key: string) => {
      const width = 16 / side.length
      const index = side.indexOf(shard)
      return `(hashtext(${key}::text) & 2147483647) % 16 BETWEEN ${Math.floor(index * width)} AND ${Math.floor((index + 1) * width) - 1}`
    }
    for (const side of [shards.source, shards.target]) {
      for (const shard of side) {
        for (const table of ['everything', 'words', 'parts', 'log']) {
          await rig.sql(shard, `DELETE FROM ${table} WHERE NOT (${owns(side, shard, 'tenant_id')})`)
        }
        await rig.sql(
          shard,
          `UPDATE everything SET t = NULL WHERE id = 8; UPDATE everything SET f8 = 0, f4 = 0 WHERE id = 9; UPDATE everything SET f8 = 1 WHERE id = 10`,
        )
      }
    }
  })

  after(() => rig.close())

  /** Changes the targets, verifies, and puts everything back. */
  async function mutated(
    statements: readonly string[],
    work: (mismatches: readonly Mismatch[]) => void | Promise<void>,
    side = shards.target,
  ): Promise<void> {
    const tables = ['everything', 'words', 'parts', 'log', 'permissions']
    for (const shard of side) {
      for (const table of tables) await rig.sql(shard, `CREATE TABLE saved_${table} AS TABLE ${table}`)
      await rig.sql(shard, `BEGIN; ${statements.join(';')}; COMMIT`)
    }
    try {
      const { mismatches, count } = await rig.verify()
      assert.equal(count, mismatches.length)
      await work(mismatches)
    } finally {
      for (const shard of side) {
        for (const table of tables) {
          const columns = table === 'everything' ? everythingColumns : '*'
          const into = table === 'everything' ? `everything (${everythingColumns})` : table
          await rig.sql(
            shard,
            `ROLLBACK; DELETE FROM ${table}; INSERT INTO ${into} SELECT ${columns} FROM saved_${table}; DROP TABLE saved_${table}`,
          )
        }
      }
    }
    assert.deepEqual((await rig.verify()).mismatches, [])
  }
  let everythingColumns = ''
  before(async () => {
    everythingColumns = rig.plan.tables[0]!.columns.filter((column) => !column.generated)
      .map((column) => column.source)
      .join(', ')
  })

  test('D01 nothing where nothing differs, and it looked at every row', async () => {
    const { tables, mismatches } = await rig.verify()
    assert.deepEqual(mismatches, [])
    assert.deepEqual(
      tables.map((table) => table.rows),
      [50, 30, 40, 40, 5],
    )
    assert.ok(tables.every((table) => /^-?\d+$/.test(table.digest)))
  })

  for (const [name, sql, column] of flips) {
    test(`D01 DM-04 ${name}`, async () => {
      await mutated([sql], (mismatches) => {
        assert.equal(mismatches.length, 1)
        const [mismatch] = mismatches
        assert.equal(mismatch!.kind, 'different')
        assert.deepEqual(
          mismatch!.columns.map((each) => each.column),
          [column],
        )
        assert.notEqual(mismatch!.columns[0]!.source, mismatch!.columns[0]!.target)
        assert.ok(mismatch!.source?.startsWith('source/') && mismatch!.target?.startsWith('target/'))
        assert.equal(Object.keys(mismatch!.key).join(), 'id')
      })
    })
  }

  test('D01 a generated column whose expression differs', async () => {
    await mutated([`UPDATE everything SET i = i + 1 WHERE id = 7`], ([mismatch]) => {
      assert.deepEqual(
        mismatch!.columns.map((each) => each.column),
        ['i', 'g'],
      )
    })
  })

  test('D01 values swapped between two columns of a row', async () => {
    await mutated([`UPDATE everything SET t = other, other = t WHERE id = 7`], ([mismatch]) => {
      assert.deepEqual(
        mismatch!.columns.map((each) => each.column),
        ['t', 'other'],
      )
    })
  })

  test('D01 values swapped between two rows', async () => {
    await mutated(
      [`UPDATE everything SET t = CASE id WHEN 7 THEN 'text 14' ELSE 'text 7' END WHERE id IN (7, 14)`],
      (mismatches) => {
        assert.deepEqual(mismatches.map((each) => each.key['id']).sort(), ['14', '7'])
      },
    )
  })

  test('D01 a missing row, an extra row, with a key, with a text key, in a partition', async () => {
    await mutated(
      [`DELETE FROM everything WHERE id = 7`, `DELETE FROM words WHERE word = 'w3'`, `DELETE FROM parts WHERE id = 5`],
      (mismatches) => {
        assert.deepEqual(
          mismatches.map((each) => [each.table.name, each.kind]),
          [
            ['everything', 'missing'],
            ['words', 'missing'],
            ['parts', 'missing'],
          ],
        )
        assert.deepEqual(mismatches[2]!.key, { id: '5', at: '2012-09-27' })
        assert.ok(mismatches.every((each) => each.target === null && each.source !== null))
      },
    )
    await mutated(
      [
        `INSERT INTO everything (id, tenant_id) SELECT id + 1000, tenant_id FROM everything WHERE id = 7`,
        `INSERT INTO words SELECT 'extra', tenant_id, 'n' FROM words WHERE word = 'w7'`,
      ],
      (mismatches) => {
        assert.deepEqual(
          mismatches.map((each) => [each.table.name, each.kind, Object.values(each.key).join()]),
          [
            ['everything', 'extra', '1007'],
            ['words', 'extra', 'extra'],
          ],
        )
        assert.ok(mismatches.every((each) => each.source === null && each.target !== null))
      },
    )
  })

  test('D01 a row on the wrong shard, and a row on two shards', async () => {
    const holder = await holderOf(7)
    const wrong = shards.target.find((shard) => shard !== holder)!
    const row = (await rig.sql(holder, `SELECT tenant_id FROM everything WHERE id = 7`)).rows[0]!
    await rig.sql(holder, `DELETE FROM words WHERE word = 'w7'`)
    await rig.sql(wrong, `INSERT INTO words VALUES ('w7', ${row.tenant_id}, 'n')`)
    const misplaced = await rig.verify()
    assert.deepEqual(
      misplaced.mismatches.map((each) => [each.kind, each.key['word'], each.target]),
      [['misplaced', 'w7', wrong]],
    )
    await rig.sql(holder, `INSERT INTO words VALUES ('w7', ${row.tenant_id}, 'n')`)
    const doubled = await rig.verify()
    assert.deepEqual(
      doubled.mismatches.map((each) => [each.kind, each.key['word'], each.target]),
      [['duplicated', 'w7', wrong]],
    )
    await rig.sql(wrong, `DELETE FROM words WHERE word = 'w7'`)
    assert.deepEqual((await rig.verify()).mismatches, [])
  })

  test('D01 one copy of a reference table differs', async () => {
    await rig.sql('target/y', `UPDATE permissions SET name = 'changed' WHERE id = 3`)
    const { mismatches } = await rig.verify()
    assert.deepEqual(
      mismatches.map((each) => [each.kind, each.key['id'], each.target]),
      [['different', '3', 'target/y']],
    )
    await rig.sql('target/y', `UPDATE permissions SET name = 'p3' WHERE id = 3; DELETE FROM permissions WHERE id = 4`)
    assert.deepEqual(
      (await rig.verify()).mismatches.map((each) => [each.kind, each.target]),
      [['missing', 'target/y']],
    )
    await rig.sql('target/y', `INSERT INTO permissions VALUES (4, 'p4')`)
  })

  test('D01 rows without a key: one more, one less, one changed, one on the wrong shard', async () => {
    await mutated(
      [`INSERT INTO log SELECT * FROM log WHERE line = 'line 3' AND tenant_id = 3 LIMIT 1`],
      (mismatches) => {
        assert.deepEqual(
          mismatches.map((each) => [each.kind, each.key]),
          [['duplicated', { tenant_id: '3', line: 'line 3' }]],
        )
      },
    )
    await mutated([`DELETE FROM log WHERE ctid = (SELECT min(ctid) FROM log WHERE tenant_id = 3)`], (mismatches) => {
      assert.deepEqual(
        mismatches.map((each) => [each.kind, each.key['tenant_id']]),
        [['missing', '3']],
      )
    })
    await mutated(
      [`UPDATE log SET line = 'changed' WHERE ctid = (SELECT min(ctid) FROM log WHERE tenant_id = 3)`],
      (mismatches) => {
        assert.deepEqual(mismatches.map((each) => each.kind).sort(), ['extra', 'missing'])
      },
    )
  })

  test('the side that answers may be the target: then the source is what is wrong', async () => {
    await mutated(
      [`UPDATE everything SET t = 'x' WHERE id = 7`],
      (mismatches) => assert.equal(mismatches.length, 1),
      shards.source,
    )
  })

  async function holderOf(id: number): Promise<string> {
    for (const shard of shards.target)
      if ((await rig.sql(shard, `SELECT 1 FROM everything WHERE id = ${id}`)).rowCount === 1) return shard
    throw new Error(`row ${id} is nowhere`)
  }
})
