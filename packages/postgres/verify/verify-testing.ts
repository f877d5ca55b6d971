import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { asEpoch, asMigrationId, type ShardId } from '@crossfade/model/ids.ts'
import type { Lsn } from '@crossfade/model/lsn.ts'
import type { Mismatch, TableVerification } from '@crossfade/model/mismatch.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { TaskContext, Verification } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { ReversibleTransform } from '@crossfade/pipeline/transform.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import type pg from 'pg'
import { createPool, type ShardPool } from '../connection/pool.ts'
import { createControlSchema } from '../schema/control-schema.ts'
import { testPlan, testTable } from '../testing/plan.ts'
import { createVerification } from './plane.ts'

/** Databases of both sides with the same schema, and a verification over them. */
export interface Rig {
  readonly plan: ResolvedPlan
  readonly verification: Verification
  readonly pools: ReadonlyMap<string, ShardPool>
  sql(shard: string, text: string, values?: unknown[]): Promise<pg.QueryResult>
  /** Verifies all ranges of all tables. */
  verify(): Promise<{
    readonly tables: readonly TableVerification[]
    readonly mismatches: readonly Mismatch[]
    readonly count: number
  }>
  close(): Promise<void>
}

export interface RigOptions {
  readonly cluster: Cluster
  readonly targetCluster?: Cluster
  readonly source: Topology
  readonly target: Topology
  readonly shards: { readonly source: readonly string[]; readonly target: readonly string[] }
  /** Run on every database. */
  readonly schema: string
  readonly tables: readonly {
    readonly name: string
    readonly route: TableRoute
    readonly change?: (table: ResolvedTable) => ResolvedTable
  }[]
  readonly verification?: Partial<ResolvedPlan['verification']>
  readonly authority?: () => Promise<Side>
  readonly applied?: ((from: ShardId) => Promise<Lsn>) | null
  readonly transforms?: (name: string) => ReversibleTransform
}

/** The migration that a rig's writers write as. */
export const rigMigration = asMigrationId('mig_0123456789ef')

/** The context of a task that nothing throttles or watches. */
export function taskContext(signal = new AbortController().signal): TaskContext {
  return { epoch: asEpoch(1), lease: 'verify', signal, report: () => {}, throttle: async () => {} }
}

/** Databases with their tables on both sides, and a verification over them. Not a row moves by itself. The caller closes it, which drops the databases. */
export async function makeRig(options: RigOptions): Promise<Rig> {
  const databases = new Map<string, TestDatabase>()
  const all = [...options.shards.source, ...options.shards.target]
  for (const shard of all) {
    const cluster = shard.startsWith('target') ? (options.targetCluster ?? options.cluster) : options.cluster
    databases.set(shard, await freshDatabase(cluster, 'verify'))
  }
  const urls = (shards: readonly string[]) =>
    Object.fromEntries(shards.map((shard) => [shard, databases.get(shard)!.url]))
  const sides = {
    source: { topology: options.source, urls: urls(options.shards.source) },
    target: { topology: options.target, urls: urls(options.shards.target) },
  }
  const bare = testPlan({ ...sides, tables: [] })
  const pools = new Map<string, ShardPool>()
  const writers = new Map<string, ShardPool>()
  for (const shard of [...bare.source.shards, ...bare.target.shards]) {
    pools.set(shard.id, createPool({ shard, purpose: 'verify', connectionsMax: 4 }))
    writers.set(shard.id, createPool({ shard, purpose: 'repair', connectionsMax: 2, writer: rigMigration }))
    await pools.get(shard.id)!.withConnection(async (client) => {
      await createControlSchema(client, shard.id)
      await client.query(options.schema)
    })
  }
  const tables = await pools.get(options.shards.source[0]!)!.withConnection(async (client) => {
    const found: ResolvedTable[] = []
    for (const { name, route, change } of options.tables) {
      const table = await testTable(client, { schema: 'public', name }, route)
      found.push(change ? change(table) : table)
    }
    return found
  })
  const plan = testPlan({ ...sides, tables, ...(options.verification ? { verification: options.verification } : {}) })
  const verification = createVerification({
    plan,
    migration: rigMigration,
    read: (shard, work) => pools.get(shard)!.withConnection(work),
    write: (shard, work) => writers.get(shard)!.withConnection(work),
    authority: options.authority ?? (async () => 'source'),
    applied: options.applied ?? null,
    transforms: options.transforms ?? (() => ({ forward: (row) => row, backward: (row) => row })),
  })
  return {
    plan,
    verification,
    pools,
    sql: (shard, text, values) => pools.get(shard)!.withConnection((client) => client.query(text, values)),
    async verify() {
      const found: TableVerification[] = []
      for (const range of await verification.ranges()) found.push(await verification.verify(range, taskContext()))
      return {
        tables: found,
        mismatches: found.flatMap((table) => table.mismatches),
        count: found.reduce((sum, table) => sum + table.mismatchCount, 0),
      }
    },
    async close() {
      for (const pool of [...pools.values(), ...writers.values()]) await pool.end()
      for (const database of databases.values()) await database.drop()
    },
  }
}
