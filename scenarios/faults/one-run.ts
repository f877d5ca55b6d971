import { join } from 'node:path'
import type { MigrationDetail } from '@crossfade/engine/contract.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import { reasonOf } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { rung, type Stage } from '@crossfade/model/stage.ts'
import { route } from '@crossfade/routing/route.ts'
import { readLedger } from '@crossfade/simulator/ledger.ts'
import { leftoversOn } from '@crossfade/simulator/leftovers.ts'
import type { SimulatedSide } from '@crossfade/simulator/messaging-shards.ts'
import { proveLedger } from '@crossfade/simulator/prove.ts'
import { spawnTraffic, type TrafficProcess } from '@crossfade/simulator/spawn-traffic.ts'
import { type OpenCrossfade, openCrossfade } from 'crossfade/wiring/open.ts'
import pg from 'pg'
import { resolved } from '../harness/ladder.ts'
import { sidesDiffer } from '../harness/sides.ts'
import type { FaultKind, Struck } from './kinds.ts'
import { Striker } from './striker.ts'
import { type System, setSystem } from './system.ts'
import { Workers } from './workers.ts'

export interface RunOptions {
  readonly seed: number
  readonly kinds: readonly FaultKind[]
  readonly writesPerSecond: number
  readonly rows: number
  /** Where it is to end; without it the seed decides. */
  readonly end?: RunResult['end']
  /** The rungs on the way to `complete`; without it there, back, and there again. */
  readonly way?: readonly Stage[]
  readonly say: (text: string) => void
}

export interface RunResult {
  readonly seed: number
  /** Where it was asked to end: all the way, or taken back before the cutover. */
  readonly end: 'complete' | 'aborted'
  readonly acknowledged: number
  readonly unknown: number
  readonly clientErrors: number
  readonly lost: number
  readonly duplicated: number
  /** Tables that differ between the sides once everything has come to rest. */
  readonly diverged: readonly string[]
  /** What did not come to its end in time, or stopped and asked for a person. */
  readonly stuck: readonly string[]
  readonly leftovers: readonly string[]
  /** Worker processes that ended by themselves. */
  readonly crashes: readonly string[]
  readonly struck: readonly Struck[]
  /** Of the ledger's proof: the first rows that are not as acknowledged. */
  readonly examples: readonly string[]
  /** Faults that could not be done. */
  readonly notStruck: readonly string[]
}

const workerCounts = [2, 3]
const targetCounts = [2, 3, 4]
const writers = 6
const asker = { actor: 'faults' }
/** A rung that is not reached within this is stuck; faults strike meanwhile. */
const rungMsMax = 180_000
/** Two sides that still differ so long after the last write and the last fault have diverged. */
const equalMsMax = 60_000
const lookMs = 200
/** Each rung is rested on for up to this long, so that traffic and faults meet it. */
const restMsMax = 3_000
const abortShare = 0.2
const fullWay: readonly Stage[] = ['dualwrite', 'shadow', 'live', 'shadow', 'live', 'rampdown']

/** One life of a migration under traffic and faults, decided by the seed as far as processes allow; the rest is chance. */
export async function runWithFaults(options: RunOptions): Promise<RunResult> {
  const random = seededRandom(options.seed)
  const among = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)]!
  const system = await setSystem({ seed: options.seed, targets: among(targetCounts), rows: options.rows })
  const run = new Run(options, system, random, among(workerCounts))
  try {
    const drawn = random() < abortShare ? 'aborted' : 'complete'
    return await run.live(options.end ?? drawn)
  } finally {
    await run.close()
  }
}

class Run {
  readonly #options: RunOptions
  readonly #system: System
  readonly #random: () => number
  readonly #workers: Workers
  readonly #stuck: string[] = []
  #crossfade: OpenCrossfade | null = null
  #traffic: TrafficProcess | null = null
  #striker: Striker | null = null

  constructor(options: RunOptions, system: System, random: () => number, workers: number) {
    this.#options = options
    this.#system = system
    this.#random = random
    options.say(
      `seed ${options.seed}: 2 to ${system.target.shards.size} shards, ${workers} workers, ${system.directory}`,
    )
    this.#workers = new Workers(system.proxiedControlUrl, system.directory, workers)
  }

  async live(end: RunResult['end']): Promise<RunResult> {
    const { seed, kinds, say } = this.#options
    const system = this.#system
    this.#crossfade = await openCrossfade({ control: system.controlUrl })
    const { service } = this.#crossfade
    const id = await service.create(await resolved(system.plan), asker)
    await this.#startTraffic(id)
    const striker = new Striker({ kinds, say, system, workers: this.#workers, random: this.#random })
    this.#striker = striker
    const unsubscribe = service.subscribe((event) => {
      if (event.type !== 'journal') return
      say(event.entry.summary)
      striker.see(event.entry)
    }, id)
    striker.start()
    const way: readonly Stage[] =
      end === 'aborted'
        ? (['dualwrite', 'shadow'] as const).slice(0, Math.floor(this.#random() * 3))
        : (this.#options.way ?? fullWay)
    for (const stage of way) {
      if (this.#stuck.length > 0) break
      await this.#goTo(id, stage)
      await systemClock.sleep(this.#random() * restMsMax)
    }
    if (end === 'aborted' && way.length === 0) {
      // Somewhere on the first way up.
      await service.advance(id, asker, { to: 'dualwrite' }).catch(() => undefined)
      await systemClock.sleep(this.#random() * 2 * restMsMax)
    }
    let diverged: string[] = []
    let proof = { lost: 0, duplicated: 0, examples: [] as readonly string[] }
    if (end === 'aborted') await this.#abort(id)
    await striker.stop()
    const traffic = await this.#traffic!.stop()
    if (end === 'complete' && this.#stuck.length === 0) {
      diverged = await this.#differences()
      striker.start()
      await this.#goTo(id, 'complete')
      await striker.stop()
    }
    unsubscribe()
    const leftovers = this.#stuck.length === 0 ? await this.#leftovers() : []
    proof = await this.#prove(await patiently(() => service.get(id)))
    const forced = await this.#workers.stop()
    if (forced > 0) this.#stuck.push(`${forced} workers did not stop`)
    return {
      seed,
      end,
      acknowledged: traffic.acknowledged,
      unknown: traffic.unknown,
      clientErrors: traffic.errors,
      lost: proof.lost,
      duplicated: proof.duplicated,
      diverged,
      stuck: this.#stuck,
      leftovers,
      crashes: this.#workers.crashes,
      struck: striker.struck,
      examples: proof.examples,
      notStruck: striker.failures,
    }
  }

  async close(): Promise<void> {
    await this.#striker?.stop()
    await this.#traffic?.stop().catch(() => undefined)
    await this.#workers.stop()
    await this.#crossfade?.close()
    await this.#system.strike()
  }

  async #startTraffic(id: MigrationId): Promise<void> {
    const { source, target, tenants } = this.#system
    const server = await this.#crossfade!.serve({ port: 0 })
    this.#traffic = await spawnTraffic({
      routing: { kind: 'migration', url: `${server.url}/api/v1/migrations/${id}` },
      shards: Object.fromEntries([...source.shards, ...target.shards].map(([shard, { url }]) => [shard, url])),
      tenants,
      writesPerSecond: this.#options.writesPerSecond,
      writers,
      seed: this.#options.seed,
      ledgerPath: this.#ledgerPath(),
    })
  }

  #ledgerPath(): string {
    return join(this.#system.directory, 'ledger.jsonl')
  }

  /** Asks for the stage and waits for it, whatever happens meanwhile. */
  async #goTo(id: MigrationId, stage: Stage): Promise<void> {
    const { service } = this.#crossfade!
    await patiently(async () => {
      const from = (await service.get(id)).desiredStage
      if (rung(stage) > rung(from)) await service.advance(id, asker, { to: stage })
      else if (rung(stage) < rung(from)) await service.retreat(id, asker, { to: stage })
    })
    await this.#until(id, stage, (migration) => migration.stage === stage && migration.transition === null)
  }

  async #abort(id: MigrationId): Promise<void> {
    const { service } = this.#crossfade!
    await patiently(async () => {
      if ((await service.get(id)).commands.abort.allowed) await service.abort(id, asker)
    })
    await this.#until(id, 'the end of the abort', (migration) => migration.status === 'aborted')
  }

  async #until(id: MigrationId, what: string, reached: (migration: MigrationDetail) => boolean): Promise<void> {
    const { service } = this.#crossfade!
    const deadline = Date.now() + rungMsMax
    for (;;) {
      const migration = await patiently(() => service.get(id))
      if (reached(migration)) return
      const told = `${what}: ${migration.status} at ${migration.stage}`
      if (migration.status === 'stopped') {
        this.#stuck.push(
          `${told}: ${migration.failure?.code} ${migration.failure?.where}: ${migration.failure?.message}`,
        )
        return
      }
      if (Date.now() > deadline) {
        const steps = (migration.transition?.steps ?? []).filter(
          (step) => step.state !== 'done' && step.startedAt !== null,
        )
        const streams = migration.streams.map(({ shard, state, lagMs }) => `${shard} ${state} ${lagMs}`)
        const doing = steps.map(({ name, detail, failure }) => `${name} ${detail} ${failure?.message}`)
        this.#stuck.push(`${told}; ${[...doing, ...streams].join('; ')}`)
        return
      }
      await systemClock.sleep(lookMs)
    }
  }

  /** Nothing writes any more and no fault strikes: the streams must make both sides equal. */
  async #differences(): Promise<string[]> {
    const deadline = Date.now() + equalMsMax
    for (;;) {
      const found = await sidesDiffer(urls(this.#system.source), urls(this.#system.target), {
        reference: new Set(['public.permissions']),
      })
      if (found.length === 0 || Date.now() > deadline) return found
      await systemClock.sleep(5 * lookMs)
    }
  }

  async #leftovers(): Promise<string[]> {
    const { source, target } = this.#system
    return (await Promise.all([leftoversOn(source), leftoversOn(target)])).flat()
  }

  /** The ledger against the side that answers now, every row on every shard of it. */
  async #prove(migration: MigrationDetail): Promise<{ lost: number; duplicated: number; examples: readonly string[] }> {
    const { expectations } = await readLedger(this.#ledgerPath())
    const sides = Object.values(migration.routing.authority)
    const answers = sides.every((each) => each === 'target') ? this.#system.target : this.#system.source
    if (new Set(sides).size > 1) return { lost: 0, duplicated: 0, examples: ['the authority is split'] }
    const clients = new Map(
      await Promise.all(
        [...answers.shards].map(async ([shard, { url }]) => {
          const client = new pg.Client({ connectionString: url })
          await client.connect()
          return [shard, client] as const
        }),
      ),
    )
    try {
      return await proveLedger(expectations, clients, (tenant) => route(answers.topology, tenant))
    } finally {
      await Promise.all([...clients.values()].map((client) => client.end()))
    }
  }
}

function urls(side: SimulatedSide): string[] {
  return [...side.shards.values()].map(({ url }) => url)
}

/** The control database may be away for a moment. */
async function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
  const deadline = Date.now() + rungMsMax
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`it did not answer: ${reasonOf(error)}`, { cause: error })
      await systemClock.sleep(lookMs)
    }
  }
}
