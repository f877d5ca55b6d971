import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { asShardId, type ShardId } from '@crossfade/model/ids.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import pg from 'pg'
import { compareText } from './compare-text.ts'
import { hashBucket, hashText } from './hash-text.ts'
import { route } from './route.ts'
import { routeSql } from './route-sql.ts'
import { keyExpressionSql, keyJoinSql } from './table-key.ts'
import type { Topology } from './topology.ts'

const seed = testSeed()
const random = seededRandom(seed)
let database: TestDatabase
let client: pg.Client

before(async () => {
  database = await freshDatabase(await sharedTestCluster(), 'routing')
  client = new pg.Client(database.url)
  await client.connect()
})

after(async () => {
  await client?.end()
  await database?.drop()
})

test('DM-01 hashText and hashBucket are PostgreSQL’s hashtext, for 6,000 texts of all lengths and scripts', async () => {
  const texts = Array.from({ length: 6000 }, (_, index) => randomText(index % 200))
  const { rows } = await client.query<{ hash: number; bucket: number }>(
    `SELECT hashtext(t) AS hash, (hashtext(t) & 2147483647) % 1024 AS bucket FROM unnest($1::text[]) WITH ORDINALITY AS u(t, n) ORDER BY n`,
    [texts],
  )
  texts.forEach((text, index) => {
    assert.equal(hashText(text), rows[index]!.hash, JSON.stringify(text))
    assert.equal(hashBucket(text, 1024), rows[index]!.bucket)
  })
})

test('compareText sorts as COLLATE "C" does', async () => {
  const texts = [...new Set(Array.from({ length: 1000 }, () => randomText(4)))]
  const { rows } = await client.query<{ t: string }>(
    `SELECT t FROM unnest($1::text[]) AS u(t) ORDER BY t COLLATE "C"`,
    [texts],
  )
  assert.deepEqual(
    [...texts].sort(compareText),
    rows.map((row) => row.t),
  )
})

const shards = ['target/a', "target/b'\\", 'target/ c', 'target/d'].map(asShardId)

const topologies: Record<string, () => Topology> = {
  single: () => ({ kind: 'single', shard: shards[1]! }),
  hash: () => ({
    kind: 'hash',
    buckets: 97,
    ranges: [
      { shard: shards[0]!, from: 0, to: 20 },
      { shard: shards[1]!, from: 20, to: 50 },
      { shard: shards[0]!, from: 60, to: 97 },
    ],
  }),
  'integer range': () => ({
    kind: 'range',
    order: 'integer',
    ranges: [
      { shard: shards[0]!, from: '-9223372036854775809', to: '0' },
      { shard: shards[1]!, from: '0', to: '9007199254740993' },
      { shard: shards[2]!, from: '9007199254740993', to: '9223372036854775807' },
      { shard: shards[3]!, from: '9223372036854775808', to: null },
    ],
  }),
  'integer range, unsorted and overlapping': () => ({
    kind: 'range',
    order: 'integer',
    ranges: [
      { shard: shards[1]!, from: '0', to: null },
      { shard: shards[0]!, from: null, to: '1000' },
    ],
  }),
  'text range': () => ({
    kind: 'range',
    order: 'text',
    ranges: [
      { shard: shards[0]!, from: '', to: 'b' },
      { shard: shards[1]!, from: 'b', to: '\uFFFD' },
      { shard: shards[2]!, from: '\uFFFD', to: '\u{1F600}' },
      { shard: shards[3]!, from: '\u{1F600}', to: '\u{1F601}' },
    ],
  }),
  'directory, closed': () => ({ kind: 'directory', entries: directoryEntries(), otherwise: null }),
  'directory, open': () => ({ kind: 'directory', entries: directoryEntries(), otherwise: shards[3]! }),
}

for (const [name, make] of Object.entries(topologies)) {
  test(`DM-01 routeSql gives the answers of route: ${name}`, async () => {
    const topology = make()
    const keys: (string | null)[] = [
      null,
      '',
      '0',
      '-0',
      '007',
      '1e3',
      ' 5',
      '5.0',
      'NaN',
      '+5',
      '__proto__',
      'constructor',
      '1\n',
    ]
    for (let n = 0; n < 1500; n += 1) keys.push(randomText(random() * 12), randomInteger())
    for (const bound of ['9007199254740993', '9223372036854775807', '9223372036854775808', '0', '1000']) {
      for (const by of [-1n, 0n, 1n]) keys.push(String(BigInt(bound) + by))
    }
    if (topology.kind === 'directory') keys.push(...Object.keys(topology.entries))
    const { rows } = await client.query<{ shard: string | null }>(
      `SELECT ${routeSql(topology, 'k')} AS shard FROM unnest($1::text[]) WITH ORDINALITY AS u(k, n) ORDER BY n`,
      [keys],
    )
    const seen = new Set<ShardId | null>()
    keys.forEach((key, index) => {
      const expected = routeOrNull(topology, key)
      seen.add(expected)
      assert.equal(rows[index]!.shard, expected, JSON.stringify(key))
    })
    assert.ok(topology.kind === 'single' || seen.size > 1, 'the keys reach more than one answer')
  })
}

test('DM-02 the key of a row is found through two parents, as sub-select and as join', async () => {
  await client.query(`
    CREATE TABLE channels (id bigint PRIMARY KEY, tenant_id uuid);
    CREATE TABLE "Configu""rations" (id bigint PRIMARY KEY, "channel id" bigint);
    CREATE TABLE entries (n int, configuration bigint);
    INSERT INTO channels SELECT n, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(1, 10) n;
    INSERT INTO "Configu""rations" SELECT n, n % 11 FROM generate_series(1, 30) n;
    INSERT INTO entries SELECT n, nullif(n % 31, 0) FROM generate_series(1, 100) n;`)
  const way = {
    kind: 'parent',
    column: 'configuration',
    parent: { schema: 'public', name: 'Configu"rations' },
    parentColumn: 'id',
    then: {
      kind: 'parent',
      column: 'channel id',
      parent: { schema: 'public', name: 'channels' },
      parentColumn: 'id',
      then: { kind: 'column', column: 'tenant_id' },
    },
  } as const
  const { joins, expression } = keyJoinSql(way, 'entries')
  const bySelect = await client.query(`SELECT n, ${keyExpressionSql(way, 'entries')} AS key FROM entries ORDER BY n`)
  const byJoin = await client.query(`SELECT n, ${expression} AS key FROM entries${joins} ORDER BY n`)
  assert.deepEqual(byJoin.rows, bySelect.rows)
  const expected = Array.from({ length: 100 }, (_, index) => {
    const channel = ((index + 1) % 31) % 11
    return { n: index + 1, key: channel === 0 ? null : `00000000-0000-0000-0000-${String(channel).padStart(12, '0')}` }
  })
  assert.deepEqual(bySelect.rows, expected)
})

function routeOrNull(topology: Topology, key: string | null): ShardId | null {
  try {
    return route(topology, key)
  } catch {
    return null
  }
}

function directoryEntries(): Record<string, ShardId> {
  const entries: Record<string, ShardId> = { "quote'\\": shards[1]!, __other__: shards[2]! }
  for (let n = 0; n < 300; n += 1) entries[randomText(3)] = shards[n % 3]!
  return entries
}

function randomText(length: number): string {
  const planes = [
    () => 0x20 + random() * 0x5f,
    () => 0x61 + random() * 26,
    () => 0xa0 + random() * 0x700,
    () => 0x4e00 + random() * 0x5000,
    () => 0xe000 + random() * 0x1fff,
    () => 0x1f600 + random() * 80,
  ]
  const only = random() < 0.5 ? planes[0] : undefined
  let text = ''
  for (let n = 0; n < Math.floor(length); n += 1) {
    const pick = only ?? planes[Math.floor(random() * planes.length)]!
    text += String.fromCodePoint(Math.floor(pick()))
  }
  return text
}

function randomInteger(): string {
  const digits = Math.floor(1 + random() * 22)
  let text = ''
  for (let n = 0; n < digits; n += 1) text += String(Math.floor(random() * 10))
  return String(BigInt(random() < 0.5 ? `-${text}` : text))
}
