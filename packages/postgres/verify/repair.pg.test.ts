import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import { asEpoch, asShardId } from '@crossfade/model/ids.ts'
import { evenHash } from '../testing/plan.ts'
import { makeRig, type Rig, rigMigration, taskContext } from './verify-testing.ts'

const tenant = { kind: 'column', column: 'tenant_id' } as const
const targets = ['target/x', 'target/y']
const schema = `
CREATE TABLE parent (tenant_id int, id int PRIMARY KEY, v text);
CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent ON DELETE CASCADE, n numeric, doubled numeric GENERATED ALWAYS AS (n * 2) STORED);
CREATE TABLE counted (tenant_id int, code text PRIMARY KEY, serial bigint GENERATED ALWAYS AS IDENTITY, v jsonb);
CREATE TABLE permissions (id int PRIMARY KEY, name text);
CREATE TABLE bare (tenant_id int, line text);
CREATE TABLE renamed (tenant_id int, id int PRIMARY KEY, v text);
`

describe('repair', () => {
  let rig: Rig

  before(async () => {
    rig = await makeRig({
      cluster: await sharedTestCluster(),
      source: { kind: 'single', shard: asShardId('source/a') },
      target: evenHash(targets),
      shards: { source: ['source/a'], target: targets },
      schema,
      tables: [
        { name: 'parent', route: tenant },
        {
          name: 'child',
          route: {
            kind: 'parent',
            column: 'parent_id',
            parent: { schema: 'public', name: 'parent' },
            parentColumn: 'id',
            then: tenant,
          },
        },
        { name: 'counted', route: tenant },
        { name: 'permissions', route: { kind: 'reference' } },
        { name: 'bare', route: tenant },
        { name: 'renamed', route: tenant, change: (table) => ({ ...table, transform: 'shout' }) },
      ],
      verification: { recheckMs: 1 },
      transforms: () => ({
        forward: (row) => (row['v'] === 'hidden' ? null : { ...row, v: row['v']?.toUpperCase() ?? null }),
        backward: (row) => ({ ...row, v: row['v']?.toLowerCase() ?? null }),
      }),
    })
  })
  after(() => rig.close())

  const home = (key: string) => `(hashtext((${key})::text) & 2147483647) % 16 < 8`
  beforeEach(async () => {
    const rows = (shard: string) => `
      TRUNCATE parent, child, counted, permissions, bare, renamed;
      INSERT INTO parent SELECT i % 5, i, 'p' || i FROM generate_series(1, 20) i;
      INSERT INTO child SELECT i, 1 + i % 20, i FROM generate_series(1, 40) i;
      INSERT INTO counted OVERRIDING SYSTEM VALUE SELECT i % 5, 'c' || i, i, '{"a":1}' FROM generate_series(1, 20) i;
      INSERT INTO permissions SELECT i, 'p' || i FROM generate_series(1, 5) i;
      INSERT INTO renamed SELECT i % 5, i, CASE WHEN i % 4 = 0 THEN 'hidden' ELSE 'word ' || i END FROM generate_series(1, 20) i;
      ${
        shard === 'source/a'
          ? ''
          : `DELETE FROM renamed WHERE v = 'hidden'; UPDATE renamed SET v = upper(v);
             ${['parent', 'counted', 'renamed'].map((table) => `DELETE FROM ${table} WHERE (${home('tenant_id')}) <> ${shard === 'target/x'}`).join(';')}`
      }`
    for (const shard of ['source/a', ...targets]) await rig.sql(shard, rows(shard))
  })

  const other = (shard: string) => targets.find((each) => each !== shard)!
  const holder = async (table: string, condition: string) => {
    for (const shard of targets)
      if ((await rig.sql(shard, `SELECT 1 FROM ${table} WHERE ${condition}`)).rowCount) return shard
    throw new Error(`nowhere: ${table} ${condition}`)
  }
  const repairAll = async () => {
    const { mismatches } = await rig.verify()
    assert.ok(mismatches.length > 0)
    assert.deepEqual(await rig.verification.repair(mismatches, taskContext()), [])
    assert.deepEqual((await rig.verify()).mismatches, [])
    return mismatches
  }

  test('every kind of difference, with foreign keys, generated and identity columns, reference tables and transforms', async () => {
    assert.deepEqual((await rig.verify()).mismatches, [])
    const p3 = await holder('parent', 'id = 3')
    const c4 = await holder('counted', `code = 'c4'`)
    const r5 = await holder('renamed', 'id = 5')
    await rig.sql(
      p3,
      `UPDATE parent SET v = 'wrong' WHERE id = 3; UPDATE child SET n = n + 1 WHERE id = (SELECT min(id) FROM child)`,
    )
    await rig.sql(
      other(p3),
      `INSERT INTO parent SELECT 3, 3, 'p3'; DELETE FROM child WHERE id = (SELECT max(id) FROM child); INSERT INTO parent VALUES (1, 999, 'extra')`,
    )
    await rig.sql(c4, `DELETE FROM counted WHERE code = 'c4'; UPDATE counted SET v = '{"a":1.0}'`)
    await rig.sql(other(c4), `INSERT INTO counted OVERRIDING SYSTEM VALUE VALUES (4, 'c4', 4, '{"a":1}')`)
    await rig.sql('target/y', `UPDATE permissions SET name = NULL WHERE id = 2; DELETE FROM permissions WHERE id = 3`)
    await rig.sql(r5, `UPDATE renamed SET v = lower(v) WHERE id = 5; INSERT INTO renamed VALUES (0, 4, 'HIDDEN')`)
    const found = await repairAll()
    for (const kind of ['different', 'missing', 'extra', 'misplaced', 'duplicated']) {
      assert.ok(
        found.some((each) => each.kind === kind),
        `${kind} in ${JSON.stringify(found.map((each) => [each.table.name, each.kind, each.key]))}`,
      )
    }
    assert.equal(await holder('counted', `code = 'c4'`), c4)
  })

  test('a parent that is missing with its children, and one that is too many with its own', async () => {
    const p3 = await holder('parent', 'id = 3')
    await rig.sql(p3, `DELETE FROM parent WHERE id = 3`)
    await rig.sql(
      p3,
      `INSERT INTO parent SELECT tenant_id, 900, 'extra' FROM parent LIMIT 1; INSERT INTO child VALUES (900, 900, 1)`,
    )
    await repairAll()
  })

  test('rows without a key stay as they are, and are said to be different still', async () => {
    await rig.sql('source/a', `INSERT INTO bare VALUES (1, 'a')`)
    const { mismatches } = await rig.verify()
    assert.deepEqual(await rig.verification.repair(mismatches, taskContext()), mismatches)
  })

  test('a stale epoch writes nothing', async () => {
    const p3 = await holder('parent', 'id = 3')
    await rig.sql(
      p3,
      `UPDATE parent SET v = 'wrong' WHERE id = 3; INSERT INTO crossfade.lease_epoch VALUES ('${rigMigration}', 'verify', 7) ON CONFLICT (migration, lease) DO UPDATE SET epoch = 7`,
    )
    const { mismatches } = await rig.verify()
    await assert.rejects(
      rig.verification.repair(mismatches, taskContext()),
      (error: Failure) => error.code === 'CF6006',
    )
    assert.equal((await rig.sql(p3, `SELECT v FROM parent WHERE id = 3`)).rows[0]!.v, 'wrong')
    assert.deepEqual(await rig.verification.repair(mismatches, { ...taskContext(), epoch: asEpoch(7) }), [])
    for (const shard of targets) await rig.sql(shard, `DELETE FROM crossfade.lease_epoch`)
  })

  test('a newer change that is applied just now is not overwritten by an older row', async () => {
    const p3 = await holder('parent', 'id = 3')
    await rig.sql(p3, `UPDATE parent SET v = 'wrong' WHERE id = 3`)
    const { mismatches } = await rig.verify()
    let repaired: Promise<unknown> = Promise.resolve()
    await rig.pools.get(p3)!.withConnection(async (applier) => {
      await applier.query('BEGIN')
      await applier.query(`UPDATE parent SET v = 'newer' WHERE id = 3`)
      repaired = rig.verification.repair(mismatches, taskContext())
      await new Promise((resolve) => setTimeout(resolve, 80))
      // The repair waits for the row; what it saw of the source before is old by now.
      await rig.sql('source/a', `UPDATE parent SET v = 'newer' WHERE id = 3`)
      await applier.query('COMMIT')
    })
    assert.deepEqual(await repaired, [])
    assert.equal((await rig.sql(p3, `SELECT v FROM parent WHERE id = 3`)).rows[0]!.v, 'newer')
  })

  test('what it writes carries the mark, so that it does not flow back', async () => {
    const p3 = await holder('parent', 'id = 3')
    await rig.sql(p3, `SELECT pg_create_logical_replication_slot('repair_marks', 'test_decoding')`)
    await rig.sql(p3, `UPDATE parent SET v = 'wrong' WHERE id = 3`)
    await repairAll()
    const { rows } = await rig.sql(p3, `SELECT data FROM pg_logical_slot_get_changes('repair_marks', NULL, NULL)`)
    await rig.sql(p3, `SELECT pg_drop_replication_slot('repair_marks')`)
    const text = rows.map((row) => row.data as string)
    const at = text.findIndex((line) => line.includes(`v[text]:'p3'`))
    assert.ok(at > 0, text.join('\n'))
    const begin = text.slice(0, at).findLastIndex((line) => line.startsWith('BEGIN'))
    assert.ok(
      text.slice(begin, at).some((line) => line.includes('prefix: crossfade.applied') && line.includes(rigMigration)),
      text.join('\n'),
    )
  })
})
