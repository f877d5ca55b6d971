// Rows per second that one stream applies from server to server, into tables with primary keys: inserts, and inserts, updates and deletes in equal parts.
// The changes are written first and then followed, so that the source's own writing is not part of the figure.
// Options: --rows N (400000), --rounds N (3), --per-transaction N (100), --text, --json. The last line is one JSON object.
import { parseArgs } from 'node:util'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { asEpoch, asShardId, newMigrationId } from '@crossfade/model/ids.ts'
import { parseLsn } from '@crossfade/model/lsn.ts'
import type { StreamStatus } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { streamName } from '@crossfade/postgres/changes/names.ts'
import { createPublication } from '@crossfade/postgres/changes/publication.ts'
import { createControlSchema } from '@crossfade/postgres/schema/control-schema.ts'
import { createStreams } from '@crossfade/postgres/sink/streams.ts'
import { believingListener } from '@crossfade/postgres/sink/touch-listener.ts'
import { testPlan, testTable } from '@crossfade/postgres/testing/plan.ts'
import pg from 'pg'

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
const from = asShardId('source/a')
const to = asShardId('target/0')

const columnsSql =
  'id bigint PRIMARY KEY, tenant_id uuid, channel_id bigint, status text, amount numeric(12,2), created_at timestamptz, note text'
const values = (id: string) =>
  `${id}, md5((${id} % 1000)::text)::uuid, ${id} % 5000, 'status ' || ${id} % 7, ${id} % 100000 / 100.0, timestamptz '2024-01-01' + ${id} * interval '1 second', md5(${id}::text)`

/** One transaction after the other, each of `perTransaction` rows; `mixed` inserts a third, updates a third and deletes a third. */
const workSql = {
  inserts: `DO $$ BEGIN FOR t IN 0 .. ${Math.ceil(rows / perTransaction) - 1} LOOP
    INSERT INTO items SELECT ${values('g')} FROM generate_series(1 + t * ${perTransaction}::bigint, (t + 1) * ${perTransaction}::bigint) g;
    COMMIT; END LOOP; END $$`,
  mixed: `DO $$ DECLARE n bigint := ${Math.floor(perTransaction / 3)}; base bigint := ${rows}; BEGIN FOR t IN 0 .. ${Math.ceil(rows / perTransaction) - 1} LOOP
    INSERT INTO items SELECT ${values('g')} FROM generate_series(base + 1 + t * n, base + (t + 1) * n) g;
    UPDATE items SET status = 'changed', amount = amount + 1 WHERE id > t * n AND id <= (t + 1) * n;
    DELETE FROM items WHERE id > base / 2 + t * n AND id <= base / 2 + (t + 1) * n;
    COMMIT; END LOOP; END $$`,
} as const

const settings = { shared_buffers: '256MB', max_wal_size: '4GB' }
const clusters: Cluster[] = []
try {
  for (let side = 0; side < 2; side += 1) clusters.push(await startCluster({ version: 18, settings }))
  const figures: Record<string, number[]> = { inserts: [], mixed: [] }
  for (let round = 0; round < rounds; round += 1) {
    const rates = await measure(clusters[0]!, clusters[1]!, round)
    for (const [name, rate] of Object.entries(rates)) figures[name]!.push(rate)
    if (!options.json) console.log(`round ${round + 1}: ${JSON.stringify(rates)}`)
  }
  const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1]!
  console.log(
    JSON.stringify({
      bench: 'apply',
      rows,
      perTransaction,
      format: options.text ? 'text' : 'binary',
      insertsPerSecond: median(figures['inserts']!),
      mixedPerSecond: median(figures['mixed']!),
      runs: figures,
    }),
  )
} finally {
  await Promise.all(clusters.map((cluster) => cluster.destroy()))
}

async function measure(source: Cluster, target: Cluster, round: number): Promise<Record<string, number>> {
  const migration = newMigrationId()
  const name = streamName(migration, 'source', 0)
  const urls = [await source.createDatabase(`bench_${round}`), await target.createDatabase(`bench_${round}`)]
  const clients = await Promise.all(urls.map(open))
  const [there, here] = clients as [pg.Client, pg.Client]
  for (const client of clients) {
    await createControlSchema(client, from)
    await client.query(`CREATE TABLE items (${columnsSql})`)
  }
  const table: ResolvedTable = {
    ...(await testTable(there, { schema: 'public', name: 'items' }, { kind: 'whole' })),
    binary: !options.text,
  }
  await createPublication(there, { shard: from, publication: name, tables: [table.source] })
  await there.query(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`)
  const plan = testPlan({
    source: { topology: { kind: 'single', shard: from }, urls: { [from]: urls[0]! } },
    target: { topology: { kind: 'single', shard: to }, urls: { [to]: urls[1]! } },
    tables: [table],
  })
  const streams = createStreams({
    plan,
    migration,
    transforms: () => ({ forward: (row) => row, backward: null }),
    listener: () => believingListener(),
  })
  const rates: Record<string, number> = {}
  for (const [work, sql] of Object.entries(workSql)) {
    await there.query(sql)
    const { rows: lsn } = await there.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn')
    rates[work] = await timed(parseLsn(lsn[0]!.lsn))
  }
  const counts = await Promise.all(
    clients.map((client) =>
      client.query('SELECT count(*)::text, sum(hash_record_extended(items.*, 0))::text FROM items'),
    ),
  )
  if (JSON.stringify(counts[0]!.rows) !== JSON.stringify(counts[1]!.rows)) throw new Error('the two sides differ')
  await there.query(`SELECT pg_drop_replication_slot('${name}')`)
  await Promise.all(clients.map((client) => client.end()))
  return rates

  /** From the first row that is applied to the last. */
  async function timed(end: bigint): Promise<number> {
    const stop = new AbortController()
    let done = () => {}
    const reached = new Promise<void>((resolve) => {
      done = resolve
    })
    const started = performance.now()
    let applied = 0
    const following = streams.follow(
      from,
      { epoch: asEpoch(1), lease: 'bench', signal: stop.signal, report: () => {}, throttle: async () => {} },
      {
        status: (status: StreamStatus) => {
          applied = status.rowsApplied
          if (status.applied >= end) done()
        },
        expected: () => end as never,
      },
    )
    await Promise.race([reached, following])
    const seconds = (performance.now() - started) / 1000
    stop.abort(new Error('measured'))
    await following
    await here.query('VACUUM items')
    return Math.round(applied / seconds)
  }
}

async function open(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}
