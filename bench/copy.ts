// Copies one table of about 200 bytes a row from server to server, by Crossfade and by the peers that are installed, in turns on the same two servers.
// Options: --rows N (2000000), --rounds N (3), --version N (of PostgreSQL), --json. The last line is one JSON object.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import type { PostgresVersion } from '@crossfade/embedded/binaries.ts'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { asEpoch, asMigrationId, asShardId, type ShardId } from '@crossfade/model/ids.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { RowTransform } from '@crossfade/pipeline/transform.ts'
import { openReplication } from '@crossfade/postgres/changes/replication-connection.ts'
import { createPool } from '@crossfade/postgres/connection/pool.ts'
import { createInfrastructure } from '@crossfade/postgres/schema/infrastructure.ts'
import { createSnapshots } from '@crossfade/postgres/snapshot/snapshots.ts'
import { testPlan, testTable } from '@crossfade/postgres/testing/plan.ts'
import { open, sql } from './connection.ts'
import { installed } from './installed-program.ts'
import { median } from './median.ts'

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '3' },
    version: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const rows = Number(options.rows)
const rounds = Number(options.rounds)
/** Chunks that are copied at once. */
const jobs = 2
const chunkBytesMax = 64 * 1024 * 1024
const from = asShardId('source/a')
const migration = asMigrationId('mig_benchmark000')

const columnsSql =
  'id bigint NOT NULL, tenant_id uuid NOT NULL, channel_id bigint, status text, amount numeric(12,2), created_at timestamptz, active boolean, note text'
const indexesSql = [
  'ALTER TABLE items ADD PRIMARY KEY (id)',
  'CREATE INDEX items_tenant ON items (tenant_id, created_at)',
  'CREATE INDEX items_channel ON items (channel_id)',
]
const fillSql = `INSERT INTO items SELECT n, md5((n % 1000)::text)::uuid, n % 5000, 'status ' || n % 7, (n % 100000) / 100.0,
  timestamptz '2024-01-01' + n * interval '1 second', n % 2 = 0, repeat(md5(n::text), 4) FROM generate_series(1, ${rows}) n`
/** As a plan's function would mask one column. */
const mask: RowTransform = (row) => ({ ...row, status: row['status'] === null ? null : `was ${row['status']}` })

interface Ways {
  readonly name: string
  /** Copies the data alone into an empty table without indexes; null where the tool can't do that. */
  readonly data: (() => Promise<void>) | null
  /** From nothing on the target to the table with primary key and indexes; null where only the data phase is compared. */
  readonly whole: (() => Promise<void>) | null
}

const version = Number(options.version ?? versionForPeers()) as PostgresVersion
const settings = { shared_buffers: '256MB', max_wal_size: '4GB', maintenance_work_mem: '128MB' }
const clusters: Cluster[] = []
try {
  for (let side = 0; side < 2; side += 1) clusters.push(await startCluster({ version, settings }))
  await measure(clusters[0]!, clusters[1]!)
} finally {
  await Promise.all(clusters.map((cluster) => cluster.destroy()))
}

async function measure(source: Cluster, target: Cluster): Promise<void> {
  const sourceUrl = source.superuserUrl()
  await sql(sourceUrl, `CREATE TABLE items (${columnsSql}); ${fillSql}; ${indexesSql.join('; ')}`)
  await sql(sourceUrl, 'VACUUM (FREEZE, ANALYZE) items')
  const [size] = await sql(sourceUrl, `SELECT pg_table_size('items')::text AS bytes`)
  const table = await describe(sourceUrl)
  const ways = [...peers(source, target), ...ours(source, target, table)]
  const figures: Record<string, { dataMs: number[]; wholeMs: number[] }> = {}
  for (let round = 0; round < rounds; round += 1) {
    for (const way of ways) {
      const figure = (figures[way.name] ??= { dataMs: [], wholeMs: [] })
      if (way.data) figure.dataMs.push(await timed(target, false, way.data))
      if (way.whole) figure.wholeMs.push(await timed(target, true, way.whole))
      if (!options.json) console.log(`round ${round + 1} ${way.name}: ${JSON.stringify(figure)}`)
    }
  }
  const medians = Object.entries(figures).map(([name, { dataMs, wholeMs }]) => ({
    name,
    dataMs: median(dataMs),
    dataSpreadMs: spread(dataMs),
    wholeMs: median(wholeMs),
    wholeSpreadMs: spread(wholeMs),
  }))
  const of = (name: string) => medians.find((each) => each.name === name)
  const ratio = (peer: number | null | undefined, own: number | null | undefined) =>
    peer && own ? Math.round((peer / own) * 100) / 100 : null
  const own = of('crossfade')
  const result = {
    benchmark: 'copy',
    rows,
    bytesPerRow: Math.round(Number(size!['bytes']) / rows),
    rounds,
    version,
    medians,
    ratios: {
      dataAgainstPsql: ratio(of('psql | psql')?.dataMs, own?.dataMs),
      wholeAgainstPsql: ratio(of('psql | psql')?.wholeMs, own?.wholeMs),
      textAgainstPsql: ratio(of('psql | psql')?.dataMs, of('crossfade, text')?.dataMs),
      transformAgainstPsql: ratio(of('psql | psql')?.dataMs, of('crossfade, transform')?.dataMs),
      wholeAgainstDumpRestore: ratio(of('pg_dump | pg_restore')?.wholeMs, own?.wholeMs),
      wholeAgainstPgcopydb: ratio(of('pgcopydb clone')?.wholeMs, own?.wholeMs),
    },
    skipped: ['psql', 'pg_dump', 'pg_restore', 'pgcopydb'].filter((program) => !installed(program)),
    residentMb: Math.round(process.resourceUsage().maxRSS / 1024),
  }
  console.log(JSON.stringify(result))
}

/** Milliseconds of one way, started on a target without the table (whole) or with an empty one. */
async function timed(target: Cluster, whole: boolean, way: () => Promise<void>): Promise<number> {
  const url = target.superuserUrl()
  await sql(
    url,
    'DROP TABLE IF EXISTS items; DROP SCHEMA IF EXISTS crossfade CASCADE; DROP SCHEMA IF EXISTS pgcopydb CASCADE',
  )
  if (!whole) await sql(url, `CREATE TABLE items (${columnsSql})`)
  for (const cluster of clusters) await sql(cluster.superuserUrl(), 'CHECKPOINT')
  const start = performance.now()
  await way()
  const milliseconds = Math.round(performance.now() - start)
  const [count] = await sql(url, 'SELECT count(*)::text AS rows FROM items')
  if (Number(count!['rows']) !== rows) throw new Error(`${count!['rows']} of ${rows} rows arrived`)
  return milliseconds
}

function peers(source: Cluster, target: Cluster): Ways[] {
  const [a, b] = [source.superuserUrl(), target.superuserUrl()]
  const ways: Ways[] = []
  if (installed('psql')) {
    const data = () => shell(`psql -qX "${a}" -c "COPY items TO STDOUT" | psql -qX "${b}" -c "COPY items FROM STDIN"`)
    const whole = async () => {
      await sql(b, `CREATE TABLE items (${columnsSql})`)
      await data()
      for (const statement of indexesSql) await sql(b, statement)
    }
    ways.push({ name: 'psql | psql', data, whole })
  }
  if (installed('pg_dump') && installed('pg_restore')) {
    const whole = async () => {
      const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'))
      try {
        await shell(
          `pg_dump -Fd -j2 -t items -f "${directory}/dump" "${a}" && pg_restore -j2 --no-owner -d "${b}" "${directory}/dump"`,
        )
      } finally {
        rmSync(directory, { recursive: true })
      }
    }
    ways.push({ name: 'pg_dump | pg_restore', data: null, whole })
  }
  if (installed('pgcopydb')) {
    const whole = async () => {
      const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'))
      try {
        await shell(
          `pgcopydb clone --no-owner --no-acl --table-jobs 2 --index-jobs 2 --dir "${directory}/work" --source "${a}" --target "${b}"`,
        )
      } finally {
        rmSync(directory, { recursive: true })
      }
    }
    ways.push({ name: 'pgcopydb clone', data: null, whole })
  }
  return ways
}

function ours(source: Cluster, target: Cluster, table: ResolvedTable): Ways[] {
  const plan = (changes: Partial<ResolvedTable>, mode: 'create' | 'existing'): ResolvedPlan => {
    const to = asShardId('target/a')
    const made = testPlan({
      source: { topology: { kind: 'single', shard: from }, urls: { [from]: source.superuserUrl() } },
      target: { topology: { kind: 'single', shard: to }, urls: { [to]: target.superuserUrl() } },
      tables: [{ ...table, ...changes }],
    })
    return { ...made, copy: { chunkBytesMax, jobsPerWorker: jobs }, schema: { ...made.schema, mode } }
  }
  return [
    {
      name: 'crossfade',
      data: () => migrate(plan({}, 'existing')),
      whole: () => migrate(plan({}, 'create')),
    },
    { name: 'crossfade, text', data: () => migrate(plan({ binary: false }, 'existing')), whole: null },
    { name: 'crossfade, transform', data: () => migrate(plan({ transform: 'mask' }, 'existing')), whole: null },
  ]
}

/** Slot, snapshot, chunks and, where the plan creates the schema, the table before and its key and indexes after. */
async function migrate(plan: ResolvedPlan): Promise<void> {
  const shards = [...plan.source.shards, ...plan.target.shards]
  const pools = new Map(
    shards.map((shard) => {
      const writer = plan.target.shards.includes(shard) ? { writer: migration } : {}
      return [shard.id, createPool({ shard, connectionsMax: 6, ...writer })] as const
    }),
  )
  const pool = (shard: ShardId) => pools.get(shard)!
  const slot = `crossfade_bench_${process.pid}`
  const snapshots = createSnapshots({
    plan,
    migration,
    pool,
    transforms: () => mask,
    slot: () => slot,
    openReplication: (id, signal) => openReplication({ shard: shards.find((shard) => shard.id === id)!, signal }),
  })
  const infrastructure = createInfrastructure({ plan, migration, pool, removeFences: async () => {}, pgDump: null })
  const context: TaskContext = {
    epoch: asEpoch(1),
    lease: 'bench',
    signal: new AbortController().signal,
    report: () => {},
    throttle: async () => {},
  }
  try {
    await infrastructure.createControlSchema('target')
    if (plan.schema.mode === 'create') await infrastructure.createSchema()
    const snapshot = await snapshots.open(from, context)
    await inParallel(await snapshots.chunks(from), (chunk, job) =>
      snapshots.copy(chunk, snapshot, { ...context, lease: `bench ${job}` }),
    )
    await snapshot.close()
    if (plan.schema.mode === 'create') {
      const work = await infrastructure.schemaWork()
      for (const phase of ['primary', 'secondary', 'final'] as const) {
        await inParallel(
          work.filter((unit) => unit.phase === phase),
          (unit, job) => infrastructure.runSchemaWork(unit, { ...context, lease: `bench ${job}` }),
        )
      }
    }
  } finally {
    await pool(from).withConnection((client) =>
      client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [slot]),
    )
    await Promise.all([...pools.values()].map((each) => each.end()))
  }
}

async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item, job: number) => Promise<unknown>,
): Promise<void> {
  const queue = [...items]
  const worker = async (job: number) => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item, job)
  }
  await Promise.all(Array.from({ length: jobs }, (_, job) => worker(job)))
}

async function describe(url: string): Promise<ResolvedTable> {
  const client = await open(url)
  try {
    return await testTable(client, { schema: 'public', name: 'items' }, { kind: 'whole' })
  } finally {
    await client.end()
  }
}

async function shell(command: string): Promise<void> {
  await promisify(execFile)('bash', ['-o', 'pipefail', '-c', command], { maxBuffer: 64 * 1024 * 1024 })
}

/** The newest embedded server that an installed pg_dump can read, so that one version serves all ways. */
function versionForPeers(): number {
  if (!installed('pg_dump')) return 18
  const [, major] = /(\d+)/.exec(execFileSync('pg_dump', ['--version'], { encoding: 'utf8' }))!
  return [18, 17, 16, 14].find((each) => each <= Number(major)) ?? 18
}

function spread(values: readonly number[]): readonly [number, number] | null {
  return values.length === 0 ? null : [Math.min(...values), Math.max(...values)]
}
