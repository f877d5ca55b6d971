// Two worker processes on one control database; the one that holds the stream is killed with -9: milliseconds until a living one has claimed each lease that it held.
// Options: --rounds N (5), --json. The last line is one JSON object.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startCluster } from '@crossfade/embedded/cluster.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { quickPlan, resolved } from '@crossfade/scenarios/harness/ladder.ts'
import { openCrossfade } from 'crossfade/wiring/open.ts'
import type pg from 'pg'
import { open, sql } from './connection.ts'
import { until } from './until.ts'

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, json: { type: 'boolean', default: false } },
})
const workerFile = fileURLToPath(new URL('../scenarios/faults/worker-process.ts', import.meta.url))
const asker = { actor: 'bench' }
const rows = 1_000
const lookMs = 20
/** Both workers are left in peace for this long before a kill, so that every lease is one that is prolonged as usual. */
const restMs = 3_000

interface Lease {
  readonly name: string
  readonly worker: string
}

const cluster = await startCluster({ version: 18, settings: { shared_buffers: '32MB' } })
const workers = new Set<ChildProcess>()
const milliseconds: number[] = []
try {
  const [control, source, target] = (await Promise.all(
    ['control', 'source', 'target'].map((name) => cluster.createDatabase(name)),
  )) as [string, string, string]
  await sql(source, 'CREATE TABLE items (id bigint PRIMARY KEY, note text)')
  await sql(source, `INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, ${rows}) n`)
  const crossfade = await openCrossfade({ control })
  const look = await open(control)
  startWorker(control)
  startWorker(control)
  const id = await crossfade.service.create(await resolved(quickPlan(source, target)), asker)
  await crossfade.service.advance(id, asker, { to: 'shadow' })
  await until('shadow', lookMs, async () => (await crossfade.service.get(id)).stage === 'shadow')
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const times = await strike(look, id)
    if (!options.json) console.log(`round ${round + 1}: ${JSON.stringify(times)}`)
    milliseconds.push(...Object.values(times))
    startWorker(control)
  }
  for (const worker of workers) worker.stdin?.end()
  await until('the end of the workers', lookMs, async () => workers.size === 0)
  await look.end()
  await crossfade.close()
} finally {
  for (const worker of workers) worker.kill('SIGKILL')
  await cluster.destroy()
}
console.log(JSON.stringify({ benchmark: 'takeover', rounds: Number(options.rounds), milliseconds }))

/** Kills the holder of the stream; by the name of each lease it held, the time until another worker has it. */
async function strike(look: pg.Client, id: MigrationId): Promise<Record<string, number>> {
  let victim: ChildProcess | undefined
  await until('two living workers and a held stream', lookMs, async () => {
    const stream = (await leases(look, id)).find((lease) => lease.name.startsWith('stream'))
    victim = [...workers].find((worker) => stream && isOf(worker, stream.worker))
    return victim !== undefined && (await everyWorkerSeen(look))
  })
  await systemClock.sleep(restMs)
  const held = (await leases(look, id)).filter((lease) => isOf(victim!, lease.worker))
  const times: Record<string, number> = {}
  const started = performance.now()
  victim!.kill('SIGKILL')
  await until('the takeover', lookMs, async () => {
    for (const { name, worker } of await leases(look, id)) {
      const before = held.find((lease) => lease.name === name)
      if (before && before.worker !== worker) times[name] ??= Math.round(performance.now() - started)
    }
    return Object.keys(times).length === held.length
  })
  return times
}

async function leases(look: pg.Client, id: MigrationId): Promise<readonly Lease[]> {
  const { rows } = await look.query<Lease>(
    `SELECT name, worker FROM crossfade_control.task WHERE migration = $1 AND kind IN ('stream', 'reconcile') AND state = 'running' AND worker IS NOT NULL`,
    [id],
  )
  return rows
}

async function everyWorkerSeen(look: pg.Client): Promise<boolean> {
  const { rows } = await look.query<{ id: string }>('SELECT id FROM crossfade_control.worker')
  return [...workers].every((worker) => rows.some(({ id }) => isOf(worker, id)))
}

/** A worker's id is `host:pid:random`. */
function isOf(worker: ChildProcess, id: string): boolean {
  return id.split(':').at(-2) === String(worker.pid)
}

function startWorker(controlUrl: string): void {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', workerFile], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...process.env, CROSSFADE_CONTROL_URL: controlUrl },
  })
  child.stdin?.on('error', () => undefined)
  workers.add(child)
  child.once('exit', () => workers.delete(child))
}
