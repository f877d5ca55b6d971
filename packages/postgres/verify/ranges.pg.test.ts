import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { ClientBase } from 'pg'
import { evenHash } from '../testing/plan.ts'
import { makeRig, type Rig, taskContext } from './verify-testing.ts'

const tenant = { kind: 'column', column: 'tenant_id' } as const
const shards = { source: ['source/a', 'source/b'], target: ['target/x'] }
const rows = 20_000

describe('ranges', () => {
  let rig: Rig

  before(async () => {
    rig = await makeRig({
      cluster: await sharedTestCluster(),
      source: evenHash(shards.source),
      target: { kind: 'single', shard: 'target/x' as never },
      shards,
      schema: `CREATE TABLE number (tenant_id int, id bigint, v text, PRIMARY KEY (tenant_id, id));
        CREATE TABLE word (tenant_id int, word text PRIMARY KEY);
        CREATE COLLATION elsewhere (provider = icu, locale = 'de');
        CREATE TABLE wort (tenant_id int, wort text COLLATE elsewhere PRIMARY KEY, v text);
        CREATE TABLE part (tenant_id int, id int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
        CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10000);
        CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10000) TO (100000)`,
      tables: ['number', 'word', 'wort', 'part'].map((name) => ({ name, route: tenant })),
      verification: { recheckMs: 1, chunkRowsMax: 2_000 },
    })
    const fill = `
      INSERT INTO number SELECT i % 50, i * 1000, md5(i::text) FROM generate_series(1, ${rows}) i;
      INSERT INTO word SELECT i % 50, md5(i::text) FROM generate_series(1, ${rows}) i;
      INSERT INTO wort SELECT i % 50, md5(i::text) FROM generate_series(1, ${rows}) i;
      INSERT INTO part SELECT i % 50, i FROM generate_series(1, ${rows}) i; ANALYZE;`
    for (const shard of [...shards.source, ...shards.target]) await rig.sql(shard, fill)
    for (const table of ['number', 'word', 'wort', 'part']) {
      await rig.sql('source/a', `DELETE FROM ${table} WHERE (hashtext(tenant_id::text) & 2147483647) % 16 >= 8`)
      await rig.sql('source/b', `DELETE FROM ${table} WHERE (hashtext(tenant_id::text) & 2147483647) % 16 < 8`)
    }
    for (const shard of shards.source) await rig.sql(shard, 'VACUUM ANALYZE')
  })
  after(() => rig.close())

  test('ranges meet without a gap, hold every row once, and are near the wanted size', async () => {
    const ranges = await rig.verification.ranges()
    for (const [name, ordered] of [
      ['number', true],
      ['word', true],
      ['wort', false],
      ['part', true],
    ] as const) {
      const mine = ranges.filter((range) => range.table.name === name)
      assert.equal(mine[0]!.from, null)
      assert.equal(mine.at(-1)!.to, null)
      for (const [index, range] of mine.entries()) assert.deepEqual(range.to, mine[index + 1]?.from ?? null)
      assert.equal(new Set(mine.map((range) => range.id)).size, mine.length)
      if (!ordered) {
        // Its order is a library's, not the same everywhere: it is read by pages.
        assert.equal(mine.length, 1)
        continue
      }
      assert.ok(mine.length >= 8 && mine.length <= 12, `${name}: ${mine.length}`)
      const counts = []
      for (const range of mine) {
        const found = await rig.verification.verify(range, taskContext())
        assert.deepEqual(found.mismatches, [])
        counts.push(found.rows)
      }
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        rows,
      )
      assert.ok(Math.max(...counts) < 6_000, counts.join())
    }
    assert.equal(new Set(ranges.map((range) => range.id)).size, ranges.length)
  })

  test('D01: one wrong row among many is found wherever it is, also where the table is read by pages', async () => {
    for (const [table, set] of [
      ['number', `v = 'x' WHERE id = 777000`],
      ['wort', `v = 'x' WHERE wort = md5('777')`],
      ['part', `tenant_id = 51 WHERE id = 15000`],
    ] as const) {
      await rig.sql('target/x', `UPDATE ${table} SET ${set}`)
    }
    const { mismatches } = await rig.verify()
    assert.deepEqual(
      mismatches.map((each) => [each.table.name, each.kind]),
      [
        ['number', 'different'],
        ['wort', 'different'],
        ['part', 'different'],
      ],
    )
    await rig.sql(
      'target/x',
      `UPDATE number SET v = md5('777') WHERE id = 777000; UPDATE wort SET v = NULL WHERE wort = md5('777'); UPDATE part SET tenant_id = 0 WHERE id = 15000`,
    )
    assert.deepEqual((await rig.verify()).mismatches, [])
  })

  test('D14: no statement locks a row or a table against writers, and none keeps a snapshot for longer than itself', async () => {
    const seen: string[] = []
    const modes = new Set<string>()
    for (const pool of rig.pools.values()) {
      const original = pool.withConnection.bind(pool)
      pool.withConnection = ((work: (client: never) => Promise<unknown>, options?: never) =>
        original(async (client) => {
          const result = await work(
            new Proxy(client, {
              get: (target, name) => (name === 'query' ? record(target) : Reflect.get(target, name)),
            }) as never,
          )
          return result
        }, options)) as typeof pool.withConnection
    }
    const record =
      (client: ClientBase) =>
      async (...query: unknown[]) => {
        seen.push(typeof query[0] === 'string' ? query[0] : (query[0] as { text: string }).text)
        const result = await (client.query as (...given: unknown[]) => Promise<unknown>)(...query)
        const locks = await client.query(
          `SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation <> 'pg_locks'::regclass`,
        )
        for (const row of locks.rows) modes.add(row.mode as string)
        return result
      }
    await rig.verify()
    assert.ok(seen.length > 20)
    assert.deepEqual(
      seen.filter((text) => /\b(BEGIN|LOCK|FOR UPDATE|FOR SHARE|DECLARE)\b/.test(text)),
      [],
    )
    assert.deepEqual(
      [...modes].filter((mode) => mode !== 'AccessShareLock'),
      [],
    )
  })
})
