import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase } from '@crossfade/embedded/testing.ts'
import { Failure } from '@crossfade/model/failure.ts'
import { asMigrationId, asShardId } from '@crossfade/model/ids.ts'
import type pg from 'pg'
import { connect } from '../connection/connect.ts'
import { createControlSchema } from '../schema/control-schema.ts'
import { streamName, streamNamePrefix } from './names.ts'
import { createPublication, dropPublication, publicationsNamed } from './publication.ts'
import { ensureReplicaIdentity, type IdentifiedTable, restoreReplicaIdentity } from './replica-identity.ts'
import { openReplication } from './replication-connection.ts'
import { dropSlot, slotStatus, slotsNamed } from './slots.ts'

const migration = asMigrationId('mig_0123456789ab')
const publication = streamName(migration, 'source', 0)
const table = (name: string, schema = 'public') => ({ schema, name })
const key = (name: string, ...columns: string[]): IdentifiedTable => ({
  name: table(name),
  identity: { kind: 'key', columns },
  leaves: [],
})
const full = (name: string, ...leaves: string[]): IdentifiedTable => ({
  name: table(name),
  identity: { kind: 'full' },
  leaves: leaves.map((leaf) => table(leaf)),
})

for (const version of [14, 18] as const) {
  describe(`publications and slots of PostgreSQL ${version}`, () => {
    let cluster: Cluster
    let sql: pg.Client
    let shard: { id: ReturnType<typeof asShardId>; url: string; secret: null }
    before(async () => {
      cluster = await startCluster({ version })
    })
    after(async () => {
      await sql?.end()
      await cluster?.destroy()
    })
    beforeEach(async () => {
      await sql?.end()
      const { url } = await freshDatabase(cluster)
      shard = { id: asShardId('source/a'), url, secret: null }
      sql = await connect({ shard })
    })

    const identities = async () => {
      const { rows } = await sql.query(
        `SELECT string_agg(c.relname || ' ' || c.relreplident::text || coalesce(' ' || x.relname, ''), ', ' ORDER BY c.relname) AS all FROM pg_class c
         LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident LEFT JOIN pg_class x ON x.oid = i.indexrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')`,
      )
      return rows[0].all as string
    }

    test('a publication is made, made again, and brought back to what was asked for', async () => {
      const odd = 'Odd "name", with 63 bytes, which is the most that a name can ha'
      await sql.query(`CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE "${odd.replaceAll('"', '""')}" (id int);
        CREATE TABLE child () INHERITS (a); CREATE TABLE root (id int) PARTITION BY LIST (id); CREATE TABLE leaf PARTITION OF root DEFAULT`)
      const tables = [table('a'), table(odd), table('root')]
      await createPublication(sql, { shard: 's', publication, tables })
      await createPublication(sql, { shard: 's', publication, tables })
      const names = async () => {
        const { rows } = await sql.query('SELECT tablename FROM pg_publication_tables WHERE pubname = $1', [
          publication,
        ])
        return rows.map((row: { tablename: string }) => row.tablename).sort()
      }
      assert.deepEqual(await names(), [odd, 'a', 'root'])
      assert.equal((await sql.query('SELECT pubviaroot FROM pg_publication')).rows[0].pubviaroot, 't')
      await sql.query(`ALTER PUBLICATION "${publication}" SET (publish = 'insert', publish_via_partition_root = false)`)
      await createPublication(sql, { shard: 's', publication, tables: [table('b')] })
      assert.deepEqual(await names(), ['b'])
      assert.deepEqual((await sql.query('SELECT pubviaroot, pubdelete, pubtruncate FROM pg_publication')).rows[0], {
        pubviaroot: 't',
        pubdelete: 't',
        pubtruncate: 't',
      })
      await createPublication(sql, { shard: 's', publication, tables: [] })
      assert.deepEqual(await names(), [])
      assert.deepEqual(await publicationsNamed(sql, streamNamePrefix(migration)), [publication])
      await dropPublication(sql, publication)
      await dropPublication(sql, publication)
      assert.deepEqual(await publicationsNamed(sql, streamNamePrefix(migration)), [])
    })

    test('two processes that make it at once both succeed; one that may not gives CF3023', async () => {
      await sql.query('CREATE TABLE a (id int PRIMARY KEY)')
      const others = await Promise.all([1, 2, 3].map(() => connect({ shard })))
      await Promise.all(
        others.map((client) => createPublication(client, { shard: 's', publication, tables: [table('a')] })),
      )
      await Promise.all(others.map((client) => client.end()))
      const role = `nobody_${process.pid}_${Math.floor(Math.random() * 1e6)}`
      await cluster.createRole(role)
      const url = new URL(shard.url)
      url.username = role
      const nobody = await connect({ shard: { ...shard, url: url.href } })
      await assert.rejects(
        createPublication(nobody, { shard: 's', publication: 'crossfade_x_s0', tables: [table('a')] }),
        (error) => error instanceof Failure && error.code === 'CF3023',
      )
      await nobody.end()
      await assert.rejects(
        createPublication(sql, { shard: 's', publication, tables: [table('missing')] }),
        (error) => error instanceof Failure && error.code === 'CF3023',
      )
    })

    test('replica identities are set where they must be, remembered, and put back', async () => {
      await createControlSchema(sql, shard.id)
      await sql.query(`
        CREATE TABLE keyed (id int PRIMARY KEY);
        CREATE TABLE keyless (id int);
        CREATE TABLE silent (id int PRIMARY KEY); ALTER TABLE silent REPLICA IDENTITY NOTHING;
        CREATE TABLE unique_only (a int NOT NULL, b int NOT NULL, c int); CREATE UNIQUE INDEX unique_only_key ON unique_only (b, a);
        CREATE TABLE already_full (id int PRIMARY KEY); ALTER TABLE already_full REPLICA IDENTITY FULL;
        CREATE TABLE by_index (a int NOT NULL, b int PRIMARY KEY); CREATE UNIQUE INDEX by_index_a ON by_index (a); ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a;
        CREATE TABLE root (id int) PARTITION BY LIST (id); CREATE TABLE root_leaf PARTITION OF root DEFAULT`)
      const before = await identities()
      const tables = [
        key('keyed', 'id'),
        full('keyless'),
        key('silent', 'id'),
        key('unique_only', 'a', 'b'),
        key('already_full', 'id'),
        key('by_index', 'b'),
        full('root', 'root_leaf'),
      ]
      await ensureReplicaIdentity(sql, migration, tables)
      const after = await identities()
      assert.equal(
        after,
        'already_full f, by_index d, keyed d, keyless f, root f, root_leaf f, silent d, unique_only i unique_only_key',
      )
      await ensureReplicaIdentity(sql, migration, tables)
      assert.equal(await identities(), after)
      await restoreReplicaIdentity(sql, migration)
      await restoreReplicaIdentity(sql, migration)
      assert.equal(await identities(), before)
    })

    test('what was remembered may be gone when it is put back', async () => {
      await createControlSchema(sql, shard.id)
      await sql.query(
        'CREATE TABLE dropped (id int); CREATE TABLE by_index (a int NOT NULL, b int PRIMARY KEY); CREATE UNIQUE INDEX by_index_a ON by_index (a); ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a',
      )
      await ensureReplicaIdentity(sql, migration, [full('dropped'), key('by_index', 'b')])
      await sql.query('DROP TABLE dropped; DROP INDEX by_index_a')
      await restoreReplicaIdentity(sql, migration)
      assert.equal((await sql.query('SELECT count(*) AS n FROM crossfade.remembered_identity')).rows[0].n, '0')
    })

    test('a key that no index can serve gives CF3024; a lock that is held CF3025, and nobody waits behind us for long', async () => {
      await createControlSchema(sql, shard.id)
      await sql.query(
        'CREATE TABLE t (a int, b int NOT NULL); CREATE UNIQUE INDEX ON t (a); CREATE UNIQUE INDEX ON t (b) WHERE b > 0',
      )
      await assert.rejects(
        ensureReplicaIdentity(sql, migration, [key('t', 'b')]),
        (error) => error instanceof Failure && error.code === 'CF3024',
      )
      const holder = await connect({ shard })
      await holder.query('BEGIN; SELECT * FROM t')
      await assert.rejects(
        ensureReplicaIdentity(sql, migration, [full('t')]),
        (error) => error instanceof Failure && error.code === 'CF3025' && error.retry,
      )
      assert.equal(await identities(), 't d')
      await holder.query('COMMIT')
      await holder.end()
    })

    test('D06: a slot is dropped though its walsender is at work, and nothing of ours is left', async () => {
      await sql.query('CREATE TABLE a (id int PRIMARY KEY)')
      await createPublication(sql, { shard: 's', publication, tables: [table('a')] })
      const replication = await openReplication({ shard })
      await replication.createSlot({ slot: publication })
      const stream = await replication.startReplication({
        slot: publication,
        publication,
        startAt: null,
        binary: false,
        streaming: 'off',
      })
      const status = (await slotStatus(sql, publication))!
      assert.equal(status.active, true)
      assert.equal(status.walStatus, 'reserved')
      assert.ok(status.restartLsn! <= status.confirmedFlushLsn! && status.retainedBytes >= 0)
      assert.deepEqual(
        (await slotsNamed(sql, streamNamePrefix(migration))).map(({ slot }) => slot),
        [publication],
      )
      const broken = (async () => {
        while ((await stream.next()) !== null);
      })()
      broken.catch(() => {})
      await dropSlot(sql, 'source/a', publication)
      await dropSlot(sql, 'source/a', publication)
      await assert.rejects(broken, (error) => error instanceof Failure && error.code === 'CF3011')
      assert.equal(await slotStatus(sql, publication), null)
      assert.deepEqual(await slotsNamed(sql, streamNamePrefix(migration)), [])
      await replication.close()
    })
  })
}
