// Rows per second of the verification of two equal tables of about 200 bytes a row, two ranges at a time as one worker does, and how much more memory
// the verifying process takes for a table ten times as large. Options: --rows N (2000000), --rounds N (5), --json. The last line is one JSON object.
import { parseArgs } from 'node:util'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { asEpoch, asShardId, newMigrationId, type ShardId } from '@crossfade/model/ids.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import { createPool } from '@crossfade/postgres/connection/pool.ts'
import { createControlSchema } from '@crossfade/postgres/schema/control-schema.ts'
import { testPlan, testTable } from '@crossfade/postgres/testing/plan.ts'
import { createVerification } from '@crossfade/postgres/verify/plane.ts'
import type pg from 'pg'
import { open } from './connection.ts'
import { median } from './median.ts'

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
})
const rows = Number(options.rows)
const rounds = Number(options.rounds)
/** Ranges that one worker compares at once. */
const jobs = 2
const times = 10
const from = asShardId('source/a')
const to = asShardId('target/0')
const settings = { shared_buffers: '1GB', max_wal_size: '4GB' }

const columnsSql =
  'id bigint PRIMARY KEY, tenant_id uuid NOT NULL, channel_id bigint, status text, amount numeric(12,2), created_at timestamptz, active boolean, note text'
const fillSql = (
  count: number,
) => `INSERT INTO items SELECT n, md5((n % 1000)::text)::uuid, n % 5000, 'status ' || n % 7, (n % 100000) / 100.0,
  timestamptz '2024-01-01' + n * interval '1 second', n % 2 = 0, repeat(md5(n::text), 4) FROM generate_series(1, ${count}) n`

const clusters: Cluster[] = []
try {
  for (let side = 0; side < 2; side += 1) clusters.push(await startCluster({ version: 18, settings }))
  const small = await verifications('small', Math.ceil(rows / times), rounds * times)
  const large = await verifications('large', rows, rounds)
  console.log(
    JSON.stringify({
      benchmark: 'verify',
      rows,
      rowsPerSecond: median(large.rates),
      runs: large.rates,
      memoryGrowthMb: Math.max(0, Math.round(large.peakMb - small.peakMb)),
      residentMb: Math.round(large.peakMb),
    }),
  )
} finally {
  await Promise.all(clusters.map((cluster) => cluster.destroy()))
}

/** Verifies the same tables again and again, once before it counts. Both sizes are done so often that they read as many rows in all. */
async function verifications(
  database: string,
  count: number,
  often: number,
): Promise<{ readonly rates: number[]; readonly peakMb: number }> {
  const urls = await Promise.all(clusters.map((cluster) => cluster.createDatabase(database)))
  const clients = await Promise.all(urls.map(open))
  await Promise.all(
    clients.map(async (client, side) => {
      await createControlSchema(client, side === 0 ? from : to)
      await client.query(`CREATE TABLE items (${columnsSql})`)
      await client.query(fillSql(count))
      await client.query('VACUUM (FREEZE, ANALYZE) items')
    }),
  )
  const table = await testTable(clients[0]!, { schema: 'public', name: 'items' }, { kind: 'whole' })
  await Promise.all(clients.map((client) => client.end()))
  const plan = testPlan({
    source: { topology: { kind: 'single', shard: from }, urls: { [from]: urls[0]! } },
    target: { topology: { kind: 'single', shard: to }, urls: { [to]: urls[1]! } },
    tables: [{ ...table, estimate: { rows: count, bytes: count * 200, pages: Math.ceil(count / 40) } }],
  })
  const pools = new Map(
    [...plan.source.shards, ...plan.target.shards].map((shard) => [
      shard.id,
      createPool({ shard, purpose: 'verify', connectionsMax: jobs * 2 }),
    ]),
  )
  const lend = <T>(shard: ShardId, work: (client: pg.ClientBase) => Promise<T>) =>
    pools.get(shard)!.withConnection(work)
  const verification = createVerification({
    plan,
    migration: newMigrationId(),
    read: lend,
    write: lend,
    authority: async () => 'source',
    applied: null,
    transforms: () => ({ forward: (row) => row, backward: (row) => row }),
  })
  let peakMb = 0
  const watching = setInterval(() => {
    peakMb = Math.max(peakMb, process.memoryUsage.rss() / 2 ** 20)
  }, 20)
  const rates: number[] = []
  for (let round = 0; round <= often; round += 1) {
    const started = performance.now()
    const compared = await verifyAll(verification)
    const rate = Math.round((compared / (performance.now() - started)) * 1_000)
    if (compared !== count) throw new Error(`${compared} of ${count} rows were compared`)
    if (round > 0) rates.push(rate)
    if (round > 0 && !options.json) console.log(`${database} ${round}: ${rate} rows/s, ${Math.round(peakMb)} MB`)
  }
  clearInterval(watching)
  await Promise.all([...pools.values()].map((pool) => pool.end()))
  return { rates, peakMb }
}

async function verifyAll(verification: ReturnType<typeof createVerification>): Promise<number> {
  const context: TaskContext = {
    epoch: asEpoch(1),
    lease: 'bench',
    signal: new AbortController().signal,
    report: () => {},
    throttle: async () => {},
  }
  const ranges = [...(await verification.ranges())]
  let compared = 0
  const job = async () => {
    for (let range = ranges.shift(); range !== undefined; range = ranges.shift()) {
      const result = await verification.verify(range, context)
      if (result.mismatchCount > 0) throw new Error(`${result.mismatchCount} rows differ in equal tables`)
      compared += result.rows
    }
  }
  await Promise.all(Array.from({ length: jobs }, job))
  return compared
}
