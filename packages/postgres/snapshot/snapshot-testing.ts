// For tests: a plan over real databases, and what a task is given.
import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { asEpoch, asMigrationId, asShardId, type MigrationId, type ShardId } from '@crossfade/model/ids.ts'
import type { TableName } from '@crossfade/model/table-name.ts'
import type { Snapshots, TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { PlanDigest, ResolvedColumn, ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { RowTransform } from '@crossfade/pipeline/transform.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import { openReplication } from '../changes/replication-connection.ts'
import { createPool, type ShardPool } from '../connection/pool.ts'
import { createControlSchema } from '../schema/control-schema.ts'
import { createSnapshots } from './snapshots.ts'

export const migration: MigrationId = asMigrationId('mig_0123456789ab')

export interface Bench {
  readonly plan: ResolvedPlan
  readonly snapshots: Snapshots
  readonly pool: (shard: ShardId) => ShardPool
  readonly databases: ReadonlyMap<ShardId, TestDatabase>
  readonly slot: (shard: ShardId) => string
  /** Rows as objects of text. */
  rows(shard: ShardId, sql: string): Promise<Record<string, string | null>[]>
  run(shard: ShardId, sql: string): Promise<void>
  close(): Promise<void>
}

export interface BenchOptions {
  readonly cluster: Cluster
  readonly sources?: number
  readonly targets?: number
  readonly topology?: (targets: readonly ShardId[]) => Topology
  readonly tables: readonly ResolvedTable[]
  readonly sourceSql: string
  readonly targetSql?: string
  readonly transforms?: Readonly<Record<string, RowTransform>>
  readonly chunkBytesMax?: number
  readonly connectionsMax?: number
}

/** Databases for sources and targets with their schemas, and the snapshots of a plan over them. */
export async function startBench(options: BenchOptions): Promise<Bench> {
  const { cluster, sources = 1, targets = 1, tables, sourceSql, targetSql = sourceSql, transforms = {} } = options
  const databases = new Map<ShardId, TestDatabase>()
  const pools = new Map<ShardId, ShardPool>()
  const shardOf = async (side: string, index: number) => {
    const id = asShardId(`${side}/${index}`)
    const database = await freshDatabase(cluster, side)
    databases.set(id, database)
    const shard = { id, url: database.url, secret: null, serverVersion: cluster.version }
    const connectionsMax = options.connectionsMax ?? 4
    pools.set(id, createPool({ shard, connectionsMax, ...(side === 'target' ? { writer: migration } : {}) }))
    await pools.get(id)!.withConnection(async (client) => {
      await createControlSchema(client, id)
      await client.query(side === 'source' ? sourceSql : targetSql)
    })
    return shard
  }
  const sourceShards: Awaited<ReturnType<typeof shardOf>>[] = []
  for (let index = 0; index < sources; index += 1) sourceShards.push(await shardOf('source', index))
  const targetShards: typeof sourceShards = []
  for (let index = 0; index < targets; index += 1) targetShards.push(await shardOf('target', index))
  const targetIds = targetShards.map((shard) => shard.id)
  const plan = {
    digest: 'test' as PlanDigest,
    name: 'test',
    source: { topology: { kind: 'single', shard: sourceShards[0]!.id }, shards: sourceShards },
    target: {
      topology: options.topology?.(targetIds) ?? { kind: 'single', shard: targetIds[0]! },
      shards: targetShards,
    },
    tables,
    copy: { chunkBytesMax: options.chunkBytesMax ?? 256 * 1024, jobsPerWorker: 2 },
  } as unknown as ResolvedPlan
  const slot = (shard: ShardId) => `crossfade_${databases.get(shard)!.name}`
  const pool = (shard: ShardId) => pools.get(shard)!
  const snapshots = createSnapshots({
    migration,
    plan,
    pool,
    transforms: (name) => transforms[name]!,
    openReplication: (id, signal) =>
      openReplication({ shard: sourceShards.find((shard) => shard.id === id)!, signal, purpose: 'snapshot' }),
    slot,
  })
  const rows: Bench['rows'] = (shard, sql) =>
    pool(shard).withConnection(async (client) => (await client.query(sql)).rows as Record<string, string | null>[])
  return {
    plan,
    snapshots,
    pool,
    databases,
    slot,
    rows,
    run: async (shard, sql) => void (await rows(shard, sql)),
    async close() {
      for (const shard of sourceShards) {
        await rows(
          shard.id,
          `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${slot(shard.id)}'`,
        ).catch(() => undefined)
      }
      await Promise.all([...pools.values()].map((each) => each.end()))
      await Promise.all([...databases.values()].map((database) => database.drop()))
    },
  }
}

export function taskContext(options: Partial<TaskContext> & { epochNumber?: number } = {}): TaskContext {
  const { epochNumber = 1, ...more } = options
  return {
    epoch: asEpoch(epochNumber),
    lease: 'copy',
    signal: new AbortController().signal,
    report: () => undefined,
    throttle: async () => undefined,
    ...more,
  }
}

export function testTable(
  name: string,
  columns: Readonly<Record<string, string>>,
  more: Partial<Omit<ResolvedTable, 'columns'>> & { readonly columns?: readonly Partial<ResolvedColumn>[] } = {},
): ResolvedTable {
  const source: TableName = { schema: 'public', name }
  return {
    source,
    target: source,
    route: { kind: 'whole' },
    identity: { kind: 'key', columns: [Object.keys(columns)[0]!] },
    where: null,
    transform: null,
    binary: true,
    leaves: [],
    estimate: { rows: 0, bytes: 0, pages: 0 },
    ...more,
    columns: Object.entries(columns).map(([column, type], index) => ({
      source: column,
      target: column,
      type,
      generated: false,
      identity: null,
      ...more.columns?.[index],
    })),
  }
}
