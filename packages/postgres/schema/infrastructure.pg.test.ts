import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import type { ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import pg from 'pg'
import { createControlSchema } from './control-schema.ts'
import { readInventory } from './inventory.ts'
import { previewSchema } from './preview.ts'
import {
  type RoundTrip,
  type RoundTripOptions,
  roundTrip,
  tableNamed,
  testContext,
  textOf,
} from './testing/round-trip.ts'

const shop = `
  CREATE TYPE status AS ENUM ('open', 'paid');
  CREATE TABLE customers (id serial PRIMARY KEY, "e mail" text UNIQUE, created timestamptz DEFAULT now());
  CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, state status DEFAULT 'open',
    total numeric CHECK (total >= 0), note text, secret text);
  CREATE INDEX ON orders (customer_id) WHERE state = 'open';
  CREATE INDEX by_total ON orders ((total * 2));
  CREATE FUNCTION paid() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM orders WHERE state = ''paid''';
  CREATE VIEW open_orders AS SELECT o.id, c."e mail" FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.state = 'open';
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
  CREATE TRIGGER touch BEFORE UPDATE OF total ON orders FOR EACH ROW WHEN (old.total <> new.total) EXECUTE FUNCTION touch();
  INSERT INTO customers ("e mail") SELECT 'c' || i FROM generate_series(1, 50) i;
  INSERT INTO orders (customer_id, total) SELECT i % 50 + 1, i FROM generate_series(1, 500) i;
`

async function withTrip(options: Partial<RoundTripOptions>, work: (trip: RoundTrip) => Promise<void>): Promise<void> {
  const cluster = await sharedTestCluster(18)
  const trip = await roundTrip({ source: cluster, target: cluster, setup: shop, ...options })
  try {
    await work(trip)
  } finally {
    await trip.end()
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no failure',
    (error: Failure) => error.code,
  )
}

const names = (rows: readonly Record<string, unknown>[]) => rows.map((row) => Object.values(row)[0])

test('DM-03 renamed tables and columns, left-out columns and tables: the DDL follows, and says what cannot', async () => {
  const rename = (tables: ResolvedTable[]): ResolvedTable[] => [
    {
      ...tableNamed(tables, 'public.orders'),
      target: { schema: 'sales', name: 'Purchase Orders' },
      columns: tableNamed(tables, 'public.orders')
        .columns.filter((column) => column.source !== 'secret')
        .map((column) => (column.source === 'total' ? { ...column, target: 'grand "total"' } : column)),
    },
    tableNamed(tables, 'public.customers'),
  ]
  await withTrip({ tables: rename }, async (trip) => {
    const findings = textOf(await trip.create())
    assert.ok(
      findings.some((each) => /CF2202 .*view public\.open_orders.*its query names public\.orders/.test(each)),
      findings.join('\n'),
    )
    assert.ok(
      findings.some((each) => /CF2203 .*public\.paid\(\)/.test(each)),
      findings.join('\n'),
    )
    assert.equal(findings.length, 2)
    await trip.work()
    assert.deepEqual(textOf(await trip.compare()), [])
    const { tables, sequences } = await readInventory(trip.target)
    const orders = tables.find((table) => table.name.name === 'Purchase Orders')!
    assert.equal(orders.name.schema, 'sales')
    assert.deepEqual(
      orders.columns.map((column) => column.name),
      ['id', 'customer_id', 'state', 'grand "total"', 'note'],
    )
    assert.ok(orders.indexes.some((index) => index.definition.includes('"grand ""total"""')))
    assert.ok(
      orders.triggers.some((trigger) => trigger.definition.includes('old."grand ""total""" <> new."grand ""total"""')),
    )
    assert.deepEqual(
      orders.constraints.filter((each) => each.kind === 'foreign').map((each) => each.references?.table.name),
      ['customers'],
    )
    assert.ok(sequences.some((sequence) => sequence.name.schema === 'sales' && sequence.ownedBy?.identity))
  })
})

test('DM-03 a table that is left out takes along what needs it, each told', async () => {
  await withTrip({ tables: (tables) => [tableNamed(tables, 'public.orders')] }, async (trip) => {
    const findings = textOf(await trip.create())
    assert.ok(
      findings.some((each) => /foreign key .*customers is not moved/.test(each)),
      findings.join('\n'),
    )
    assert.ok(findings.some((each) => /open_orders.*needs public\.customers, which is not moved/.test(each)))
    await trip.work()
    assert.deepEqual(textOf(await trip.compare()), [])
  })
})

test('the units come in phases, keys first, and each runs once', async () => {
  await withTrip({}, async (trip) => {
    await trip.create()
    const units = await trip.infrastructure.schemaWork()
    const phases = units.map((unit) => unit.phase)
    assert.deepEqual(
      [...phases].sort((a, b) => order.indexOf(a) - order.indexOf(b)),
      phases,
    )
    assert.deepEqual(
      units.filter((unit) => unit.phase === 'primary').map((unit) => unit.table?.name),
      ['customers', 'orders'],
    )
    assert.equal(new Set(units.map((unit) => unit.id)).size, units.length)
    const indexesBefore = (await readInventory(trip.target)).tables.flatMap((table) => table.indexes)
    assert.deepEqual(indexesBefore, [])
    await trip.work()
    await trip.work()
    assert.deepEqual(textOf(await trip.compare()), [])
  })
})
const order = ['primary', 'secondary', 'final']

test('D06 abort drops what was created and nothing else', async () => {
  const targetSetup = `CREATE TABLE mine (id int PRIMARY KEY); CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SCHEMA other;`
  await withTrip({ targetSetup }, async (trip) => {
    const before = await describe(trip)
    await trip.create()
    await trip.work()
    assert.notDeepEqual(await describe(trip), before)
    await trip.infrastructure.dropCreatedSchema()
    await trip.infrastructure.dropCreatedSchema()
    await trip.infrastructure.removeAll('target')
    await trip.infrastructure.removeAll('source')
    assert.deepEqual(await describe(trip), before)
    assert.deepEqual(await trip.infrastructure.leftovers('target'), [])
    assert.deepEqual(await trip.infrastructure.leftovers('source'), [])
    await trip.create()
  })
})

test('D06 abort refuses to take along what others built on it, and changes nothing then', async () => {
  await withTrip({}, async (trip) => {
    await trip.create()
    await trip.work()
    await trip.target.query('CREATE VIEW theirs AS SELECT id FROM orders')
    const before = await describe(trip)
    await assert.rejects(trip.infrastructure.dropCreatedSchema(), (error: Failure) => {
      assert.equal(error.code, 'CF2208')
      assert.match(error.message, /view public\.theirs/)
      return true
    })
    assert.deepEqual(await describe(trip), before)
    await trip.target.query('DROP VIEW theirs; CREATE TABLE theirs (id bigint REFERENCES orders)')
    assert.equal(await codeOf(trip.infrastructure.dropCreatedSchema()), 'CF2208')
  })
})

async function describe(trip: RoundTrip): Promise<unknown> {
  const { tables, views, routines, types, schemas, sequences } = await readInventory(trip.target)
  return {
    relations: [...tables, ...views, ...sequences, ...types]
      .map((each) => `${each.name.schema}.${each.name.name}`)
      .sort(),
    routines: routines.map((each) => each.name),
    schemas: schemas.map((each) => each.name),
  }
}

test('a table that is there already is not touched', async () => {
  await withTrip({ targetSetup: 'CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)' }, async (trip) => {
    assert.equal(await codeOf(trip.create()), 'CF2207')
    const { tables } = await readInventory(trip.target)
    assert.deepEqual(
      tables.map((table) => table.name.name),
      ['orders'],
    )
  })
})

test('what stands in the way, and what cannot be carried, is known before the start', async () => {
  const options = {
    setup: `${shop} CREATE TYPE pair AS (a int, b int); CREATE CAST (int AS pair) WITH INOUT`,
    targetSetup: `CREATE TABLE orders (id int); CREATE TYPE status AS ENUM ('else')`,
  }
  await withTrip(options, async (trip) => {
    const findings = textOf(
      await previewSchema(trip.plan, { id: asShardId('source/a'), client: trip.source }, [
        { id: asShardId('target/0'), client: trip.target },
      ]),
    )
    assert.deepEqual(
      findings.map((each) => each.slice(0, 12)),
      ['CF2202 warn ', 'CF2207 block', 'CF2207 block'],
    )
    assert.match(findings.join('\n'), /table public\.orders/)
    assert.match(findings.join('\n'), /enum public\.status/)
    const { schemas } = await readInventory(trip.target)
    assert.equal(schemas.length, 1)
  })
})

test('types and functions that are there already are used when they are equal, and refused when not', async () => {
  await withTrip({ targetSetup: `CREATE TYPE status AS ENUM ('open', 'paid')` }, async (trip) => {
    await trip.create()
    await trip.work()
    assert.deepEqual(textOf(await trip.compare()), [])
    await trip.infrastructure.dropCreatedSchema()
    const { types } = await readInventory(trip.target)
    assert.equal(types.length, 1)
  })
  await withTrip({ targetSetup: `CREATE TYPE status AS ENUM ('open')` }, async (trip) => {
    assert.equal(await codeOf(trip.create()), 'CF2207')
  })
})

test('creating the schema again gives the same answer; a failure leaves nothing', async () => {
  await withTrip({ setup: `${shop} CREATE EXTENSION citext; CREATE TABLE c (id citext PRIMARY KEY)` }, async (trip) => {
    await trip.create()
    assert.deepEqual(await trip.infrastructure.createSchema(), [])
  })
  const noDomains = `CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no domains here'; END $$;
    CREATE EVENT TRIGGER no ON ddl_command_start WHEN TAG IN ('CREATE DOMAIN') EXECUTE FUNCTION no()`
  const setup = `CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE TABLE t (id int DEFAULT f() PRIMARY KEY);
    CREATE DOMAIN d AS int`
  await withTrip({ setup, targetSetup: noDomains }, async (trip) => {
    assert.equal(await codeOf(trip.create()), 'CF2206')
    assert.deepEqual((await readInventory(trip.target)).tables, [])
    await trip.target.query('DROP EVENT TRIGGER no; DROP FUNCTION no()')
    await trip.infrastructure.createSchema()
    assert.equal((await readInventory(trip.target)).tables.length, 1)
  })
})

test('D17 an index build that was cut off is dropped and built again', async () => {
  await withTrip({}, async (trip) => {
    await trip.create()
    const units = await trip.infrastructure.schemaWork()
    for (const unit of units.filter((each) => each.phase === 'primary'))
      await trip.infrastructure.runSchemaWork(unit, testContext())
    await trip.target.query(`INSERT INTO customers ("e mail") VALUES ('a'), ('b')`)
    const unit = units.find((each) => each.phase === 'secondary' && each.table?.name === 'customers')!
    // As a build leaves it that is killed half way: there, and invalid.
    const { rows } = await trip.target.query(
      `SELECT steps->'builds'->0->>'sql' AS sql, steps->'builds'->0->>'name' AS name FROM crossfade.schema_work WHERE id LIKE 'secondary public.customers%'`,
    )
    await trip.target.query(`INSERT INTO customers ("e mail") VALUES ('a')`)
    await assert.rejects(trip.target.query(rows[0].sql), { code: '23505' })
    await trip.target.query(`DELETE FROM customers WHERE ctid = (SELECT max(ctid) FROM customers)`)
    assert.equal((await indexNamed(trip, rows[0].name))?.valid, false)
    await trip.infrastructure.runSchemaWork(unit, testContext())
    assert.equal((await indexNamed(trip, rows[0].name))?.valid, true)
    assert.equal((await indexNamed(trip, rows[0].name))?.constraint, rows[0].name)
  })
})

test('rows that violate a unique index make its unit fail by code, and it can be run again', async () => {
  await withTrip({}, async (trip) => {
    await trip.create()
    const units = await trip.infrastructure.schemaWork()
    await trip.target.query(`INSERT INTO customers ("e mail") VALUES ('a'), ('a')`)
    const unit = units.find((each) => each.phase === 'secondary' && each.table?.name === 'customers')!
    assert.equal(await codeOf(trip.infrastructure.runSchemaWork(unit, testContext())), 'CF2215')
    await trip.target.query('DELETE FROM customers')
    await trip.infrastructure.runSchemaWork(unit, testContext())
  })
})

test('a worker whose epoch is stale changes nothing', async () => {
  await withTrip({}, async (trip) => {
    await trip.create()
    const [unit] = await trip.infrastructure.schemaWork()
    await trip.target.query(
      `INSERT INTO crossfade.lease_epoch SELECT migration, 'test', 9 FROM crossfade.created_schema`,
    )
    assert.equal(await codeOf(trip.infrastructure.runSchemaWork(unit!, testContext())), 'CF6006')
    assert.deepEqual(
      (await readInventory(trip.target)).tables.flatMap((table) => table.indexes),
      [],
    )
  })
})

test('DM-17 a role that owns the tables and may create in the database needs no superuser', async () => {
  const cluster = await sharedTestCluster(16)
  const target = await sharedTestCluster(17)
  for (const each of [cluster, target]) await each.createRole('mover', { replication: true }).catch(() => undefined)
  const grant = (sql: string) =>
    `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO mover', current_database()); END $$; GRANT ALL ON SCHEMA public TO mover; ${sql}`
  const options = {
    source: cluster,
    target,
    user: 'mover',
    setup: grant(`SET ROLE mover; ${shop} RESET ROLE`),
    targetSetup: grant(''),
  }
  await withTrip(options, async (trip) => {
    assert.deepEqual(textOf(await trip.create()), [])
    await trip.work()
    assert.deepEqual(textOf(await trip.compare()), [])
    await trip.infrastructure.createSlots('source')
    await trip.infrastructure.createSlots('target')
    assert.equal((await trip.infrastructure.leftovers('target')).length > 2, true)
    await trip.infrastructure.dropCreatedSchema()
    for (const side of ['source', 'target'] as const) {
      await trip.infrastructure.removeAll(side)
      assert.deepEqual(await trip.infrastructure.leftovers(side), [])
    }
    assert.deepEqual((await readInventory(trip.target)).tables, [])
  })
  await withTrip({ ...options, targetSetup: '' }, async (trip) => {
    await assert.rejects(trip.create(), (error: Failure) => {
      assert.equal(error.code, 'CF2201')
      assert.match(error.remedy, /GRANT CREATE ON DATABASE/)
      return true
    })
  })
})

test('roles: owners, privileges and policies follow where the role is on the target, and are findings where not', async () => {
  const source = await sharedTestCluster(16)
  const target = await sharedTestCluster(18)
  for (const role of ['zoo_owner', 'zoo_reader', 'zoo_only_source'])
    await source.createRole(role, { login: false }).catch(() => undefined)
  for (const role of ['zoo_owner', 'zoo_reader']) await target.createRole(role, { login: false }).catch(() => undefined)
  const setup = `${shop}
    ALTER TABLE orders OWNER TO zoo_owner; ALTER FUNCTION paid() OWNER TO zoo_owner; CREATE SCHEMA owned AUTHORIZATION zoo_owner;
    GRANT SELECT, UPDATE ON orders TO zoo_reader; GRANT SELECT (id, "e mail") ON customers TO zoo_reader WITH GRANT OPTION;
    GRANT USAGE ON SCHEMA owned TO zoo_reader; REVOKE EXECUTE ON FUNCTION paid() FROM PUBLIC; GRANT EXECUTE ON FUNCTION paid() TO zoo_reader;
    GRANT USAGE ON SEQUENCE customers_id_seq TO zoo_reader; REVOKE USAGE ON TYPE status FROM PUBLIC; GRANT SELECT ON open_orders TO PUBLIC;
    ALTER DEFAULT PRIVILEGES IN SCHEMA owned GRANT SELECT ON TABLES TO zoo_reader;
    GRANT DELETE ON orders TO zoo_only_source; ALTER VIEW open_orders OWNER TO zoo_only_source;`
  await withTrip({ source, target, setup }, async (trip) => {
    const findings = textOf(await trip.create())
    assert.deepEqual(
      findings.map((each) => each.slice(0, 6)),
      ['CF2204'],
    )
    assert.match(findings[0]!, /1 objects belong to zoo_only_source/)
    await trip.work()
    assert.deepEqual(textOf(await trip.compare()), [])
    const { tables, grants, routines } = await readInventory(trip.target)
    assert.equal(tables.find((table) => table.name.name === 'orders')?.owner, 'zoo_owner')
    assert.equal(routines.find((routine) => routine.name === 'paid')?.owner, 'zoo_owner')
    const held = grants
      .filter((grant) => grant.grantee === 'zoo_reader')
      .map((grant) => `${grant.privilege} ${grant.column ?? ''} ${grant.identity}`)
    for (const expected of [
      'SELECT e mail public.customers',
      'UPDATE  public.orders',
      'USAGE  owned',
      'EXECUTE  public.paid()',
    ]) {
      assert.ok(held.includes(expected), `${expected} in ${held.join('; ')}`)
    }
    assert.ok(!grants.some((grant) => grant.grantee === 'public' && grant.identity === 'public.paid()'))
    await trip.target.query('REVOKE UPDATE ON orders FROM zoo_reader')
    assert.match(textOf(await trip.compare())[0]!, /CF2210 .*privilege UPDATE on table public\.orders to zoo_reader/)
  })
})

test('the control schema is made once by many at the same time', async () => {
  await withTrip({}, async (trip) => {
    const pool = trip.pool('target/0')
    await Promise.all(
      Array.from({ length: 8 }, () => pool.withConnection((client) => createControlSchema(client, pool.shard))),
    )
    const { rows } = await trip.target.query(
      `SELECT relname FROM pg_class WHERE relnamespace = 'crossfade'::regnamespace AND relkind = 'r'`,
    )
    assert.ok(names(rows).includes('lease_epoch'))
  })
})

test('archiving makes new sessions read-only until a new plan begins', async () => {
  await withTrip({ plan: { archive: 'readonly' } }, async (trip) => {
    await trip.infrastructure.archiveSource()
    await trip.infrastructure.archiveSource()
    const fresh = async () => {
      // Not a session of ours: those may always write.
      const client = new pg.Client({ connectionString: trip.sourceUrl })
      await client.connect()
      try {
        await client.query('UPDATE customers SET created = now()')
        return 'written'
      } catch (error) {
        return (error as { code: string }).code
      } finally {
        await client.end()
      }
    }
    assert.equal(await fresh(), '25006')
    await trip.infrastructure.createControlSchema('source')
    assert.equal(await fresh(), 'written')
  })
})

async function indexNamed(trip: RoundTrip, name: string) {
  return (await readInventory(trip.target)).tables
    .flatMap((table) => table.indexes)
    .find((index) => index.name === name)
}
