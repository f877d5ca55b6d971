import { after, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { RandomWriter, writerForeignKeysSql, writerSql, writerTables } from './random-writer.ts'
import { hashTopology, type SinkBench, seededRandom, startSinkBench, testSeed } from './sink-testing.ts'

const benches: SinkBench[] = []
after(async () => {
  for (const bench of benches) await bench.close()
})

async function shardedBench(sources: number, targets: number): Promise<SinkBench> {
  const bench = await startSinkBench({
    sourceCluster: await sharedTestCluster(),
    sources,
    targets,
    ...(sources > 1 ? { sourceTopology: hashTopology(32) } : {}),
    ...(targets > 1 ? { targetTopology: hashTopology(48) } : {}),
    tables: writerTables,
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
