import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import { compareText } from './compare-text.ts'
import { hashText } from './hash-text.ts'
import { owner } from './owner.ts'
import { route, shardsOf } from './route.ts'
import type { Routing } from './routing.ts'
import { keyExpressionSql, keyJoinSql, renameRoute } from './table-key.ts'
import type { TableRoute } from './table-route.ts'
import type { Topology } from './topology.ts'
import { topologyProblems } from './validate-topology.ts'

const [a, b, c] = ['target/a', 'target/b', 'target/c'].map(asShardId) as [never, never, never]

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown.code
    throw thrown
  }
  return 'none'
}

test('hashText gives what PostgreSQL prints for known texts', () => {
  assert.equal(hashText(''), -1477818771)
  assert.equal(hashText('a'), 1075015857)
})

test('compareText orders by UTF-8 bytes, also beyond the basic plane', () => {
  assert.ok('\u{1F600}' < '\uFFFD', 'UTF-16 order is the other way round')
  assert.ok(compareText('\u{1F600}', '\uFFFD') > 0)
  const texts = ['', 'a', 'ab', 'b', 'é', 'z', '\uE000', '\uFFFD', '\u{10000}', '\u{1F600}', '\u{10FFFF}', '中']
  for (const left of texts) {
    for (const right of texts) {
      assert.equal(Math.sign(compareText(left, right)), Buffer.compare(Buffer.from(left), Buffer.from(right)))
    }
  }
})

test('route: integer ranges keep every digit of keys beyond 2^53', () => {
  const topology: Topology = {
    kind: 'range',
    order: 'integer',
    ranges: [
      { shard: a, from: null, to: '9007199254740993' },
      { shard: b, from: '9007199254740993', to: null },
    ],
  }
  assert.equal(route(topology, '9007199254740992'), a)
  assert.equal(route(topology, '9007199254740993'), b)
  assert.equal(route(topology, '-170141183460469231731687303715884105728'), a)
  assert.equal(route(topology, '5'), a)
  for (const key of ['1e3', '5.0', ' 5', '', 'NaN', '+5'])
    assert.equal(
      codeOf(() => route(topology, key)),
      'CF2803',
      key,
    )
})

test('route: a key in a gap, an unlisted key and a missing key are coded failures', () => {
  const gap: Topology = {
    kind: 'range',
    order: 'text',
    ranges: [
      { shard: a, from: 'a', to: 'm' },
      { shard: b, from: 'n', to: null },
    ],
  }
  assert.equal(route(gap, 'lz'), a)
  assert.equal(
    codeOf(() => route(gap, 'm')),
    'CF2802',
  )
  assert.equal(
    codeOf(() => route(gap, 'A')),
    'CF2802',
  )
  const hash: Topology = { kind: 'hash', buckets: 4, ranges: [] }
  assert.equal(
    codeOf(() => route(hash, 'x')),
    'CF2802',
  )
  const directory: Topology = { kind: 'directory', entries: { x: a }, otherwise: null }
  assert.equal(route(directory, 'x'), a)
  assert.equal(
    codeOf(() => route(directory, 'constructor')),
    'CF2802',
  )
  assert.equal(
    codeOf(() => route(directory, null)),
    'CF2801',
  )
  assert.equal(route({ ...directory, otherwise: b }, 'toString'), b)
  assert.equal(
    codeOf(() => route({ ...directory, otherwise: b }, null)),
    'CF2801',
  )
  assert.equal(route({ kind: 'single', shard: c }, null), c)
})

test('owner: the unit decides the side, the target topology the shard, and fences are per unit', () => {
  const one = asShardId('source/1')
  const two = asShardId('source/2')
  const routing: Routing = {
    epoch: 7,
    source: {
      kind: 'range',
      order: 'integer',
      ranges: [
        { shard: one, from: null, to: '100' },
        { shard: two, from: '100', to: null },
      ],
    },
    target: { kind: 'directory', entries: { '1': a, '2': b }, otherwise: c },
    authority: { [one]: 'target', [two]: 'source' },
    fenced: [two],
  }
  assert.deepEqual(owner(routing, '2'), { unit: one, side: 'target', shard: b, fenced: false })
  assert.deepEqual(owner(routing, '3'), { unit: one, side: 'target', shard: c, fenced: false })
  assert.deepEqual(owner(routing, '200'), { unit: two, side: 'source', shard: two, fenced: true })
  assert.equal(
    codeOf(() => owner({ ...routing, authority: {} }, '2')),
    'CF2804',
  )
})

test('topologyProblems: two targets that overlap are named with the buckets they share', () => {
  assert.deepEqual(
    topologyProblems(
      {
        kind: 'hash',
        buckets: 30,
        ranges: [
          { shard: a, from: 0, to: 20 },
          { shard: b, from: 10, to: 30 },
        ],
      },
      [a, b],
    ),
    ['buckets 10..20 belong to both target/a and target/b'],
  )
})

test('topologyProblems: gaps, empty and outside ranges, unknown and idle shards', () => {
  assert.deepEqual(
    topologyProblems(
      {
        kind: 'hash',
        buckets: 10,
        ranges: [
          { shard: a, from: 2, to: 4 },
          { shard: b, from: 6, to: 6 },
        ],
      },
      [a, c],
    ),
    [
      'target/b: buckets 6..6 hold nothing',
      'buckets 0..2 belong to no shard',
      'buckets 4..10 belong to no shard',
      'target/b is not a shard of this side',
      'target/c owns no key',
    ],
  )
  assert.deepEqual(topologyProblems({ kind: 'hash', buckets: 0, ranges: [] }, []), [
    'the number of buckets must be between 1 and 1048576, not 0',
  ])
  assert.deepEqual(
    topologyProblems(
      {
        kind: 'hash',
        buckets: 4,
        ranges: [
          { shard: a, from: 0, to: 4 },
          { shard: b, from: 2, to: 9 },
        ],
      },
      [a, b],
    ),
    ['target/b: buckets 2..9 lie outside 0..4'],
  )
})

test('topologyProblems: ranges of integers and of texts', () => {
  const ranges = [
    { shard: a, from: null, to: '9' },
    { shard: b, from: '10', to: null },
  ]
  assert.deepEqual(topologyProblems({ kind: 'range', order: 'integer', ranges }, [a, b]), [
    'keys "9".."10" belong to no shard',
  ])
  assert.deepEqual(topologyProblems({ kind: 'range', order: 'text', ranges }, [a, b]), [
    'keys "10".."9" belong to both target/a and target/b',
  ])
  assert.deepEqual(
    topologyProblems({ kind: 'range', order: 'integer', ranges: [{ shard: a, from: 'x', to: null }] }, [a]),
    ['target/a: "x" is not an integer'],
  )
  assert.deepEqual(
    topologyProblems({ kind: 'range', order: 'text', ranges: [{ shard: a, from: null, to: null }] }, [a]),
    [],
  )
  assert.deepEqual(topologyProblems({ kind: 'range', order: 'text', ranges: [] }, []), [
    'keys the start..the end belong to no shard',
  ])
})

test('shardsOf names each shard once', () => {
  assert.deepEqual(shardsOf({ kind: 'directory', entries: { x: a, y: a }, otherwise: b }), [a, b])
})

const throughParents: TableRoute = {
  kind: 'parent',
  column: 'channel "id"',
  parent: { schema: 'public', name: 'channels' },
  parentColumn: 'id',
  then: { kind: 'column', column: 'tenant_id' },
}

test('keyExpressionSql and keyJoinSql go through parents, with every name quoted', () => {
  assert.equal(
    keyExpressionSql(throughParents, 't'),
    '(SELECT crossfade_parent_1."tenant_id"::text FROM "public"."channels" AS crossfade_parent_1 WHERE crossfade_parent_1."id" = t."channel ""id""")',
  )
  assert.deepEqual(keyJoinSql(throughParents, 't'), {
    joins: ' LEFT JOIN "public"."channels" AS crossfade_parent_1 ON crossfade_parent_1."id" = t."channel ""id"""',
    expression: 'crossfade_parent_1."tenant_id"::text',
  })
  assert.equal(keyExpressionSql({ kind: 'whole' }, 't'), "''::text")
})

test('renameRoute carries renamed tables and columns along the parents', () => {
  const names = {
    table: (table: { schema: string; name: string }) => ({ ...table, schema: 'moved' }),
    column: (table: { name: string }, column: string) => `${table.name}_${column}`,
  }
  assert.deepEqual(renameRoute(throughParents, { schema: 'public', name: 'configs' }, names), {
    kind: 'parent',
    column: 'configs_channel "id"',
    parent: { schema: 'moved', name: 'channels' },
    parentColumn: 'channels_id',
    then: { kind: 'column', column: 'channels_tenant_id' },
  })
})
