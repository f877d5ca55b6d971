import { join } from 'node:path'
import type { MigrationDetail, MigrationService } from '@crossfade/engine/contract.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { rung, type Stage } from '@crossfade/model/stage.ts'
import { route } from '@crossfade/routing/route.ts'
import { readLedger } from '@crossfade/simulator/ledger.ts'
import { leftoversOn } from '@crossfade/simulator/leftovers.ts'
import { type Proof, proveLedger } from '@crossfade/simulator/prove.ts'
import { spawnTraffic, type TrafficProcess } from '@crossfade/simulator/spawn-traffic.ts'
import pg from 'pg'
import { openCrossfade } from '../wiring/open.ts'
import { resolvePlanFile } from '../wiring/planning.ts'
import { narrate } from './narrate.ts'
import { type Scene, setScene, shardUrls, tourPlanPath } from './scene.ts'
import { holds, summarise, type TourSummary } from './summary.ts'

export interface TourOptions {
  readonly rows: number
  readonly writesPerSecond: number
  readonly port: number
  readonly seed: number
  /** Told what happens, in words. */
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

export interface TourEnd {
  readonly summary: TourSummary
  readonly holds: boolean
  readonly proof: Proof
  readonly leftovers: readonly string[]
  /** Where the console is open until `close`. */
  readonly consoleUrl: string
  close(): Promise<void>
}

/** How long each rung is shown before the next one, so that the live traffic meets every one of them. */
const restMs = 2_000
const writers = 8
/** A rung that is not reached within this has failed. */
const rungMsMax = 300_000

const asker = { actor: 'tour' }

/**
 * The main job on live input: two shards become four while a client program writes and keeps a ledger of every acknowledged write; up to rampdown,
 * back to the source, up again, and complete. Ends with the ledger held against the databases.
 */
export async function runTour(options: TourOptions): Promise<TourEnd> {
  const { say, signal } = options
  const startedAt = performance.now()
  say('Starting 2 source shards (PostgreSQL 16) and 4 target shards (PostgreSQL 18) …')
  const scene = await setScene(options.rows)
  say(`Filled the source with ${scene.rows.toLocaleString('en')} rows of ${scene.tenants.length} tenants in 16 tables.`)
  const crossfade = await openCrossfade({ directory: scene.directory })
  const server = await crossfade.serve({ port: options.port })
  let traffic: TrafficProcess | null = null
  const close = async () => {
    await traffic?.stop().catch(() => undefined)
    await server.close()
    await crossfade.close()
    await scene.strike()
  }
  try {
    const { service } = crossfade
    await crossfade.work()
    const id = await service.create(await resolvePlanFile(tourPlanPath), asker)
    say(`Console: ${server.url}/migrations/${id}`)
    traffic = await startTraffic(scene, server.url, id, options)
    say(
      `A client program writes ${options.writesPerSecond} times a second and keeps a ledger of what was acknowledged.`,
    )
    const stopNarrating = narrate(service, id, say)
    try {
      for (const stage of [
        'dualwrite',
        'shadow',
        'live',
        'rampdown',
        'shadow',
        'live',
        'rampdown',
        'complete',
      ] as const) {
        await goTo(service, id, stage, signal)
        await rest(signal)
      }
    } finally {
      stopNarrating()
    }
    const last = await traffic.stop()
    const migration = await service.get(id)
    say('Holding the ledger against the databases …')
    const { proof, acknowledged } = await prove(scene, migration)
    const leftovers = (await Promise.all([leftoversOn(scene.source), leftoversOn(scene.target)])).flat()
    const rowsVerified = (await service.reports(id)).reduce((sum, report) => sum + report.rows, 0)
    const summary = summarise({ migration, traffic: last, acknowledged, proof, rowsVerified, leftovers, startedAt })
    return { summary, holds: holds(summary), proof, leftovers, consoleUrl: `${server.url}/migrations/${id}`, close }
  } catch (error) {
    await close()
    throw error
  }
}

function startTraffic(scene: Scene, serverUrl: string, id: MigrationId, options: TourOptions): Promise<TrafficProcess> {
  return spawnTraffic({
    routing: { kind: 'migration', url: `${serverUrl}/api/v1/migrations/${id}` },
    shards: shardUrls(scene),
    tenants: scene.tenants,
    writesPerSecond: options.writesPerSecond,
    writers,
    seed: options.seed,
    ledgerPath: ledgerOf(scene),
  })
}

function ledgerOf(scene: Scene): string {
  return join(scene.directory, 'ledger.jsonl')
}

/** Asks for a stage and waits until the migration is there. A failure that needs a person ends the tour with it. */
async function goTo(service: MigrationService, id: MigrationId, stage: Stage, signal: AbortSignal): Promise<void> {
  const from = (await service.get(id)).stage
  for (const gate of (await service.get(id)).plan.gates) {
    if (gate.kind === 'manual' && gate.stage === stage) await service.approve(id, gate.name, true, asker)
  }
  if (rung(stage) > rung(from)) await service.advance(id, asker, { to: stage })
  else await service.retreat(id, asker, { to: stage })
  const deadline = performance.now() + rungMsMax
  for (;;) {
    signal.throwIfAborted()
    const migration = await service.get(id)
    if (migration.stage === stage && migration.transition === null) return
    if (migration.status === 'stopped')
      throw new Error(`the migration stopped: ${migration.failure?.code} ${migration.failure?.message}`)
    if (performance.now() > deadline)
      throw new Error(
        `${stage} was not reached within ${rungMsMax / 1000} s; it is ${migration.status} at ${migration.stage}`,
      )
    await systemClock.sleep(100)
  }
}

async function rest(signal: AbortSignal): Promise<void> {
  const until = performance.now() + restMs
  while (performance.now() < until && !signal.aborted) await systemClock.sleep(50)
}

/** The ledger against the side that answers now, every row on every shard of it. */
async function prove(scene: Scene, migration: MigrationDetail): Promise<{ proof: Proof; acknowledged: number }> {
  const { expectations, acknowledged } = await readLedger(ledgerOf(scene))
  const clients = new Map(
    await Promise.all(
      [...scene.target.shards].map(async ([shard, { url }]) => {
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        return [shard, client] as const
      }),
    ),
  )
  try {
    const proof = await proveLedger(expectations, clients, (tenant) => route(migration.routing.target, tenant))
    return { proof, acknowledged }
  } finally {
    await Promise.all([...clients.values()].map((client) => client.end()))
  }
}
