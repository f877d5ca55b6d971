// Rows per second that one stream applies from server to server, into tables with primary keys: inserts, and inserts, updates and deletes in equal parts.
// The changes are written first and then followed, so that the source's own writing is not part of the figure.
// Options: --rows N (400000), --rounds N (3), --per-transaction N (100), --text, --json. The last line is one JSON object.
import { parseArgs } from 'node:util'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { sql } from './connection.ts'
import { median } from './median.ts'
import { insertsSql, itemsSql, mixedSql, openStream, requireSameItems } from './one-stream.ts'

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '400000' },
    rounds: { type: 'string', default: '3' },
    'per-transaction': { type: 'string', default: '100' },
    text: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const rows = Number(options.rows)
const rounds = Number(options.rounds)
const perTransaction = Number(options['per-transaction'])

const settings = { shared_buffers: '256MB', max_wal_size: '4GB' }
const clusters: Cluster[] = []
try {
  for (let side = 0; side < 2; side += 1) clusters.push(await startCluster({ version: 18, settings }))
  const runs: { inserts: number[]; mixed: number[] } = { inserts: [], mixed: [] }
  for (let round = 0; round < rounds; round += 1) {
    const rates = await measure(clusters[0]!, clusters[1]!, round)
    runs.inserts.push(rates.inserts)
    runs.mixed.push(rates.mixed)
    if (!options.json) console.log(`round ${round + 1}: ${JSON.stringify(rates)}`)
  }
  console.log(
    JSON.stringify({
      bench: 'apply',
      rows,
      perTransaction,
      format: options.text ? 'text' : 'binary',
      insertsPerSecond: median(runs.inserts),
      mixedPerSecond: median(runs.mixed),
      runs,
    }),
  )
} finally {
  await Promise.all(clusters.map((cluster) => cluster.destroy()))
}

async function measure(source: Cluster, target: Cluster, round: number): Promise<{ inserts: number; mixed: number }> {
  const there = await source.createDatabase(`bench_${round}`)
  const here = await target.createDatabase(`bench_${round}`)
  for (const url of [there, here]) await sql(url, itemsSql)
  const stream = await openStream(there, here, { text: options.text })
  await sql(there, insertsSql(rows, perTransaction))
  const inserts = await stream.follow()
  await sql(there, mixedSql(rows, perTransaction))
  const mixed = await stream.follow()
  await requireSameItems(there, here)
  await stream.drop()
  return { inserts, mixed }
}
