import { afterEach, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { ChangeLimits } from '@crossfade/pipeline/resolved-plan.ts'
import { RandomWriter, writerForeignKeysSql, writerSql, writerTables } from './random-writer.ts'
import { hashTopology, type SinkBench, seededRandom, startSinkBench, testSeed } from './sink-testing.ts'

const benches: SinkBench[] = []
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close()
})

async function shardedBench(sources: number, targets: number, changes: Partial<ChangeLimits> = {}): Promise<SinkBench> {
  const bench = await startSinkBench({
    sourceCluster: await sharedTestCluster(),
    sources,
    targets,
    ...(sources > 1 ? { sourceTopology: hashTopology(32) } : {}),
    ...(targets > 1 ? { targetTopology: hashTopology(48) } : {}),
    tables: writerTables,
    changes,
    sourceSql: writerSql + writerForeignKeysSql,
    targetSql: writerSql,
  })
  benches.push(bench)
  return bench
}

for (const [sources, targets] of [
  [1, 1],
  [1, 3],
  [2, 3],
] as const) {
  test(`D08, D15: random changes of ${sources} shards arrive on ${targets}, exactly`, async (context) => {
    const seed = testSeed()
    context.diagnostic(`CROSSFADE_SEED=${seed}`)
    const bench = await shardedBench(sources, targets)
    const shards = bench.plan.source.shards
    const streams = shards.map((shard) => bench.follow(shard.id))
    const writers = shards.map(
      (shard, ordinal) =>
        new RandomWriter({
          random: seededRandom(seed + ordinal),
          shard: shard.id,
          ordinal,
          topology: bench.plan.source.topology,
        }),
    )
    for (let round = 0; round < 6; round += 1) {
      await Promise.all(
        writers.map((writer, ordinal) => writer.write(bench.sources[ordinal]!, round % 2 === 0 ? 5 : 120)),
      )
      for (const [ordinal, shard] of shards.entries()) await bench.caughtUp(shard.id, streams[ordinal]!)
      await bench.assertEqual()
    }
  })
}

for (const [sources, targets] of [
  [1, 1],
  [2, 3],
] as const) {
  test(`D15, D17: sessions killed at random lose and repeat nothing, ${sources} to ${targets}`, async (context) => {
    const seed = testSeed()
    context.diagnostic(`CROSSFADE_SEED=${seed}`)
    const bench = await shardedBench(sources, targets, { batchRowsMax: 9 })
    const random = seededRandom(seed)
    const shards = bench.plan.source.shards
    const streams = shards.map((shard) => bench.follow(shard.id))
    const writers = shards.map(
      (shard, ordinal) =>
        new RandomWriter({
          random: seededRandom(seed + ordinal),
          shard: shard.id,
          ordinal,
          topology: bench.plan.source.topology,
        }),
    )
    let epoch = 1
    for (let round = 0; round < 4; round += 1) {
      let writing = true
      const written = Promise.all(writers.map((writer, ordinal) => writer.write(bench.sources[ordinal]!, 80))).finally(
        () => {
          writing = false
        },
      )
      const disturbed = (async () => {
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
            streams[ordinal] = bench.follow(shards[ordinal]!.id, ++epoch)
          }
        }
      })()
      await written
      await disturbed
      for (const [ordinal, shard] of shards.entries()) await bench.caughtUp(shard.id, streams[ordinal]!)
      await bench.assertEqual()
    }
  })
}
