import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { routeSql } from '@crossfade/routing/route-sql.ts'
import fc from 'fast-check'
import { evenHash, testTable } from '../testing/plan.ts'
import { createVerification } from './plane.ts'
import { makeRig, type Rig, rigMigration, taskContext } from './verify-testing.ts'

const seed = testSeed()
const runs = 120

/** Values that are easily taken for one another. */
const domains: Readonly<Record<string, readonly (string | null)[]>> = {
  text: [null, '', 'a', 'A', 'a ', 'ä', '\\', 'NULL', '1', '1.0'],
  'varchar(10)': [null, '', 'a', 'a '],
  int: [null, '0', '1', '-1'],
  bigint: [null, '0', '9223372036854775807', '-9223372036854775808'],
  numeric: [null, '0', '0.0', '1', '1.0', '1.00', 'NaN', 'Infinity', '-Infinity', '1e30'],
  'numeric(10,2)': [null, '0', '1', '1.01', 'NaN'],
  float8: [null, '0', '-0', '1', '1.0000000000000002', 'NaN', 'Infinity'],
  float4: [null, '0', '-0', '1.1'],
  boolean: [null, 't', 'f'],
  bytea: [null, '\\x', '\\x00', '\\x0000'],
  timestamptz: [null, '2020-01-01 00:00:00Z', '2020-01-01 00:00:00.000001Z', 'infinity'],
  date: [null, '2020-01-01', 'infinity'],
  interval: [null, '1 day', '24 hours', '1 mon', '30 days'],
  json: [null, '{}', '{ }', 'null', '{"a":1}', '{"a":1.0}'],
  jsonb: [null, '{}', 'null', '{"a":1}', '{"a":1.0}', '{"a":null}'],
  'int[]': [null, '{}', '{1}', '[0:0]={1}', '{{1}}', '{NULL}'],
  'text[]': [null, '{}', '{NULL}', '{"NULL"}', '{""}'],
  int4range: [null, 'empty', '[1,2)', '[1,)', '(,)'],
  mood: [null, 'sad', 'ok'],
  uuid: [null, '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000001'],
}
const types = Object.keys(domains)

const caseArbitrary = fc
  .record({
    key: fc.constantFrom('int', 'text', 'composite', 'none'),
    columns: fc.array(fc.constantFrom(...types), { minLength: 1, maxLength: 5 }),
    rows: fc.integer({ min: 0, max: 25 }),
    targets: fc.integer({ min: 1, max: 3 }),
    chunkRowsMax: fc.constantFrom(3, 1_000),
  })
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      cells: fc.array(fc.nat(), {
        minLength: shape.rows * shape.columns.length,
        maxLength: shape.rows * shape.columns.length,
      }),
      mutations: fc.array(
        fc.record({
          kind: fc.constantFrom('set', 'delete', 'insert', 'copy', 'move', 'swapRows', 'swapColumns'),
          row: fc.nat(30),
          other: fc.nat(30),
          column: fc.nat(10),
          value: fc.nat(),
        }),
        { maxLength: 4 },
      ),
    }),
  )

type Case = typeof caseArbitrary extends fc.Arbitrary<infer T> ? T : never
/** One row: id, tenant, then the columns. */
type Cells = (string | null)[]

describe('DM-04 random tables, random mutations', () => {
  let rig: Rig
  const targets = ['target/x', 'target/y', 'target/z']

  before(async () => {
    rig = await makeRig({
      cluster: await sharedTestCluster(),
      source: { kind: 'single', shard: asShardId('source/a') },
      target: evenHash(targets),
      shards: { source: ['source/a'], target: targets },
      schema: `CREATE TYPE mood AS ENUM ('sad', 'ok')`,
      tables: [],
    })
  })
  after(() => rig.close())

  test('what differs is reported, all of it and nothing else', async (t) => {
    t.diagnostic(`CROSSFADE_SEED=${seed}`)
    await fc.assert(
      fc.asyncProperty(caseArbitrary, (each) => check(each)),
      { seed, numRuns: runs },
    )
  })

  async function check({ shape, cells, mutations }: Case): Promise<void> {
    const shards = targets.slice(0, shape.targets)
    const keyed = shape.key !== 'none'
    const names = shape.columns.map((_, index) => `c${index}`)
    const key = {
      int: 'PRIMARY KEY (id)',
      text: 'PRIMARY KEY (label)',
      composite: 'PRIMARY KEY (tenant_id, label)',
      none: '',
    }[shape.key]
    const ddl = `DROP TABLE IF EXISTS t; CREATE TABLE t (id int, label text, tenant_id int, ${shape.columns.map((type, index) => `c${index} ${type}`).join(', ')}${key ? `, ${key}` : ''})`
    const rows: Cells[] = Array.from({ length: shape.rows }, (_, row) => {
      // Without a key rows may be the same.
      const id = keyed ? row : row % 4
      return [
        String(id),
        `k${id}`,
        String(id % 7),
        ...shape.columns.map((type, column) => pick(type, cells[row * shape.columns.length + column]!)),
      ]
    })
    const topology = evenHash(shards)
    for (const shard of ['source/a', ...shards]) await rig.sql(shard, ddl)
    await load('source/a', rows)
    const home = await homes(rows, topology)
    const held = new Map<string, Cells[]>(
      shards.map((shard) => [shard, rows.filter((_, index) => home[index] === shard).map((row) => [...row])]),
    )
    const all = () => [...held.values()].flat()
    for (const mutation of mutations) {
      const row = all()[mutation.row % Math.max(1, all().length)]
      const other = all()[mutation.other % Math.max(1, all().length)]
      const from = shards.find((shard) => held.get(shard)!.includes(row!))
      const to = shards[mutation.other % shards.length]!
      const column = 3 + (mutation.column % shape.columns.length)
      if (mutation.kind === 'insert')
        held.get(to)!.push(['900', 'k900', '5', ...shape.columns.map((type) => pick(type, mutation.value))])
      else if (!row || !other || !from) continue
      else if (mutation.kind === 'set') row[column] = pick(shape.columns[column - 3]!, mutation.value)
      else if (mutation.kind === 'delete')
        held.set(
          from,
          held.get(from)!.filter((each) => each !== row),
        )
      else if (mutation.kind === 'copy' && to !== from) held.get(to)!.push([...row])
      else if (mutation.kind === 'move') {
        held.set(
          from,
          held.get(from)!.filter((each) => each !== row),
        )
        held.get(to)!.push(row)
      } else if (mutation.kind === 'swapRows') [row[column], other[column]] = [other[column]!, row[column]!]
      else if (mutation.kind === 'swapColumns') {
        const second = shape.columns.findIndex(
          (type, index) => type === shape.columns[column - 3] && index !== column - 3,
        )
        if (second >= 0) [row[column], row[second + 3]] = [row[second + 3]!, row[column]!]
      }
    }
    for (const shard of shards) {
      const mine = held.get(shard)!
      // A key can be on a shard only once.
      const once = keyed ? mine.filter((row, index) => mine.findIndex((each) => each[0] === row[0]) === index) : mine
      await load(shard, once)
    }
    const expected = await truth(shards, topology, names, keyed)
    const found = await verify(shards, shape)
    const context = JSON.stringify({ shape, mutations })
    if (keyed) {
      const label = (each: { key: Readonly<Record<string, string | null>> }) =>
        each.key['label'] ?? `k${each.key['id']}`
      assert.deepEqual([...new Set(found.map(label))].sort(), expected, context)
      assert.equal(found.length, new Set(found.map((each) => JSON.stringify(each.key))).size, context)
    } else assert.equal(found.length > 0, expected.length > 0, context)
  }

  async function load(shard: string, rows: readonly Cells[]): Promise<void> {
    if (rows.length === 0) return
    const width = rows[0]!.length
    const types = (
      await rig.sql(
        shard,
        `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum`,
      )
    ).rows.map((row) => row.type as string)
    const values = rows.map(
      (_, row) => `(${types.map((type, column) => `$${row * width + column + 1}::${type}`).join(', ')})`,
    )
    await rig.sql(shard, `INSERT INTO t VALUES ${values.join(', ')}`, rows.flat())
  }

  async function homes(rows: readonly Cells[], topology: ReturnType<typeof evenHash>): Promise<string[]> {
    if (rows.length === 0) return []
    const { rows: found } = await rig.sql(
      'source/a',
      `SELECT ${routeSql(topology, 'k')} AS shard FROM unnest($1::text[]) WITH ORDINALITY AS u(k, n) ORDER BY n`,
      [rows.map((row) => row[2])],
    )
    return found.map((row) => row.shard as string)
  }

  /** What a plain comparison of everything as text says: keys (or rows) that are not the same on both sides, or not where they belong. */
  async function truth(
    shards: readonly string[],
    topology: ReturnType<typeof evenHash>,
    names: readonly string[],
    keyed: boolean,
  ): Promise<string[]> {
    const read = async (shard: string) =>
      (
        await rig.sql(
          shard,
          `SELECT label, jsonb_build_array(id::text, tenant_id::text, ${names.map((name) => `${name}::text`).join(', ')})::text AS row, ${routeSql(topology, 'tenant_id::text')} AS home FROM t`,
        )
      ).rows
    const balance = new Map<string, Map<string, number>>()
    const wrong = new Set<string>()
    const add = (label: string, row: string, by: number) => {
      const id = keyed ? label : row
      const entry = balance.get(id) ?? new Map<string, number>()
      balance.set(id, entry.set(row, (entry.get(row) ?? 0) + by))
    }
    for (const row of await read('source/a')) add(row.label as string, row.row as string, 1)
    for (const shard of shards) {
      for (const row of await read(shard)) {
        add(row.label as string, row.row as string, -1)
        if (row.home !== shard) wrong.add(keyed ? (row.label as string) : (row.row as string))
      }
    }
    for (const [id, rows] of balance) if ([...rows.values()].some((count) => count !== 0)) wrong.add(id)
    return [...wrong].sort()
  }

  async function verify(shards: readonly string[], shape: Case['shape']) {
    const table: ResolvedTable = await rig.pools
      .get('source/a')!
      .withConnection((client) =>
        testTable(client, { schema: 'public', name: 't' }, { kind: 'column', column: 'tenant_id' }),
      )
    const plan: ResolvedPlan = {
      ...rig.plan,
      target: {
        topology: evenHash(shards),
        shards: rig.plan.target.shards.filter((shard) => shards.includes(shard.id)),
      },
      tables: [table],
      verification: { ...rig.plan.verification, recheckMs: 1, chunkRowsMax: shape.chunkRowsMax },
    }
    const verification = createVerification({
      plan,
      migration: rigMigration,
      read: (shard, work) => rig.pools.get(shard)!.withConnection(work),
      write: (shard, work) => rig.pools.get(shard)!.withConnection(work),
      authority: async () => 'source',
      applied: null,
      transforms: () => assert.fail('no transform'),
    })
    const found = []
    for (const range of await verification.ranges())
      found.push(...(await verification.verify(range, taskContext())).mismatches)
    return found
  }

  function pick(type: string, at: number): string | null {
    const values = domains[type]!
    return values[at % values.length]!
  }
})
