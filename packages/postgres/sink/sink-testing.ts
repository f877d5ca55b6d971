// For tests: a plan over real databases whose streams run, and comparisons of both sides.

import assert from 'node:assert/strict'
import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import { asEpoch, asShardId, type MigrationId, newMigrationId, type ShardId } from '@crossfade/model/ids.ts'
import { type Lsn, parseLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { StreamStatus, Streams } from '@crossfade/pipeline/data-plane.ts'
import type { ChangeLimits, PlanDigest, ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { ReversibleTransform } from '@crossfade/pipeline/transform.ts'
import { routeSql } from '@crossfade/routing/route-sql.ts'
import { keyExpressionSql } from '@crossfade/routing/table-key.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import pg from 'pg'
import { streamName } from '../changes/names.ts'
import { createPublication } from '../changes/publication.ts'
import { quoteTable } from '../connection/quote.ts'
import { createControlSchema } from '../schema/control-schema.ts'
import { createStreams } from './streams.ts'
import { believingListener, type TouchListener } from './touch-listener.ts'

export { testTable } from '../snapshot/snapshot-testing.ts'

export interface BenchOptions {
  readonly sourceCluster: Cluster
  readonly targetCluster?: Cluster
  readonly sources?: number
  readonly targets?: number
  readonly sourceTopology?: (shards: readonly ShardId[]) => Topology
  readonly targetTopology?: (shards: readonly ShardId[]) => Topology
  readonly tables: readonly ResolvedTable[]
  readonly sourceSql: string
  readonly targetSql?: string
  readonly transforms?: Readonly<Record<string, ReversibleTransform>>
  readonly changes?: Partial<ChangeLimits>
  readonly ddl?: 'stop' | 'apply'
  readonly reverse?: boolean
  readonly listener?: (from: ShardId) => TouchListener
  /** The role that applies, when it is not the superuser. */
  readonly applier?: { readonly user: string; readonly password?: string }
}

export interface RunningStream {
  readonly status: () => StreamStatus | null
  /** Rejects when the stream failed. */
  readonly done: Promise<void>
  stop(): Promise<void>
}

/** Both sides of a plan on databases of their own. `close` ends the streams and drops the databases. */
export class SinkBench {
  readonly migration: MigrationId = newMigrationId()
  readonly databases = new Map<ShardId, TestDatabase>()
  readonly clients = new Map<ShardId, pg.Client>()
  readonly options: BenchOptions
  plan!: ResolvedPlan
  streams!: Streams
  #running: RunningStream[] = []

  constructor(options: BenchOptions) {
    this.options = options
  }

  get sources(): pg.Client[] {
    return this.plan.source.shards.map((shard) => this.clients.get(shard.id)!)
  }
  get targets(): pg.Client[] {
    return this.plan.target.shards.map((shard) => this.clients.get(shard.id)!)
  }

  /** Follows a shard until stopped; the lease's epoch is the caller's. */
  follow(from: string, epoch = 1): RunningStream {
    const stop = new AbortController()
    let last: StreamStatus | null = null
    const done = this.streams.follow(
      asShardId(from),
      {
        epoch: asEpoch(epoch),
        lease: `stream:${from}`,
        signal: stop.signal,
        report: () => {},
        throttle: async () => {},
      },
      {
        status: (status) => {
          last = status
        },
      },
    )
    done.catch(() => {})
    const running: RunningStream = {
      status: () => last,
      done,
      stop: async () => {
        stop.abort(new Error('stopped by the test'))
        await done.catch(() => {})
      },
    }
    this.#running.push(running)
    return running
  }

  /** Waits until everything committed on the shard so far is applied. Rejects when the stream ends instead. */
  async caughtUp(from: string, stream: RunningStream): Promise<void> {
    const { rows } = await this.clients
      .get(asShardId(from))!
      .query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn')
    await reached(stream, parseLsn(rows[0]!.lsn))
  }

  /** Asserts that every table holds the same rows on both sides. */
  async assertEqual(authority: Side = 'source'): Promise<void> {
    const { tables } = this.plan
    for (const table of tables) {
      const reference = table.route.kind === 'reference'
      const rows = async (side: Side) => {
        const clients = side === 'source' ? this.sources : this.targets
        const columns = table.columns.map((column) => column[side])
        return rowsOf(
          reference && side === authority ? clients.slice(0, 1) : clients,
          quoteTable(table[side]),
          columns,
          reference,
        )
      }
      assert.deepEqual(await rows('target'), await rows('source'), tableKey(table.source))
      await this.#assertPlaced(table, otherSide(authority))
    }
  }

  /** Every row lies on the shard that its key belongs to. */
  async #assertPlaced(table: ResolvedTable, side: Side): Promise<void> {
    if (table.route.kind === 'reference' || table.route.kind === 'whole') return
    const key = keyExpressionSql(table.route, 't')
    for (const shard of this.plan[side].shards) {
      const { rows } = await this.clients
        .get(shard.id)!
        .query(
          `SELECT t.*::text FROM ${quoteTable(table[side])} AS t WHERE ${routeSql(this.plan[side].topology, key)} IS DISTINCT FROM '${shard.id}'`,
        )
      assert.deepEqual(rows, [], `rows of ${tableKey(table.source)} that do not belong on ${shard.id}`)
    }
  }

  /** Opens the test's own connection again after its server was killed. */
  async reconnect(shard: string): Promise<void> {
    const id = asShardId(shard)
    await this.clients
      .get(id)!
      .end()
      .catch(() => {})
    this.clients.set(id, await openClient(this.databases.get(id)!.url))
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((running) => running.stop()))
    for (const client of this.clients.values()) {
      await client
        .query(
          `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database() AND NOT active`,
        )
        .catch(() => {})
      await client.end().catch(() => {})
    }
    for (const database of this.databases.values()) await database.drop().catch(() => {})
  }
}

/** Databases for both sides with their tables and control schemas, publications and slots; nothing is followed yet. */
export async function startSinkBench(options: BenchOptions): Promise<SinkBench> {
  const bench = new SinkBench(options)
  const { sourceCluster, targetCluster = sourceCluster, tables } = options
  const make = async (side: Side, count: number, cluster: Cluster, sql: string) => {
    const shards = []
    for (let index = 0; index < count; index += 1) {
      const id = asShardId(`${side}/${index}`)
      const database = await freshDatabase(cluster, side)
      bench.databases.set(id, database)
      const client = await openClient(database.url)
      bench.clients.set(id, client)
      await createControlSchema(client, id)
      await client.query(sql)
      if (options.applier && side === 'target') {
        const user = pg.escapeIdentifier(options.applier.user)
        await client.query(
          `GRANT ALL ON SCHEMA crossfade, public TO ${user}; GRANT ALL ON ALL TABLES IN SCHEMA crossfade, public TO ${user}`,
        )
      }
      const url =
        options.applier && side === 'target'
          ? cluster.url({ database: database.name, ...options.applier })
          : database.url
      shards.push({ id, url, secret: null, serverVersion: cluster.version * 10_000 })
    }
    return shards
  }
  const sources = await make('source', options.sources ?? 1, sourceCluster, options.sourceSql)
  const targets = await make('target', options.targets ?? 1, targetCluster, options.targetSql ?? options.sourceSql)
  const ids = (shards: readonly { id: ShardId }[]) => shards.map((shard) => shard.id)
  bench.plan = {
    digest: 'test' as PlanDigest,
    name: 'test',
    module: null,
    source: {
      topology: options.sourceTopology?.(ids(sources)) ?? { kind: 'single', shard: sources[0]!.id },
      shards: sources,
    },
    target: {
      topology: options.targetTopology?.(ids(targets)) ?? { kind: 'single', shard: targets[0]!.id },
      shards: targets,
    },
    tables,
    schema: { mode: 'existing', ddl: options.ddl ?? 'stop', largeObjects: 'ignore' },
    changes: {
      batchRowsMax: 5_000,
      batchBytesMax: 4 * 1024 * 1024,
      batchMsMax: 100,
      spoolBytesMax: 1 << 30,
      ...options.changes,
    },
  } as unknown as ResolvedPlan
  for (const side of options.reverse ? (['source', 'target'] as const) : (['source'] as const)) {
    for (const [ordinal, shard] of bench.plan[side].shards.entries()) {
      const name = streamName(bench.migration, side, ordinal)
      const client = bench.clients.get(shard.id)!
      await createPublication(client, {
        shard: shard.id,
        publication: name,
        tables: tables.map((table) => table[side]),
      })
      await client.query(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`)
    }
  }
  bench.streams = createStreams({
    plan: bench.plan,
    migration: bench.migration,
    transforms: (name) => options.transforms![name]!,
    listener: options.listener ?? (() => believingListener()),
  })
  return bench
}

export async function openClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    options: '-c TimeZone=UTC',
    types: { getTypeParser: () => (value: unknown) => value } as never,
  })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Equal shares of `buckets` for each shard. */
export function hashTopology(buckets: number): (shards: readonly ShardId[]) => Topology {
  return (shards) => ({
    kind: 'hash',
    buckets,
    ranges: shards.map((shard, index) => ({
      shard,
      from: Math.floor((index * buckets) / shards.length),
      to: Math.floor(((index + 1) * buckets) / shards.length),
    })),
  })
}

async function reached(stream: RunningStream, lsn: Lsn): Promise<void> {
  let failure: unknown
  stream.done.then(
    () => {
      failure ??= new Error('the stream ended')
    },
    (error: unknown) => {
      failure = error
    },
  )
  while ((stream.status()?.applied ?? zeroLsn) < lsn) {
    if (failure) throw failure
    await systemClock.sleep(5)
  }
}

async function rowsOf(
  clients: readonly pg.Client[],
  table: string,
  columns: readonly string[],
  reference: boolean,
): Promise<string[]> {
  // Long values by their digest, so that a difference can be read.
  const list = columns
    .map(
      (column) =>
        `CASE WHEN length(${pg.escapeIdentifier(column)}::text) > 100 THEN md5(${pg.escapeIdentifier(column)}::text) ELSE ${pg.escapeIdentifier(column)}::text END`,
    )
    .join(', ')
  const all: string[][] = []
  for (const client of clients) {
    const { rows } = await client.query<Record<string, string>>(
      `SELECT ROW(${list})::text AS row FROM ONLY ${table} UNION ALL SELECT ROW(${list})::text FROM ${table} WHERE (SELECT relkind FROM pg_class WHERE oid = '${table}'::regclass) = 'p'`,
    )
    all.push(rows.map((row) => row['row']!).sort())
  }
  if (reference) for (const rows of all) assert.deepEqual(rows, all[0])
  return reference ? all[0]! : all.flat().sort()
}
