import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Failure } from '@crossfade/model/failure.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import { hashBucket } from '@crossfade/routing/hash-text.ts'
import { canonicalJson } from './canonical.ts'
import { guessTopology } from './draft-topology.ts'
import { cutoverLimits, resolveGates, throttleLimits } from './limits.ts'
import { bytes, formatBytes, formatCount, formatDuration, milliseconds } from './quantity.ts'
import { shapeOf, topologyOf } from './sides.ts'
import { findTable, parseTableName, tablePattern, writeTableName } from './table-pattern.ts'
import { catalogTable } from './testing/catalog.ts'

test('quantities are read and written', () => {
  assert.equal(milliseconds('1.5 s'), 1500)
  assert.equal(milliseconds('2 h'), 7_200_000)
  assert.equal(bytes('64 MiB'), 67_108_864)
  assert.throws(() => bytes('64 MB'), RangeError)
  assert.deepEqual([0, 1023, 1536, 2 ** 31].map(formatBytes), ['0 B', '1023 B', '1.5 KiB', '2 GiB'])
  assert.deepEqual([5, 999.6, 61_000, 7_260_000, 180_000_000].map(formatDuration), [
    '5 ms',
    '1000 ms',
    '1 min 1 s',
    '2 h 1 min',
    '2 d 2 h',
  ])
  assert.equal(formatCount(1_234_567), '1,234,567')
})

test('names with quotes, dots, blanks, capitals and 63 bytes are read back as they were written', () => {
  const names = ['plain', 'Capitals', 'with blank', 'with.dot', 'with"quote', '*', 'x'.repeat(63), 'ümlaut', '"', '..']
  for (const schema of ['public', 'Other Schema', 'a.b', '"']) {
    for (const name of names) {
      const written = writeTableName({ schema, name })
      const parsed = parseTableName(written)
      assert.deepEqual({ schema: parsed?.schema ?? 'public', name: parsed?.name }, { schema, name }, written)
      assert.ok(tablePattern(written)?.({ schema, name }), written)
    }
  }
  for (const wrong of ['', '.', 'a.', '.a', 'a.b.c', '"a', 'a"b']) assert.equal(parseTableName(wrong), null, wrong)
})

test('a name without schema means public, or the only table of that name', () => {
  const one = catalogTable('t', { columns: [], schema: 'audit' })
  const other = catalogTable('t', { columns: [], schema: 'public' })
  const third = catalogTable('t', { columns: [], schema: 'zoo' })
  assert.equal(findTable([one], 't'), one)
  assert.equal(findTable([one, other], 't'), other)
  assert.equal(findTable([one, third], 't'), undefined)
  assert.equal(findTable([one, third], 'zoo.t'), third)
  assert.equal(findTable([one], 'T'), undefined)
})

function topology(side: Parameters<typeof shapeOf>[1], entries: { key: string; shard: string }[] | null = null) {
  const problems: Failure[] = []
  const made = topologyOf(shapeOf('source', side, '/plan.ts'), entries, (failure) => problems.push(failure))
  return { made, problems: problems.map(({ message }) => message) }
}

test('DM-01: buckets are shared evenly over the shards, or as the plan says', () => {
  const even = topology({
    shards: { a: 'postgres://a', b: 'postgres://b', c: 'postgres://c' },
    topology: { hash: { buckets: 10 } },
  })
  assert.deepEqual(even.made, {
    kind: 'hash',
    buckets: 10,
    ranges: [
      { shard: 'source/a', from: 0, to: 3 },
      { shard: 'source/b', from: 3, to: 6 },
      { shard: 'source/c', from: 6, to: 10 },
    ],
  })
  const owned = topology({
    shards: { a: 'postgres://a', b: 'postgres://b' },
    topology: {
      hash: {
        buckets: 4,
        owners: {
          b: [
            [0, 0],
            [3, 3],
          ],
          a: [[1, 2]],
        },
      },
    },
  })
  assert.deepEqual(owned.problems, [])
})

const topologyMistakes: [string, Parameters<typeof shapeOf>[1], { key: string; shard: string }[] | null, RegExp][] = [
  ['several shards and no topology', { shards: { a: 'x', b: 'y' } }, null, /several shards need a topology/],
  [
    'a gap',
    { shards: { a: 'x' }, topology: { hash: { buckets: 4, owners: { a: [[0, 2]] } } } },
    null,
    /3\.\.4 belong to no shard/,
  ],
  [
    'an overlap',
    { shards: { a: 'x', b: 'y' }, topology: { hash: { buckets: 4, owners: { a: [[0, 2]], b: [[2, 3]] } } } },
    null,
    /belong to both/,
  ],
  ['an unknown shard', { shards: { a: 'x' }, topology: { ranges: [{ shard: 'z' }] } }, null, /z is not a shard/],
  [
    'ranges that are not in order',
    {
      shards: { a: 'x', b: 'y' },
      topology: {
        ranges: [
          { shard: 'a', below: '9' },
          { shard: 'b', below: '5' },
        ],
      },
    },
    null,
    /hold nothing/,
  ],
  [
    'ranges that are no numbers',
    { shards: { a: 'x', b: 'y' }, topology: { ranges: [{ shard: 'a', below: 'm' }, { shard: 'b' }] } },
    null,
    /not an integer/,
  ],
  [
    'a directory that names an unknown shard',
    { shards: { a: 'x' }, topology: { directory: { table: 't', keyColumn: 'k', shardColumn: 's' } } },
    [{ key: '1', shard: 'q' }],
    /q is not a shard/,
  ],
  [
    'an empty directory',
    { shards: { a: 'x' }, topology: { directory: { table: 't', keyColumn: 'k', shardColumn: 's' } } },
    [],
    /lists no key/,
  ],
]
for (const [what, side, entries, says] of topologyMistakes) {
  test(`a topology is refused: ${what}`, () => {
    const { made, problems } = topology(side, entries)
    assert.equal(made, null)
    assert.match(problems.join('\n'), says)
  })
}

test('cutover groups: together, each, or as the plan says; mistakes are named', () => {
  const shards = ['a', 'b', 'c'].map((name) => asShardId(`source/${name}`))
  const groups = (given: NonNullable<Parameters<typeof cutoverLimits>[0]['groups']>) => {
    const problems: string[] = []
    const limits = cutoverLimits({ groups: given }, shards, '/p', ({ code, message }) =>
      problems.push(`${code} ${message}`),
    )
    return { groups: limits.groups, problems }
  }
  assert.deepEqual(groups('together').groups, [shards])
  assert.deepEqual(
    groups('each').groups,
    shards.map((shard) => [shard]),
  )
  assert.deepEqual(groups([['b'], ['a', 'source/c']]).problems, [])
  assert.match(groups([['a'], ['b']]).problems[0]!, /^CF1002 .*source\/c would never move/)
  assert.match(groups([['a', 'b', 'c'], ['a']]).problems[0]!, /^CF1002 .*a is in two groups/)
  assert.match(groups([['a', 'b', 'x']]).problems[0]!, /^CF1017 .*the shard x/)
})

test('gates have defaults, and what the plan says for a stage replaces them', () => {
  const none = resolveGates({}, 1000, [], () => assert.fail())
  assert.deepEqual(
    none.map(({ stage, kind }) => `${stage} ${kind}`),
    ['shadow lag', 'live lag', 'live verified', 'complete manual'],
  )
  const own = resolveGates(
    { live: [], rampdown: [{ kind: 'query', sql: 'SELECT 1', limit: 0 }] },
    1000,
    [asShardId('source/a')],
    () => assert.fail(),
  )
  assert.deepEqual(
    own.map(({ stage, kind }) => `${stage} ${kind}`),
    ['shadow lag', 'rampdown query', 'complete manual'],
  )
  const problems: string[] = []
  resolveGates({ live: [{ kind: 'query' }, { kind: 'http' }] }, 1000, [], ({ message }) => problems.push(message))
  assert.deepEqual(
    problems.map((message) => /at (\S+):/.exec(message)?.[1]),
    ['gates.live[0].sql', 'gates.live[1].url'],
  )
})

test('DM-15: windows are read; a cron expression or time zone that is none is named', () => {
  const problems: string[] = []
  const windows = (list: NonNullable<Parameters<typeof throttleLimits>[0]['windows']>) =>
    throttleLimits({ windows: list }, [], ({ message }) => problems.push(message)).windows
  assert.deepEqual(windows([{ cron: '0 22 * * 1-5', timezone: 'Europe/Berlin', durationMs: '8 h' }]), [
    { cron: '0 22 * * 1-5', timezone: 'Europe/Berlin', durationMs: 28_800_000 },
  ])
  assert.deepEqual(problems, [])
  windows([
    { cron: '0 22 * * 1-5', timezone: 'Mars/Olympus', durationMs: 1 },
    { cron: 'every night', durationMs: 1 },
  ])
  assert.match(problems[0]!, /windows\[0\]\.timezone.*Mars\/Olympus/)
  assert.match(problems[1]!, /windows\[1\]\.cron.*five fields/)
})

test('canonical JSON does not depend on the order in which a value was built', () => {
  assert.equal(canonicalJson({ b: [1, { d: 2, c: undefined }], a: null }), canonicalJson({ a: null, b: [1, { d: 2 }] }))
  assert.notEqual(canonicalJson([1, 2]), canonicalJson([2, 1]))
})

test('DM-12: the rule by which keys are spread is found from the keys', () => {
  const keys = Array.from({ length: 400 }, (_, index) => `tenant-${index}`)
  const byHash = (buckets: number, shard: number) =>
    keys.filter((key) => Math.floor((hashBucket(key, buckets) * 2) / buckets) === shard)
  const hashed = guessTopology(
    new Map([
      ['a', byHash(256, 0)],
      ['b', byHash(256, 1)],
    ]),
  )
  assert.ok(hashed && 'hash' in hashed)
  const numbered = guessTopology(
    new Map([
      ['b', ['500', '70000']],
      ['a', ['-3', '499']],
    ]),
  )
  assert.deepEqual(numbered, { ranges: [{ shard: 'a', below: '500' }, { shard: 'b' }], order: 'integer' })
  const mixed = guessTopology(
    new Map([
      ['a', keys.filter((_, index) => index % 3 === 0)],
      ['b', keys.filter((_, index) => index % 3 !== 0)],
    ]),
  )
  assert.equal(mixed, null)
})
