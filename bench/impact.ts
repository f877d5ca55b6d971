// What a migration costs the live system: p95 latency of a client program's writes in windows with a migration that copies, its latency budget at 5 %, against windows without one, in turns.
// Options: --windows N pairs (8), --window-seconds N (10), --writes-per-second N (400), --json. The last line is one JSON object.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { initialRouting } from '@crossfade/engine/service.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import { hash, type Plan } from '@crossfade/plan/define.ts'
import { quickPlan, resolved } from '@crossfade/scenarios/harness/ladder.ts'
import { messagingTables } from '@crossfade/simulator/messaging-schema.ts'
import { messagingBuckets, populateSide, startSide, tenantIds } from '@crossfade/simulator/messaging-shards.ts'
import { spawnTraffic } from '@crossfade/simulator/spawn-traffic.ts'
import { openCrossfade } from 'crossfade/wiring/open.ts'
import { sql } from './connection.ts'
import { median } from './median.ts'
import { peakMegabytes } from './resident-memory.ts'
import { until } from './until.ts'

const { values: options } = parseArgs({
  options: {
    windows: { type: 'string', default: '8' },
    'window-seconds': { type: 'string', default: '10' },
    'writes-per-second': { type: 'string', default: '400' },
    json: { type: 'boolean', default: false },
  },
})
const windowMs = Number(options['window-seconds']) * 1_000
const workerFile = fileURLToPath(new URL('../scenarios/faults/worker-process.ts', import.meta.url))
const asker = { actor: 'bench' }
const tenants = tenantIds(40)
const writers = 8
const systemRows = 100_000
/** Beside the live tables, so that a copy outlasts any window: the throttle lets a mebibyte pass in each of the first seconds and 4 MiB more in each one after. */
const archiveRows = Math.ceil(Number(options['window-seconds']) * 300_000)
const latencyBudget = 0.05
/** What the end of a migration leaves behind (dropping, checkpoints) is over after this; the client program is warm after its first. */
const settleMs = 4_000
const lookMs = 100

const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'))
const source = await startSide({ side: 'source', count: 1, version: 18 })
const [target, control] = (await Promise.all([
  startCluster({ version: 18, settings: { shared_buffers: '128MB', max_wal_size: '4GB' } }),
  startCluster({ version: 18, settings: { shared_buffers: '32MB' } }),
])) as [Cluster, Cluster]
const workers: ChildProcess[] = []
try {
  console.log(JSON.stringify({ benchmark: 'impact', windowMs, ...(await measure()) }))
} finally {
  for (const worker of workers) worker.kill('SIGKILL')
  await Promise.all([source.stop(), target.destroy(), control.destroy()])
  rmSync(directory, { recursive: true, force: true })
}

async function measure(): Promise<Record<string, unknown>> {
  const [sourceUrl] = [...source.shards.values()].map(({ url }) => url) as [string]
  await populateSide(source, tenants, systemRows)
  await sql(
    sourceUrl,
    `CREATE TABLE message_archive (id bigint, tenant_id uuid NOT NULL, sent_at timestamptz, body text);
     INSERT INTO message_archive SELECT n, ('{${tenants.join(',')}}'::uuid[])[1 + n % ${tenants.length}], timestamptz '2020-01-01' + n * interval '1 second', repeat(md5(n::text), 6)
       FROM generate_series(1, ${archiveRows}) n;
     ALTER TABLE message_archive ADD PRIMARY KEY (id)`,
  )
  await sql(sourceUrl, 'VACUUM (FREEZE, ANALYZE)')
  await sql(sourceUrl, 'CHECKPOINT')
  const controlUrl = await control.createDatabase('crossfade')
  const targetUrl = await target.createDatabase('messaging')
  const crossfade = await openCrossfade({ control: controlUrl })
  const server = await crossfade.serve({ port: 0 })
  const worker = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', workerFile], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...process.env, CROSSFADE_CONTROL_URL: controlUrl },
  })
  workers.push(worker)
  const plan = () => resolved(planOf(sourceUrl, targetUrl))
  const traffic = await spawnTraffic({
    routing: { kind: 'once-there', serverUrl: server.url, first: initialRouting(await plan()) },
    shards: Object.fromEntries([...source.shards].map(([shard, { url }]) => [shard, url])),
    tenants,
    writesPerSecond: Number(options['writes-per-second']),
    writers,
    seed: 1,
    ledgerPath: join(directory, 'ledger.jsonl'),
  })
  try {
    await systemClock.sleep(settleMs)
    const pairs: number[] = []
    for (let pair = 0; pair < Number(options.windows); pair += 1) {
      // Whichever comes second meets a system that has aged by one window more.
      const first = pair % 2 === 0 ? await without() : await during()
      const second = pair % 2 === 0 ? await during() : await without()
      const [still, moving] = pair % 2 === 0 ? [first, second] : [second, first]
      pairs.push(Math.round((moving / still) * 1_000) / 1_000)
      if (!options.json) console.log(`pair ${pair + 1}: ${still.toFixed(2)} ms without, ${moving.toFixed(2)} ms with`)
    }
    const { errors } = await traffic.stop()
    if (errors > 0) throw new Error(`${errors} writes failed`)
    const workerMb = peakMegabytes(worker.pid!)
    return { p95Ratio: median(pairs), least: Math.min(...pairs), most: Math.max(...pairs), pairs, workerMb }
  } finally {
    worker.stdin.end()
    await crossfade.close()
  }

  async function without(): Promise<number> {
    await systemClock.sleep(settleMs)
    return window()
  }

  async function during(): Promise<number> {
    const id = await crossfade.service.create(await plan(), asker)
    await crossfade.service.advance(id, asker, { to: 'dualwrite' })
    await until('the copy', lookMs, async () => (await crossfade.service.get(id)).copy.rowsDone > 0)
    const p95 = await window()
    const { copy } = await crossfade.service.get(id)
    if (!options.json) console.log(`copied ${copy.rowsDone} of ${copy.rowsTotal} rows`)
    await crossfade.service.abort(id, asker)
    await until('the end of the abort', lookMs, async () => (await crossfade.service.get(id)).status === 'aborted')
    await sql(sourceUrl, 'CHECKPOINT')
    return p95
  }

  async function window(): Promise<number> {
    await traffic.window()
    await systemClock.sleep(windowMs)
    return (await traffic.window()).p95
  }
}

function planOf(sourceUrl: string, targetUrl: string): Plan {
  return quickPlan(sourceUrl, targetUrl, {
    source: { shards: { a: { url: sourceUrl } }, topology: hash({ buckets: messagingBuckets }) },
    target: { shards: { '0': { url: targetUrl } }, topology: hash({ buckets: messagingBuckets }) },
    tables: messagingTables,
    throttle: { latencyBudget },
  })
}
