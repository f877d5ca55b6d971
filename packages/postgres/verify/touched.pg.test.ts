import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import { asLsn, type Lsn, parseLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import type { ClientBase } from 'pg'
import { evenHash } from '../testing/plan.ts'
import { ComparedTables } from './compared-tables.ts'
import type { Comparison } from './look.ts'
import { TouchedKeys } from './touched.ts'
import { makeRig, type Rig, rigMigration, taskContext } from './verify-testing.ts'

const a = asShardId('source/a')
const tenant = { kind: 'column', column: 'tenant_id' } as const
/** Of the source's position when the test says nothing. */
const at = (value: number) => asLsn(BigInt(value))

describe('touched keys', () => {
  let rig: Rig
  let stop: AbortController
  let slow: ((side: string) => Promise<void>) | null

  before(async () => {
    rig = await makeRig({
      cluster: await sharedTestCluster(),
      source: { kind: 'single', shard: a },
      target: evenHash(['target/x', 'target/y']),
      shards: { source: [a], target: ['target/x', 'target/y'] },
      schema: `CREATE TABLE item (tenant_id int, id int, v text, PRIMARY KEY (tenant_id, id)); CREATE TABLE note (tenant_id int, line text);
        CREATE TABLE shout (tenant_id int, id int PRIMARY KEY, v text)`,
      tables: [
        { name: 'item', route: tenant },
        { name: 'note', route: tenant },
        { name: 'shout', route: tenant, change: (table) => ({ ...table, transform: 'upper' }) },
      ],
      verification: { recheckMs: 5, touchedKeysMax: 50 },
    })
  })
  beforeEach(async () => {
    stop?.abort()
    stop = new AbortController()
    slow = null
    for (const shard of [a, 'target/x', 'target/y']) await rig.sql(shard, 'TRUNCATE item, note, shout')
  })
  after(async () => {
    stop.abort()
    await rig.close()
  })

  const make = () => {
    const read = async <T>(shard: string, work: (client: ClientBase) => Promise<T>): Promise<T> => {
      if (slow) await slow(shard)
      return rig.pools.get(shard)!.withConnection(work)
    }
    const transforms = () => ({
      forward: (row: Readonly<Record<string, string | null>>) => ({ ...row, v: row['v']?.toUpperCase() ?? null }),
      backward: null,
    })
    const comparison: Comparison = { plan: rig.plan, migration: rigMigration, read, applied: async () => zeroLsn }
    const tables = new ComparedTables({ plan: rig.plan, read, transforms })
    return new TouchedKeys({ comparison, tables, from: a, side: 'source', context: taskContext(stop.signal) })
  }
  const [item, note, shout] = [0, 1, 2]
  const table = (ordinal: number) => rig.plan.tables[ordinal]!
  const until = async (holds: () => boolean | Promise<boolean>, what: string) => {
    for (let tries = 0; tries < 6_000; tries++) {
      if (await holds()) return
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    assert.fail(`never: ${what}`)
  }
  const holder = async (tenantId: number) =>
    ((await rig.sql(a, `SELECT (hashtext('${tenantId}') & 2147483647) % 16 < 8 AS x`)).rows[0]!.x as string) === 't'
      ? 'target/x'
      : 'target/y'
  const both = async (text: string, tenantId: number) => {
    await rig.sql(a, text)
    await rig.sql(await holder(tenantId), text)
  }
  const currentLsn = async (): Promise<Lsn> =>
    parseLsn((await rig.sql(a, 'SELECT pg_current_wal_insert_lsn()::text AS lsn')).rows[0]!.lsn as string)

  test('what is equal is proven, and no position before it was compared', async () => {
    const touched = make()
    let moved = 0
    touched.watch(() => {
      moved += 1
    })
    await both(`INSERT INTO item VALUES (1, 1, 'a')`, 1)
    const gates: (() => void)[] = []
    slow = () => new Promise((resolve) => gates.push(resolve))
    void touched.touched(
      table(item),
      [
        ['1', '1'],
        ['1', '2'],
      ],
      at(100),
    )
    touched.applied(at(150))
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(touched.proven(), at(99))
    assert.equal(touched.pending(), 2)
    slow = null
    for (const open of gates) open()
    await until(() => touched.proven() === at(150), 'proven')
    assert.equal(touched.pending(), 0)
    assert.ok(moved > 0)
    touched.applied(at(160))
    assert.equal(touched.proven(), at(160))
  })

  test('a key that is touched again while it is compared is compared again', async () => {
    const touched = make()
    void touched.touched(table(item), [['9', '9']], at(50))
    touched.applied(at(500))
    await until(() => touched.proven() === at(500), 'warm')
    const gates: (() => void)[] = []
    slow = () => new Promise((resolve) => gates.push(resolve))
    void touched.touched(table(item), [['1', '1']], at(200))
    touched.hurry()
    await until(() => gates.length === 3, 'the first look began')
    void touched.touched(table(item), [['1', '1']], at(300))
    await until(() => gates.length === 6, 'the second look began')
    assert.equal(touched.proven(), at(199))
    for (const open of gates.slice(0, 3)) open()
    await until(() => touched.proven() === at(299), 'the first look is over, the second holds it back')
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(touched.proven(), at(299))
    for (const open of gates.slice(3)) open()
    await until(() => touched.proven() === at(500), 'both are over')
  })

  test('D20: what only the lag explains is looked at again and proven, never a mismatch', async () => {
    const touched = make()
    await both(`INSERT INTO item VALUES (2, 1, 'a')`, 2)
    await rig.sql(a, `UPDATE item SET v = 'b' WHERE tenant_id = 2`)
    const lsn = await currentLsn()
    void touched.touched(table(item), [['2', '1']], asLsn(lsn - 10n))
    // The stream has not come to the update: however often it looks, it can't call it a mismatch.
    touched.applied(asLsn(lsn - 5n))
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual(touched.mismatches(), [])
    assert.equal(touched.proven(), lsn - 11n)
    await rig.sql(await holder(2), `UPDATE item SET v = 'b' WHERE tenant_id = 2`)
    touched.applied(lsn)
    await until(() => touched.proven() === lsn, 'proven')
    assert.deepEqual(touched.mismatches(), [])
  })

  test('D01: a difference that stays once the stream has passed is a mismatch, until somebody repairs it', async () => {
    const touched = make()
    await rig.sql(a, `INSERT INTO item VALUES (3, 1, 'a'), (3, 2, 'b')`)
    const shard = await holder(3)
    await rig.sql(shard, `INSERT INTO item VALUES (3, 2, 'x')`)
    void touched.touched(
      table(item),
      [
        ['3', '1'],
        ['3', '2'],
      ],
      at(100),
    )
    const passing = setInterval(
      () =>
        void currentLsn().then(
          (lsn) => touched.applied(lsn),
          () => {},
        ),
      5,
    )
    await until(() => touched.mismatches().length === 2, 'mismatches')
    assert.equal(touched.proven(), at(99))
    const found = [...touched.mismatches()].sort((p, q) => (p.kind < q.kind ? -1 : 1))
    assert.deepEqual(
      found.map((each) => [each.kind, each.key, each.columns]),
      [
        ['different', { tenant_id: '3', id: '2' }, [{ column: 'v', source: 'b', target: 'x' }]],
        ['missing', { tenant_id: '3', id: '1' }, []],
      ],
    )
    await rig.sql(shard, `DELETE FROM item; INSERT INTO item VALUES (3, 1, 'a'), (3, 2, 'b')`)
    await until(() => touched.mismatches().length === 0 && touched.pending() === 0, 'repaired')
    clearInterval(passing)
  })

  test('a row left on another shard is a mismatch', async () => {
    const touched = make()
    await both(`INSERT INTO item VALUES (4, 1, 'a')`, 4)
    const wrong = (await holder(4)) === 'target/x' ? 'target/y' : 'target/x'
    await rig.sql(wrong, `INSERT INTO item VALUES (4, 1, 'a')`)
    void touched.touched(table(item), [['4', '1']], at(100))
    const passing = setInterval(
      () =>
        void currentLsn().then(
          (lsn) => touched.applied(lsn),
          () => {},
        ),
      5,
    )
    await until(() => touched.mismatches().length === 1, 'mismatch')
    clearInterval(passing)
    assert.deepEqual(
      touched.mismatches().map((each) => [each.kind, each.target]),
      [['duplicated', wrong]],
    )
  })

  test('over touchedKeysMax keys the applier waits', async () => {
    const touched = make()
    let open = false
    const gates: (() => void)[] = []
    slow = () => (open ? Promise.resolve() : new Promise((resolve) => gates.push(resolve)))
    const keys = Array.from({ length: 60 }, (_, index) => ['5', String(index)])
    let accepted = false
    const waiting = Promise.resolve(touched.touched(table(item), keys, at(100))).then(() => {
      accepted = true
    })
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(accepted, false)
    open = true
    for (const gate of gates.splice(0)) gate()
    await waiting
    touched.applied(at(100))
    await until(() => touched.proven() === at(100), 'proven')
  })

  test('a database that does not answer for a while: nothing is forgotten', async () => {
    const touched = make()
    await both(`INSERT INTO item VALUES (6, 1, 'a')`, 6)
    slow = async () => {
      throw new Error('gone')
    }
    void touched.touched(table(item), [['6', '1']], at(100))
    touched.applied(at(200))
    await until(() => touched.trouble !== null, 'trouble')
    assert.equal(touched.proven(), at(99))
    slow = null
    await until(() => touched.proven() === at(200), 'proven')
    assert.equal(touched.trouble, null)
  })

  test('a table without identity is compared whole; one with a transform through it', async () => {
    const touched = make()
    await both(`INSERT INTO note VALUES (7, 'n'), (7, 'n')`, 7)
    await rig.sql(a, `INSERT INTO shout VALUES (7, 1, 'quiet'), (7, 2, 'quiet')`)
    await rig.sql(await holder(7), `INSERT INTO shout VALUES (7, 1, 'QUIET'), (7, 2, 'QUIET')`)
    void touched.touched(table(note), [], at(100))
    void touched.touched(table(shout), [['1'], ['2'], ['3']], at(100))
    touched.applied(at(100))
    touched.hurry()
    await until(() => touched.proven() === at(100), 'proven')
    await rig.sql(await holder(7), `INSERT INTO note VALUES (7, 'n'); UPDATE shout SET v = 'quiet' WHERE id = 2`)
    void touched.touched(table(note), [], at(200))
    void touched.touched(table(shout), [['1'], ['2']], at(200))
    const passing = setInterval(
      () =>
        void currentLsn().then(
          (lsn) => touched.applied(lsn),
          () => {},
        ),
      5,
    )
    await until(() => touched.mismatches().length === 2, 'mismatches')
    clearInterval(passing)
    assert.equal(touched.proven(), at(199))
    assert.deepEqual(
      touched
        .mismatches()
        .map((each) => [each.table.name, each.kind])
        .sort(),
      [
        ['note', 'duplicated'],
        ['shout', 'different'],
      ],
    )
  })
})
