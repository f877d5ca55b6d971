import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import { asEpoch, asMigrationId, asShardId } from '@crossfade/model/ids.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import pg from 'pg'
import { connect } from '../connection/connect.ts'
import { createControlSchema } from '../schema/control-schema.ts'
import { evenHash, testPlan, testTable } from '../testing/plan.ts'
import { CriticalConnections } from './critical-connections.ts'
import { type FenceObserver, Fences } from './fence.ts'

const migration = asMigrationId('mig_0123456789ab')
const a = asShardId('source/a')
const b = asShardId('source/b')
const x = asShardId('target/x')
const y = asShardId('target/y')
const shards = [a, b, x, y]

const schema = `
CREATE TABLE tenants (id int PRIMARY KEY, name text);
CREATE TABLE channels (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants ON DELETE CASCADE, name text);
CREATE TABLE configurations (channel_id int REFERENCES channels ON DELETE CASCADE, key text, value text, PRIMARY KEY (channel_id, key));
CREATE TABLE events (id int, tenant_id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2000-01-01') TO ('2025-01-01');
CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2030-01-01');
CREATE TABLE documents (id int PRIMARY KEY, tenant_id int);
CREATE TABLE letters (stamp text) INHERITS (documents);
CREATE TABLE permissions (id int PRIMARY KEY, name text);
CREATE VIEW tenant_names AS SELECT id, name FROM tenants;
`

for (const version of [14, 18] as const)
  describe(`fences on PostgreSQL ${version}`, () => {
    let cluster: Cluster
    let databases: Map<string, TestDatabase>
    const clients: pg.Client[] = []
    let plan: ResolvedPlan
    let tables: ResolvedTable[]
    let connections: CriticalConnections
    let fences: Fences
    let epoch = 0

    const nextEpoch = () => asEpoch(++epoch)
    const client = async (shard: string, settings = '') => {
      const made = new pg.Client({ connectionString: databases.get(shard)!.url, options: settings })
      made.on('error', () => {})
      await made.connect()
      clients.push(made)
      return made
    }
    const makeFences = (observe?: FenceObserver) =>
      new Fences({ plan, migration, connections, ...(observe ? { observe } : {}) })

    before(async () => {
      cluster = await sharedTestCluster(version)
      databases = new Map()
      for (const shard of shards) {
        const database = await freshDatabase(cluster, 'fence')
        databases.set(shard, database)
        const setup = await client(shard)
        await setup.query(schema)
        await createControlSchema(setup, shard)
      }
      const catalog = await client(a)
      const tenant = { kind: 'column', column: 'tenant_id' } as const
      const name = (table: string) => ({ schema: 'public', name: table })
      const toTenant = {
        kind: 'parent',
        column: 'channel_id',
        parent: name('channels'),
        parentColumn: 'id',
        then: tenant,
      } as const
      tables = [
        await testTable(catalog, name('tenants'), { kind: 'column', column: 'id' }),
        await testTable(catalog, name('channels'), tenant),
        await testTable(catalog, name('configurations'), toTenant),
        await testTable(catalog, name('events'), tenant),
        await testTable(catalog, name('documents'), tenant),
        await testTable(catalog, name('permissions'), { kind: 'reference' }),
      ]
      const url = (shard: string) => databases.get(shard)!.url
      plan = testPlan({
        source: { topology: evenHash([a, b]), urls: { [a]: url(a), [b]: url(b) } },
        target: { topology: evenHash([x, y]), urls: { [x]: url(x), [y]: url(y) } },
        tables,
      })
      connections = new CriticalConnections((shard) =>
        connect({
          shard: [...plan.source.shards, ...plan.target.shards].find((each) => each.id === shard)!,
          purpose: 'cutover',
        }),
      )
      fences = makeFences()
      await fences.prepare('source', [a, b])
      await fences.prepare('target', [a, b])
    })

    after(async () => {
      await fences.settled()
      await connections.close()
      for (const each of clients) await each.end().catch(() => {})
      for (const database of databases.values()) await database.drop()
    })

    const opened = async () => {
      await fences.unfence('source', [a, b], nextEpoch())
      await fences.unfence('target', [a, b], asEpoch(epoch))
      await fences.settled()
    }
    const refused = (work: Promise<unknown>) =>
      assert.rejects(work, (error: pg.DatabaseError) => error.code === 'CF001')

    test('DM-16 a stale client is told the new owner, the epoch and the unit', async () => {
      const writer = await client(a)
      await writer.query(`INSERT INTO tenants VALUES (1, 'before')`)
      const [point] = await fences.fence('source', [a], nextEpoch(), 'target')
      assert.equal(point!.shard, a)
      await assert.rejects(writer.query(`UPDATE tenants SET name = 'late' WHERE id = 1`), (error: pg.DatabaseError) => {
        assert.equal(error.code, 'CF001')
        assert.equal(error.message, `crossfade: writes to this key have moved to target (routing epoch ${epoch})`)
        assert.deepEqual(JSON.parse(error.detail!), { migration, epoch, unit: a })
        assert.equal(error.table, 'tenants')
        return true
      })
      const other = await client(b)
      await other.query(`INSERT INTO tenants VALUES (2, 'not fenced')`)
      await opened()
      await writer.query(`UPDATE tenants SET name = 'again' WHERE id = 1`)
    })

    test('every way of writing is refused: partitions, heirs, views, cascades, COPY, ON CONFLICT, MERGE, TRUNCATE, no row at all', async () => {
      const writer = await client(a)
      await writer.query(`INSERT INTO tenants VALUES (10, 'ten') ON CONFLICT DO NOTHING; INSERT INTO channels VALUES (10, 10, 'c'); INSERT INTO letters VALUES (10, 10, 's');
      INSERT INTO events VALUES (10, 10, '2024-01-01')`)
      await fences.fence('source', [a], nextEpoch(), 'target')
      const statements = [
        `INSERT INTO events VALUES (1, 1, '2024-01-01')`,
        `INSERT INTO events_old VALUES (1, 1, '2024-01-01')`,
        `UPDATE events SET at = '2026-01-01' WHERE id = 10`,
        `DELETE FROM events_old`,
        `TRUNCATE events_new`,
        `TRUNCATE events`,
        `INSERT INTO letters VALUES (11, 11, 's')`,
        `UPDATE documents SET tenant_id = 4`,
        `DELETE FROM ONLY letters`,
        `TRUNCATE letters`,
        `UPDATE tenant_names SET name = 'view'`,
        `INSERT INTO tenant_names VALUES (77, 'view')`,
        `DELETE FROM tenants WHERE id = 10`,
        `INSERT INTO tenants VALUES (10, 'x') ON CONFLICT (id) DO NOTHING`,
        `INSERT INTO tenants VALUES (10, 'x') ON CONFLICT (id) DO UPDATE SET name = 'y'`,
        ...(version > 14
          ? [`MERGE INTO tenants t USING (SELECT 10 AS id) s ON s.id = t.id WHEN MATCHED THEN UPDATE SET name = 'z'`]
          : []),
        `WITH gone AS (DELETE FROM channels RETURNING id) SELECT * FROM gone`,
        `TRUNCATE tenants CASCADE`,
        `UPDATE tenants SET name = 'nobody' WHERE id = -1`,
        `DO $$ BEGIN UPDATE permissions SET name = 'in a block'; END $$`,
        `COPY tenants FROM PROGRAM 'echo 99'`,
      ]
      for (const statement of statements) await refused(writer.query(statement))
      const replica = await client(a, '-c session_replication_role=replica')
      for (const statement of statements) await refused(replica.query(statement))
      await replica.query(`SET crossfade.writer = 'mig_someoneelse0'`)
      await refused(replica.query(statements[0]!))
      await opened()
    })

    test('the applier passes where it is marked as ours', async () => {
      await fences.fence('source', [a], nextEpoch(), 'target')
      const applier = await connect({ shard: plan.source.shards[0]!, purpose: 'apply', writer: migration })
      await applier.query(
        `INSERT INTO tenants VALUES (500, 'applied'); UPDATE tenants SET name = 'b' WHERE id = 500; DELETE FROM tenants WHERE id = 500; TRUNCATE events_new`,
      )
      await applier.end()
      await opened()
    })

    test('a REPEATABLE READ transaction opened before the fence cannot write after it', async () => {
      for (const level of ['REPEATABLE READ', 'SERIALIZABLE']) {
        const early = await client(a)
        await early.query(`BEGIN ISOLATION LEVEL ${level}; SELECT count(*) FROM tenants`)
        await fences.fence('source', [a], nextEpoch(), 'target')
        await refused(early.query(`UPDATE tenants SET name = 'late'`))
        await early.query('ROLLBACK')
        await opened()
      }
    })

    test('a session with cached plans and prepared statements is refused too', async () => {
      const writer = await client(a)
      const write = () =>
        writer.query({ name: 'write', text: `UPDATE tenants SET name = $1 WHERE id = 1`, values: ['x'] })
      for (let each = 0; each < 10; each++) await write()
      await fences.fence('source', [a], nextEpoch(), 'target')
      await refused(write())
      await opened()
      await write()
    })

    test('D12: writers in flight are drained, and what they wrote is before the point', async () => {
      const writer = await client(a)
      await writer.query(`BEGIN; INSERT INTO tenants VALUES (300, 'in flight')`)
      let closed = false
      const fencing = fences.fence('source', [a], nextEpoch(), 'target').then((points) => {
        closed = true
        return points
      })
      await new Promise((resolve) => setTimeout(resolve, 120))
      assert.equal(closed, false)
      await writer.query('COMMIT')
      const { rows } = await writer.query<{ lsn: string }>(`SELECT pg_current_wal_insert_lsn()::text AS lsn`)
      const [point] = await fencing
      const seen = await writer.query(`SELECT 1 FROM tenants WHERE id = 300`)
      assert.equal(seen.rowCount, 1)
      assert.ok(rows[0])
      assert.ok(point!.lsn > 0n)
      await opened()
    })

    test('D13: locks that cannot be had in time: it gives up, leaves nothing, and nobody got an error', async () => {
      const slow = await client(b)
      await slow.query(`BEGIN; UPDATE tenants SET name = name`)
      const waiting = await client(b)
      const write = waiting.query(`INSERT INTO channels VALUES (901, 2, 'while the fence waits')`)
      await assert.rejects(fences.fence('source', [a, b], nextEpoch(), 'target'), (error: Failure) => {
        assert.equal(error.code, 'CF5101')
        assert.equal(error.details['table'], '"public"."tenants"')
        return error.retry
      })
      await write
      await slow.query('COMMIT')
      await fences.settled()
      for (const shard of [a, b]) {
        const look = await client(shard)
        const { rows } = await look.query(
          `SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'crossfade%' AND tgenabled <> 'D')::int AS armed,
          (SELECT count(*) FROM crossfade.fence_unit)::int AS units, (SELECT count(*) FROM pg_locks WHERE mode = 'ShareRowExclusiveLock')::int AS locks`,
        )
        assert.deepEqual(rows[0], { armed: 0, units: 0, locks: 0 })
        await look.query(`INSERT INTO permissions VALUES (${shard === a ? 900 : 901}, 'open')`)
      }
    })

    test('D12: a prepared transaction holds the fence off', async () => {
      const writer = await client(a)
      await writer.query(`BEGIN; INSERT INTO tenants VALUES (301, 'prepared'); PREPARE TRANSACTION 'held'`)
      await assert.rejects(
        fences.fence('source', [a], nextEpoch(), 'target'),
        (error: Failure) => error.code === 'CF5101',
      )
      await writer.query(`COMMIT PREPARED 'held'`)
      await fences.fence('source', [a], nextEpoch(), 'target')
      await opened()
    })

    test('a client that would be a deadlock with the fence gets no error', async () => {
      const writer = await client(a)
      await writer.query(`BEGIN; INSERT INTO permissions VALUES (700, 'last table first')`)
      const fencing = fences.fence('source', [a], nextEpoch(), 'target')
      await new Promise((resolve) => setTimeout(resolve, 20))
      await writer.query(`INSERT INTO tenants VALUES (700, 'first table last')`)
      await writer.query('COMMIT')
      await fencing
      await opened()
    })

    test('a partition made while fenced is fenced', async () => {
      const owner = await client(a)
      await fences.fence('source', [a], nextEpoch(), 'target')
      await owner.query(`CREATE TABLE events_far PARTITION OF events FOR VALUES FROM ('2030-01-01') TO ('2040-01-01')`)
      await refused(owner.query(`INSERT INTO events VALUES (1, 1, '2031-01-01')`))
      await refused(owner.query(`INSERT INTO events_far VALUES (1, 1, '2031-01-01')`))
      await owner.query(`DROP TABLE events_far`)
      await opened()
      await owner.query(`CREATE TABLE events_far PARTITION OF events FOR VALUES FROM ('2030-01-01') TO ('2040-01-01')`)
      await fences.fence('source', [a], nextEpoch(), 'target')
      await refused(owner.query(`INSERT INTO events_far VALUES (1, 1, '2031-01-01')`))
      await refused(owner.query(`TRUNCATE events_far`))
      await opened()
      await owner.query(`DROP TABLE events_far`)
    })

    test('stale epochs neither fence nor open; the same call again is fine', async () => {
      const writer = await client(a)
      const now = nextEpoch()
      await fences.fence('source', [a], now, 'target')
      await fences.fence('source', [a], now, 'target')
      const stale = (error: Failure) => error.code === 'CF5102'
      await assert.rejects(fences.unfence('source', [a], asEpoch(now - 1)), stale)
      await refused(writer.query(`DELETE FROM tenants`))
      await assert.rejects(fences.fence('source', [a, b], asEpoch(now - 1), 'target'), stale)
      const elsewhere = await client(b)
      await elsewhere.query(`UPDATE tenants SET name = name`)
      await fences.unfence('source', [a], now)
      await fences.unfence('source', [a], now)
      await writer.query(`UPDATE tenants SET name = name`)
      await opened()
    })

    test('on the target only the rows of the fenced unit are stopped', async () => {
      const target = await client(x)
      const { rows } = await target.query<{ id: number; unit: string }>(
        `SELECT id, CASE WHEN (hashtext(id::text) & 2147483647) % 16 < 8 THEN 'a' ELSE 'b' END AS unit FROM generate_series(1000, 1040) id`,
      )
      const ofA = rows.find((row) => row.unit === 'a')!.id
      const ofB = rows.find((row) => row.unit === 'b')!.id
      for (const id of [ofA, ofB]) {
        await target.query(
          `INSERT INTO tenants VALUES (${id}, 't'); INSERT INTO channels VALUES (${id}, ${id}, 'c'); INSERT INTO configurations VALUES (${id}, 'k', 'v')`,
        )
      }
      await fences.fence('target', [a], nextEpoch(), 'source')
      await target.query(`UPDATE tenants SET name = 'free' WHERE id = ${ofB}`)
      await target.query(`UPDATE configurations SET value = 'free' WHERE channel_id = ${ofB}`)
      await target.query(`UPDATE tenants SET name = 'nobody' WHERE id = -1`)
      await refused(target.query(`UPDATE tenants SET name = 'late' WHERE id = ${ofA}`))
      await refused(target.query(`UPDATE configurations SET value = 'late' WHERE channel_id = ${ofA}`))
      await refused(target.query(`INSERT INTO configurations VALUES (${ofA}, 'new', 'v')`))
      await refused(target.query(`UPDATE channels SET tenant_id = ${ofA} WHERE id = ${ofB}`))
      await refused(target.query(`UPDATE channels SET tenant_id = ${ofB} WHERE id = ${ofA}`))
      await refused(target.query(`INSERT INTO permissions VALUES (1, 'follows the first unit')`))
      await refused(target.query(`TRUNCATE documents`))
      await refused(target.query(`INSERT INTO documents VALUES (1, NULL)`))
      await refused(target.query(`DELETE FROM tenants WHERE id = ${ofA}`))
      await target.query(`DELETE FROM tenants WHERE id = ${ofB}`)
      await fences.fence('target', [b], nextEpoch(), 'source')
      await refused(target.query(`INSERT INTO tenants VALUES (${ofB}, 't')`))
      await refused(target.query(`UPDATE tenants SET name = 'nobody' WHERE id = -1`))
      await fences.unfence('target', [a], nextEpoch())
      await refused(target.query(`INSERT INTO tenants VALUES (${ofB}, 't')`))
      await target.query(`UPDATE tenants SET name = 'open' WHERE id = ${ofA}`)
      await target.query(`INSERT INTO permissions VALUES (1, 'open')`)
      await opened()
    })

    test('a role that may not read the parent is judged by it all the same', async () => {
      const owner = await client(x)
      await owner.query(
        `DROP ROLE IF EXISTS fence_writer; CREATE ROLE fence_writer LOGIN; GRANT INSERT, UPDATE ON configurations TO fence_writer`,
      )
      await fences.fence('target', [a], nextEpoch(), 'source')
      const writer = new pg.Client({
        connectionString: cluster.url({ database: databases.get(x)!.name, user: 'fence_writer' }),
      })
      await writer.connect()
      await refused(writer.query(`INSERT INTO configurations VALUES (-5, 'orphan', 'v')`))
      await writer.end()
      await opened()
      await owner.query(`DROP OWNED BY fence_writer; DROP ROLE fence_writer`)
    })

    test('D10 D17: a fencing session killed at any step leaves all fenced or none', async () => {
      for (const step of ['begin', 'armed', 'commit', 'committed'] as const) {
        let killed = false
        const observed = makeFences(async (at, shard) => {
          if (at !== step || shard !== b || killed) return
          killed = true
          const killer = await client(b)
          await killer.query(
            `SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'crossfade cutover'`,
          )
        })
        const now = nextEpoch()
        const fenced = await observed.fence('source', [a, b], now, 'target').then(
          () => true,
          (error: Failure) => {
            assert.equal(error.code, 'CF5105', String(error.cause))
            return false
          },
        )
        assert.ok(killed)
        assert.equal(fenced, step === 'committed')
        for (const shard of [a, b]) {
          const writer = await client(shard)
          const write = writer.query(`UPDATE tenants SET name = name`)
          if (fenced) await refused(write)
          else await write
        }
        await observed.unfence('source', [a, b], now)
        await observed.settled()
      }
    })

    test('remove takes triggers and functions away', async () => {
      await fences.remove('source')
      const look = await client(a)
      const { rows } = await look.query(
        `SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'crossfade%')::int AS triggers, (SELECT count(*) FROM pg_proc WHERE proname LIKE 'fence%')::int AS functions`,
      )
      assert.deepEqual(rows[0], { triggers: 0, functions: 0 })
      await fences.prepare('source', [a, b])
    })
  })
