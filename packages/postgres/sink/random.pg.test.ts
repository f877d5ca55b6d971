import { afterEach, type TestContext, test } from 'node:test'
import type { PostgresVersion } from '@crossfade/embedded/binaries.ts'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import type { ChangeLimits } from '@crossfade/pipeline/resolved-plan.ts'
import { routeSql } from '@crossfade/routing/route-sql.ts'
import { keyExpressionSql } from '@crossfade/routing/table-key.ts'
import { quoteTable } from '../connection/quote.ts'
import { chunkId } from '../snapshot/chunks.ts'
import { RandomWriter, writerForeignKeysSql, writerSql, writerTables } from './random-writer.ts'
import { hashTopology, type RunningStream, type SinkBench, startSinkBench } from './sink-testing.ts'

const benches: SinkBench[] = []
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close()
})

interface Variant {
  readonly name: string
  readonly sources: number
  readonly targets: number
  /** Writes happen on the target and flow back. */
  readonly reverse?: boolean
  readonly text?: boolean
  /** The applied side has the foreign keys too, and the applier is nobody special. */
  readonly watched?: boolean
  readonly sourceVersion?: PostgresVersion
  readonly changes?: Partial<ChangeLimits>
}

async function start(variant: Variant): Promise<SinkBench> {
  const cluster = await sharedTestCluster()
  const role = `applier_${process.pid}`
  if (variant.watched) await cluster.createRole(role).catch(() => {})
  const everything = writerSql + writerForeignKeysSql
  const bench = await startSinkBench({
    sourceCluster: variant.sourceVersion ? await sharedTestCluster(variant.sourceVersion) : cluster,
    targetCluster: cluster,
    sources: variant.sources,
    targets: variant.targets,
    ...(variant.sources > 1 ? { sourceTopology: hashTopology(32) } : {}),
    ...(variant.targets > 1 ? { targetTopology: hashTopology(48) } : {}),
    tables: variant.text ? writerTables.map((table) => ({ ...table, binary: false })) : writerTables,
    sourceSql: everything,
    targetSql: variant.watched || variant.reverse ? everything : writerSql,
    reverse: variant.reverse ?? false,
    ...(variant.changes ? { changes: variant.changes } : {}),
    ...(variant.watched ? { applier: { user: role } } : {}),
  })
  benches.push(bench)
  return bench
}

/** The side that is written to, its streams and its writers. */
function writersOf(bench: SinkBench, variant: Variant, seed: number) {
  const side = variant.reverse ? ('target' as const) : ('source' as const)
  const { shards, topology } = bench.plan[side]
  const clients = shards.map((shard) => bench.clients.get(shard.id)!)
  const writers = shards.map(
    (shard, ordinal) => new RandomWriter({ random: seededRandom(seed + ordinal), shard: shard.id, ordinal, topology }),
  )
  return {
    shards,
    write: (count: number) => Promise.all(writers.map((writer, ordinal) => writer.write(clients[ordinal]!, count))),
    caughtUp: async (streams: readonly RunningStream[]) => {
      for (const [ordinal, shard] of shards.entries()) await bench.caughtUp(shard.id, streams[ordinal]!)
    },
  }
}

function seedOf(context: TestContext): number {
  const seed = testSeed()
  context.diagnostic(`CROSSFADE_SEED=${seed}`)
  return seed
}

const variants: readonly Variant[] = [
  { name: '1 to 1', sources: 1, targets: 1 },
  { name: '1 to 3', sources: 1, targets: 3 },
  { name: '2 to 3', sources: 2, targets: 3 },
  { name: '2 to 3 in text', sources: 2, targets: 3, text: true },
  { name: '3 back to 2', sources: 2, targets: 3, reverse: true },
  { name: '2 to 3, foreign keys on the target, applied by a plain role', sources: 2, targets: 3, watched: true },
  { name: '1 to 1 from PostgreSQL 14', sources: 1, targets: 1, sourceVersion: 14 },
]

for (const variant of variants) {
  test(`D08, D15: random changes arrive exactly: ${variant.name}`, async (context) => {
    const seed = seedOf(context)
    const bench = await start(variant)
    const { shards, write, caughtUp } = writersOf(bench, variant, seed)
    const streams = shards.map((shard) => bench.follow(shard.id))
    for (const transactions of [5, 120, 5]) {
      await write(transactions)
      await caughtUp(streams)
      await bench.assertEqual(variant.reverse ? 'target' : 'source')
    }
  })
}

for (const variant of [
  { name: '1 to 1', sources: 1, targets: 1 },
  { name: '2 to 3', sources: 2, targets: 3 },
  { name: '2 to 3, in order', sources: 2, targets: 3, watched: true },
]) {
  test(`D15, D17: sessions killed at random lose and repeat nothing: ${variant.name}`, async (context) => {
    const seed = seedOf(context)
    const bench = await start({ ...variant, changes: { batchRowsMax: 9 } })
    const random = seededRandom(seed)
    const { shards, write, caughtUp } = writersOf(bench, variant, seed)
    const streams = shards.map((shard) => bench.follow(shard.id))
    let epoch = 1
    for (let round = 0; round < 3; round += 1) {
      let writing = true
      const written = write(80).finally(() => {
        writing = false
      })
      while (writing) {
        await new Promise((resolve) => setTimeout(resolve, random() * 60))
        const clients = [...bench.clients.values()]
        const client = clients[Math.floor(random() * clients.length)]!
        await client.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name IN ('crossfade apply', 'crossfade follow', 'crossfade look up') AND random() < 0.7`,
        )
        if (random() < 0.2) {
          const ordinal = Math.floor(random() * shards.length)
          await streams[ordinal]!.stop()
          epoch += 1
          streams[ordinal] = bench.follow(shards[ordinal]!.id, epoch)
        }
      }
      await written
      await caughtUp(streams)
      await bench.assertEqual()
    }
  })
}

for (const { seed: fixed, ...variant } of [
  { name: '1 to 1', sources: 1, targets: 1 },
  { name: '2 to 3', sources: 2, targets: 3 },
  { name: '2 to 3, a parent was looked up where it belongs later', sources: 2, targets: 3, seed: 151 },
  { name: '2 to 3, a batch holds the end of the copy', sources: 2, targets: 3, seed: 156 },
]) {
  test(`D09: changes replayed under a later copy converge, exactly where rows have no identity: ${variant.name}`, async (context) => {
    const seed = fixed ?? seedOf(context)
    const bench = await start({ ...variant, changes: { batchRowsMax: 40 } })
    const { shards, write, caughtUp } = writersOf(bench, variant, seed)
    await write(150)
    for (const [ordinal, shard] of shards.entries()) await copyAll(bench, shard.id, ordinal === 0)
    await write(40)
    const streams = shards.map((shard) => bench.follow(shard.id))
    await caughtUp(streams)
    await bench.assertEqual()
  })
}

/** Copies every row of a source to where it belongs, and leaves the checkpoints that the copy would. */
async function copyAll(bench: SinkBench, shard: ShardId, reference: boolean): Promise<void> {
  const source = bench.clients.get(shard)!
  const { rows } = await source.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn')
  for (const table of bench.plan.tables) {
    if (table.route.kind === 'reference' && !reference) continue
    const name = quoteTable(table.source)
    for (const target of bench.plan.target.shards) {
      const here = routeSql(bench.plan.target.topology, keyExpressionSql(table.route, 't'))
      const where = table.route.kind === 'reference' ? '' : `WHERE ${here} = '${target.id}'`
      const found = await source.query<Record<string, string>>(`SELECT t.*::text AS row FROM ${name} AS t ${where}`)
      const client = bench.clients.get(target.id)!
      await client.query(`INSERT INTO ${name} SELECT (r::${name}).* FROM unnest($1::text[]) AS r`, [
        found.rows.map((each) => each['row']),
      ])
      await client.query('INSERT INTO crossfade.chunk_done VALUES ($1, $2, 1, 0, 0, $3)', [
        bench.migration,
        chunkId(shard, table.source, 1),
        rows[0]!.lsn,
      ])
    }
  }
}
