// For tests: carries the schema of one database to another and looks at what differs.
import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase, type TestDatabase } from '@crossfade/embedded/testing.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import { asEpoch, asShardId, newMigrationId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type pg from 'pg'
import { connect } from '../../connection/connect.ts'
import { createPool, type ShardPool } from '../../connection/pool.ts'
import { testPlan } from '../../testing/plan.ts'
import { createInfrastructure, type PostgresInfrastructure } from '../infrastructure.ts'
import { readInventory } from '../inventory.ts'
import { unchangedTables } from '../mapping.ts'

export interface RoundTripOptions {
  readonly source: Cluster
  readonly target: Cluster
  /** Run on the source before its inventory is read. */
  readonly setup?: string
  /** Run on the target before the schema is created. */
  readonly targetSetup?: string
  /** A path, or null for the way by catalogs. */
  readonly pgDump?: string | null
  readonly tables?: (tables: ResolvedTable[]) => ResolvedTable[]
  readonly user?: string
  /** Sessions of the migration carry its mark, as those of the engine do. */
  readonly writer?: boolean
  readonly mode?: 'create' | 'existing'
  readonly plan?: Partial<ResolvedPlan>
}

export interface RoundTrip {
  readonly sourceUrl: string
  readonly targetUrl: string
  readonly plan: ResolvedPlan
  readonly infrastructure: PostgresInfrastructure
  readonly source: pg.Client
  readonly target: pg.Client
  readonly pool: (shard: string) => ShardPool
  create(): Promise<readonly Finding[]>
  work(): Promise<void>
  compare(): Promise<readonly Finding[]>
  end(): Promise<void>
}

/** Two fresh databases, the source set up, and the infrastructure of a migration between them. `end` drops both. */
export async function roundTrip(options: RoundTripOptions): Promise<RoundTrip> {
  const sourceDatabase = await freshDatabase(options.source, 'zoo_from')
  const targetDatabase = await freshDatabase(options.target, 'zoo_to')
  const source = await superuser(sourceDatabase)
  const target = await superuser(targetDatabase)
  if (options.setup) await source.query(options.setup)
  if (options.targetSetup) await target.query(options.targetSetup)
  const inventory = await readInventory(source)
  const url = (database: TestDatabase) =>
    options.user ? database.url.replace('postgres://postgres@', `postgres://${options.user}@`) : database.url
  const tables = unchangedTables(inventory)
  const plan: ResolvedPlan = {
    ...testPlan({
      source: { topology: { kind: 'single', shard: asShardId('source/a') }, urls: { 'source/a': url(sourceDatabase) } },
      target: { topology: { kind: 'single', shard: asShardId('target/0') }, urls: { 'target/0': url(targetDatabase) } },
      tables: options.tables ? options.tables(tables) : tables,
    }),
    schema: { mode: options.mode ?? 'create', ddl: 'stop', largeObjects: 'block' },
    ...options.plan,
  }
  const migration = newMigrationId()
  const pools = new Map(
    [...plan.source.shards, ...plan.target.shards].map((shard) => [
      shard.id as string,
      createPool({ shard, ...(options.writer ? { writer: migration } : {}) }),
    ]),
  )
  const pool = (shard: string) => pools.get(shard)!
  const infrastructure = createInfrastructure({
    plan,
    migration,
    pool,
    removeFences: async () => {},
    pgDump: options.pgDump ?? null,
  })
  return {
    sourceUrl: url(sourceDatabase),
    targetUrl: url(targetDatabase),
    plan,
    infrastructure,
    source,
    target,
    pool,
    async create() {
      await infrastructure.createControlSchema('source')
      await infrastructure.createControlSchema('target')
      return infrastructure.createSchema()
    },
    async work() {
      for (const work of await infrastructure.schemaWork()) await infrastructure.runSchemaWork(work, testContext())
    },
    compare: () => infrastructure.compareSchemas(),
    async end() {
      await Promise.all([...pools.values()].map((each) => each.end()))
      await source.end()
      await target.end()
      await sourceDatabase.drop()
      await targetDatabase.drop()
    },
  }
}

/** A context that nothing interrupts. */
export function testContext(more: Partial<TaskContext> = {}): TaskContext {
  return {
    epoch: asEpoch(1),
    lease: 'test',
    signal: new AbortController().signal,
    report: () => {},
    throttle: async () => {},
    ...more,
  }
}

export function textOf(findings: readonly Finding[]): string[] {
  return findings.map((each) => `${each.code} ${each.severity} ${each.message}`)
}

export function tableNamed(tables: readonly ResolvedTable[], name: string): ResolvedTable {
  const found = tables.find((table) => tableKey(table.source) === name)
  if (!found) throw new Error(`the plan has no table ${name}`)
  return found
}

async function superuser(database: TestDatabase): Promise<pg.Client> {
  return connect({ shard: { id: asShardId('test'), url: database.url, secret: null }, purpose: 'test' })
}
