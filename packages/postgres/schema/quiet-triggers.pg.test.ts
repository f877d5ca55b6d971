import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type pg from 'pg'
import { readInventory } from './inventory.ts'
import { withCondition } from './quiet-triggers.ts'
import { type RoundTrip, roundTrip, textOf } from './testing/round-trip.ts'

const setup = `
  SET ROLE quiet_mover;
  CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE log (id int, what text);
  CREATE TABLE parts (id int PRIMARY KEY, a int) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (new.id, TG_NAME); RETURN NULL; END $$;
  CREATE FUNCTION raised() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.a := new.a + 1; RETURN new; END $$;
  CREATE TRIGGER "b %" BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION raised('WHEN (', 'EXECUTE');
  CREATE TRIGGER conditional AFTER UPDATE OF a ON t FOR EACH ROW WHEN (old.a > 0 AND new.a IS DISTINCT FROM old.a) EXECUTE FUNCTION note();
  CREATE TRIGGER always AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE ALWAYS TRIGGER always;
  CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
  CREATE TRIGGER off AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t DISABLE TRIGGER off;
  CREATE TRIGGER part AFTER INSERT ON parts FOR EACH ROW WHEN (new.a > 0) EXECUTE FUNCTION note();
  RESET ROLE;
`
const grant = `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO quiet_mover', current_database()); END $$; GRANT ALL ON SCHEMA public TO quiet_mover;`

const write = async (client: pg.ClientBase) => {
  await client.query('TRUNCATE t, log, parts')
  await client.query('INSERT INTO t VALUES (1, 5); UPDATE t SET a = 7; INSERT INTO parts VALUES (1, 1)')
  const { rows } = await client.query(
    `SELECT (SELECT a::text FROM t) AS a, array_to_string(ARRAY(SELECT what FROM log ORDER BY what), ' ') AS log`,
  )
  return rows[0] as { a: string; log: string }
}

async function triggersOf(client: pg.ClientBase) {
  const { tables } = await readInventory(client)
  return tables.flatMap((table) => table.triggers.map((trigger) => `${trigger.definition} ${trigger.enabled}`))
}

for (const way of ['created with the schema', 'there already'] as const) {
  test(`DM-17 without replica role, triggers ${way} fire for everybody but the migration, and are put back`, async () => {
    const cluster = await sharedTestCluster(16)
    await cluster.createRole('quiet_mover', { replication: true }).catch(() => undefined)
    const trip: RoundTrip = await roundTrip({
      source: cluster,
      target: cluster,
      setup: `${grant} ${setup}`,
      targetSetup: way === 'there already' ? `${grant} ${setup}` : grant,
      mode: way === 'there already' ? 'existing' : 'create',
      user: 'quiet_mover',
      writer: true,
    })
    try {
      const original = await triggersOf(trip.source)
      assert.deepEqual(textOf(await trip.create()), [])
      await trip.work()
      await trip.infrastructure.createSlots('source')
      await trip.infrastructure.createSlots('target')
      await trip.infrastructure.createSlots('target')
      assert.deepEqual(textOf(await trip.compare()), [])
      for (const [shard, client] of [
        ['target/0', trip.target],
        ['source/a', trip.source],
      ] as const) {
        assert.deepEqual(await write(client), { a: '7', log: 'always conditional late part' })
        assert.deepEqual(await trip.pool(shard).withConnection(write), { a: '7', log: '' })
        assert.notDeepEqual(await triggersOf(client), original)
      }
      for (const side of ['source', 'target'] as const) await trip.infrastructure.removeAll(side)
      assert.deepEqual(await triggersOf(trip.source), original)
      assert.deepEqual(await triggersOf(trip.target), original)
    } finally {
      await trip.infrastructure.dropSlots('source')
      await trip.infrastructure.dropSlots('target')
      await trip.end()
    }
  })
}

test('a superuser is left alone: its sessions switch triggers off themselves', async () => {
  const cluster = await sharedTestCluster(16)
  await cluster.createRole('quiet_mover', { replication: true }).catch(() => undefined)
  const trip = await roundTrip({ source: cluster, target: cluster, setup: `${grant} ${setup}`, writer: true })
  try {
    const original = await triggersOf(trip.source)
    await trip.create()
    await trip.work()
    await trip.infrastructure.createSlots('target')
    assert.deepEqual(await triggersOf(trip.source), original)
    assert.deepEqual(await triggersOf(trip.target), original)
  } finally {
    await trip.infrastructure.dropSlots('target')
    await trip.end()
  }
})

test('the condition goes where conditions go', () => {
  assert.equal(
    withCondition('CREATE TRIGGER t BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION f()', 'c'),
    'CREATE TRIGGER t BEFORE INSERT ON s.t FOR EACH ROW WHEN (c) EXECUTE FUNCTION f()',
  )
  assert.equal(
    withCondition(
      `CREATE TRIGGER "WHEN" AFTER UPDATE ON s."EXECUTE" FOR EACH ROW WHEN ((old.a <> 'EXECUTE'::text)) EXECUTE FUNCTION f('WHEN')`,
      'c',
    ),
    `CREATE TRIGGER "WHEN" AFTER UPDATE ON s."EXECUTE" FOR EACH ROW WHEN ((c) AND ((old.a <> 'EXECUTE'::text))) EXECUTE FUNCTION f('WHEN')`,
  )
})
