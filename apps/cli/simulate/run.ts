import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import { route } from '@crossfade/routing/route.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import { readLedger } from '@crossfade/simulator/ledger.ts'
import { populateSide, type SimulatedSide, startSide, tenantIds } from '@crossfade/simulator/messaging-shards.ts'
import { type Proof, proveLedger } from '@crossfade/simulator/prove.ts'
import { spawnTraffic } from '@crossfade/simulator/spawn-traffic.ts'
import pg from 'pg'
import { simulatedPlan } from './plan-text.ts'

export interface SimulateOptions {
  readonly shards: number
  readonly targets: number
  readonly tenants: number
  readonly rows: number
  readonly writesPerSecond: number
  readonly server: string
  readonly directory: string
  readonly seed: number
  readonly say: (text: string) => void
}

export interface Simulation {
  /** Stops the traffic, holds the ledger against whichever side answers then, and stops the servers. */
  stop(): Promise<Proof & { readonly acknowledged: number; readonly errors: number }>
}

/** Letters name source shards, so there are no more than these. */
const shardsMax = 26
const writers = 8
const planName = 'simulated.plan.ts'
const ledgerName = 'simulated.ledger.jsonl'

/** Real shards with live traffic, and a plan for them. CF7007 for numbers that make no sense, CF7006 when the plan's file is there already. */
export async function simulate(options: SimulateOptions): Promise<Simulation> {
  for (const [option, count] of [
    ['--shards', options.shards],
    ['--targets', options.targets],
    ['--tenants', options.tenants],
  ] as const) {
    const most = option === '--tenants' ? 100_000 : shardsMax
    if (count < 1 || count > most)
      throw fail('CF7007', { option, reason: `it must be from 1 to ${most}`, command: 'simulate' })
  }
  const directory = resolve(options.directory)
  const planPath = join(directory, planName)
  const ledgerPath = join(directory, ledgerName)
  if (existsSync(planPath)) throw fail('CF7006', { path: planPath })
  rmSync(ledgerPath, { force: true })

  options.say(`Starting ${options.shards} source and ${options.targets} target shards …`)
  const sides: Record<Side, SimulatedSide> = {
    source: await startSide({ side: 'source', count: options.shards, version: 16 }),
    target: await startSide({ side: 'target', count: options.targets, version: 18 }),
  }
  const tenants = tenantIds(options.tenants)
  const rows = await populateSide(sides.source, tenants, options.rows)
  writeFileSync(planPath, simulatedPlan(sides))
  const traffic = await spawnTraffic({
    routing: { kind: 'once-there', serverUrl: options.server, first: sourceAlone(sides) },
    shards: Object.fromEntries(
      [...sides.source.shards, ...sides.target.shards].map(([shard, { url }]) => [shard, url]),
    ),
    tenants,
    writesPerSecond: options.writesPerSecond,
    writers,
    seed: options.seed,
    ledgerPath,
  })
  for (const [shard, { url }] of [...sides.source.shards, ...sides.target.shards])
    options.say(`  ${shard.padEnd(10)} ${url}`)
  options.say(
    `${rows.toLocaleString('en')} rows; ${options.writesPerSecond} writes a second, seed ${options.seed}; ledger in ${ledgerName}`,
  )
  options.say(`Try it, in two other terminals:\n  npx crossfade server\n  npx crossfade apply ${planName}`)

  return {
    async stop() {
      const report = await traffic.stop()
      const { expectations, acknowledged } = await readLedger(ledgerPath)
      const answering = (await answers(options.server)) ?? 'source'
      const proof = await proveOn(sides[answering], expectations)
      await Promise.all([sides.source.stop(), sides.target.stop()])
      rmSync(planPath, { force: true })
      return { ...proof, acknowledged, errors: report.errors }
    },
  }
}

function sourceAlone(sides: Record<Side, SimulatedSide>): Routing {
  const authority = Object.fromEntries([...sides.source.shards.keys()].map((shard) => [shard, 'source' as const]))
  return { epoch: 0, source: sides.source.topology, target: sides[otherSide('source')].topology, authority, fenced: [] }
}

/** The side that answers after the newest migration; null when the server knows none or is gone. */
async function answers(server: string): Promise<Side | null> {
  try {
    const [newest] = (await (await fetch(`${server}/api/v1/migrations`)).json()) as { id: string }[]
    if (!newest) return null
    const routing = (await (await fetch(`${server}/api/v1/migrations/${newest.id}/routing`)).json()) as Routing
    return Object.values(routing.authority).every((side) => side === 'target') ? 'target' : 'source'
  } catch {
    return null
  }
}

async function proveOn(side: SimulatedSide, expectations: Parameters<typeof proveLedger>[0]): Promise<Proof> {
  const clients = new Map<ShardId, pg.Client>()
  try {
    for (const [shard, { url }] of side.shards) {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      clients.set(shard, client)
    }
    return await proveLedger(expectations, clients, (tenant) => route(side.topology, tenant))
  } finally {
    await Promise.all([...clients.values()].map((client) => client.end()))
  }
}
