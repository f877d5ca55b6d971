import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { populateSide, type SimulatedSide, startSide, tenantIds } from '@crossfade/simulator/messaging-shards.ts'

/** Tenants of the simulated system; the first few hold most of the rows. */
const tenantCount = 240

export const tourPlanPath = fileURLToPath(
  new URL('../../../examples/01-two-shards-to-four/move.plan.ts', import.meta.url),
)

/** The system that is moved: its servers, its tenants, and a folder for what must live outside them. */
export interface Scene {
  readonly source: SimulatedSide
  readonly target: SimulatedSide
  readonly tenants: readonly string[]
  readonly rows: number
  /** Holds the ledger and the control database; removed by `strike`. */
  readonly directory: string
  strike(): Promise<void>
}

/** Starts two source and four target servers, fills the sources, and puts their URLs where the plan looks for them. */
export async function setScene(rows: number): Promise<Scene> {
  const directory = await mkdtemp(join(tmpdir(), 'crossfade-tour-'))
  const [source, target] = await Promise.all([
    startSide({ side: 'source', count: 2, version: 16 }),
    startSide({ side: 'target', count: 4, version: 18 }),
  ])
  for (const [shard, { url }] of [...source.shards, ...target.shards]) {
    process.env[`MESSAGING_${shard.replace('/', '_').toUpperCase()}`] = url
  }
  const tenants = tenantIds(tenantCount)
  const made = await populateSide(source, tenants, rows)
  return {
    source,
    target,
    tenants,
    rows: made,
    directory,
    strike: async () => {
      await Promise.all([source.stop(), target.stop()])
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Connection URL of every shard of both sides, by id. */
export function shardUrls({ source, target }: Scene): Record<string, string> {
  return Object.fromEntries([...source.shards, ...target.shards].map(([shard, { url }]) => [shard, url]))
}
