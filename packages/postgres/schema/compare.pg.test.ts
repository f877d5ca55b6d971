import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { roundTrip, textOf } from './testing/round-trip.ts'

const setup = `
  CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN d AS int CHECK (VALUE > 0);
  CREATE TABLE p (id int PRIMARY KEY);
  CREATE TABLE t (id serial PRIMARY KEY, a int DEFAULT 1 NOT NULL, b text COLLATE "C", m mood, p int REFERENCES p, g int GENERATED ALWAYS AS (a * 2) STORED, CONSTRAINT ck CHECK (a > 0)) WITH (fillfactor = 90);
  CREATE INDEX ix ON t (a) WHERE b IS NOT NULL;
  CREATE VIEW v AS SELECT a FROM t WHERE a > 1;
  CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM t;
  CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
  CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf();
  CREATE RULE ru AS ON DELETE TO t DO ALSO NOTHING;
  ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY po ON t USING (a > 0);
  CREATE STATISTICS st ON a, b FROM t; COMMENT ON COLUMN t.a IS 'about a';
  CREATE SEQUENCE s INCREMENT 2;
`

type Change = readonly [sql: string, expected: RegExp]

/** Things done to the target behind our back, and what the comparison must say; in groups that do not disturb one another. */
const groups: readonly (readonly Change[])[] = [
  [
    ['ALTER TABLE t DROP COLUMN b CASCADE', /CF2210 block The column public\.t\.b .* missing/],
    ['ALTER TABLE t ALTER g DROP EXPRESSION', /generated: stored .*there, no here/],
    ['ALTER TABLE t DROP CONSTRAINT ck', /CF2210 .*constraint ck on public\.t/],
    ['DROP VIEW v', /CF2210 .*view public\.v/],
    ['CREATE TABLE extra (id int)', /CF2212 note .*table public\.extra/],
    ['ALTER TABLE t REPLICA IDENTITY FULL', /replica identity: default there, full here/],
    ['DROP TRIGGER tr ON t', /CF2210 .*trigger tr on public\.t/],
    ['DROP SEQUENCE s', /CF2210 .*sequence public\.s/],
    ['DROP FUNCTION f()', /CF2210 .*function public\.f\(\)/],
    ['COMMENT ON COLUMN t.a IS NULL', /CF2210 .*comment on table column public\.t\.a/],
  ],
  [
    [
      'ALTER TABLE t ALTER b TYPE varchar(5)',
      /CF2211 .*column public\.t\.b .*type: text there, character varying\(5\) here/,
    ],
    ['ALTER TABLE t ALTER a DROP DEFAULT', /default: 1 there, none here/],
    ['ALTER TABLE t ALTER a DROP NOT NULL', /not null: true there, false here/],
    [
      'ALTER TABLE t DROP CONSTRAINT ck, ADD CONSTRAINT ck CHECK (a > 0) NOT VALID',
      /validated: true there, false here/,
    ],
    ['ALTER TABLE t DROP CONSTRAINT t_p_fkey', /CF2210 .*constraint t_p_fkey/],
    ['ALTER TABLE t RESET (fillfactor)', /storage parameters: fillfactor=90 there, none here/],
    ['DROP INDEX ix; CREATE INDEX ix ON t (a)', /index public\.ix .*definition/],
    ['CREATE INDEX more ON t (a)', /CF2212 note .*index public\.more/],
    ['CREATE OR REPLACE VIEW v AS SELECT a FROM t WHERE a > 2', /view public\.v .*query/],
    ['REFRESH MATERIALIZED VIEW mv WITH NO DATA', /populated: true there, false here/],
    [`CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'`, /function public\.f\(\) .*definition/],
    ['ALTER TABLE t DISABLE TRIGGER tr', /trigger tr on public\.t .*enabled: O there, D here/],
    ['DROP RULE ru ON t', /CF2210 .*rule ru on public\.t/],
    ['ALTER TABLE t DISABLE ROW LEVEL SECURITY', /row security: on there, off here/],
    ['DROP POLICY po ON t; CREATE POLICY po ON t USING (a > 1)', /policy po on public\.t .*using/],
    ['DROP STATISTICS st', /CF2210 .*statistics object public\.st/],
    [`COMMENT ON COLUMN t.a IS 'else'`, /comment on table column public\.t\.a .*text: about a there, else here/],
    ['ALTER SEQUENCE s INCREMENT 3', /sequence public\.s .*increment: 2 there, 3 here/],
    [`ALTER TYPE mood ADD VALUE 'c'`, /enum public\.mood .*labels: a, b there, a, b, c here/],
    ['ALTER DOMAIN d SET NOT NULL', /domain public\.d .*not null/],
  ],
]

for (const group of groups) {
  test(`D01 the comparison sees each of ${group.length} changes, and nothing else`, async () => {
    const trip = await roundTrip({ source: await sharedTestCluster(16), target: await sharedTestCluster(18), setup })
    try {
      await trip.create()
      await trip.work()
      assert.deepEqual(textOf(await trip.compare()), [])
      for (const [sql] of group) await trip.target.query(sql)
      const findings = textOf(await trip.compare())
      for (const [sql, expected] of group)
        assert.ok(
          findings.some((each) => expected.test(each)),
          `${sql}\n${findings.join('\n')}`,
        )
      assert.deepEqual(
        findings.filter((each) => !group.some(([, expected]) => expected.test(each)) && !followWords.test(each)),
        [],
      )
    } finally {
      await trip.end()
    }
  })
}

/** What goes along with the changes: a column takes its index, its statistics object and its collation. */
const followWords = /index public\.ix|statistics object public\.st|public\.t\.b .*collation/

test('a schema that was there already is only compared: differences are notes', async () => {
  const trip = await roundTrip({
    source: await sharedTestCluster(16),
    target: await sharedTestCluster(18),
    setup,
    targetSetup: setup.replace('int DEFAULT 1 NOT NULL', 'bigint DEFAULT 1 NOT NULL'),
    mode: 'existing',
  })
  try {
    assert.deepEqual(textOf(await trip.create()), [])
    assert.deepEqual(await trip.infrastructure.schemaWork(), [])
    const findings = textOf(await trip.compare())
    assert.ok(
      findings.some((each) => /CF2211 note .*column public\.t\.a .*type: integer there, bigint here/.test(each)),
    )
    assert.ok(
      findings.every((each) => each.startsWith('CF2211 note')),
      findings.join('\n'),
    )
  } finally {
    await trip.end()
  }
})
