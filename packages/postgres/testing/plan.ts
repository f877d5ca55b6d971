import { asShardId, type ShardId } from '@crossfade/model/ids.ts'
import type { TableName } from '@crossfade/model/table-name.ts'
import type { PlanDigest, ResolvedColumn, ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import type pg from 'pg'
import { quoteTable } from '../connection/quote.ts'

/** A resolved plan for tests: everything that a test does not say is a sensible small value. */
export function testPlan(options: {
  readonly source: { readonly topology: Topology; readonly urls: Readonly<Record<string, string>> }
  readonly target: { readonly topology: Topology; readonly urls: Readonly<Record<string, string>> }
  readonly tables: readonly ResolvedTable[]
  readonly cutover?: Partial<ResolvedPlan['cutover']>
  readonly verification?: Partial<ResolvedPlan['verification']>
}): ResolvedPlan {
  const side = ({ topology, urls }: (typeof options)['source']) => ({
    topology,
    shards: Object.entries(urls).map(([id, url]) => ({ id: asShardId(id), url, secret: null, serverVersion: 180_000 })),
  })
  return {
    digest: 'test' as PlanDigest,
    name: 'test',
    module: null,
    source: side(options.source),
    target: side(options.target),
    tables: options.tables,
    schema: { mode: 'existing', ddl: 'stop', largeObjects: 'block' },
    copy: { chunkBytesMax: 33_554_432, jobsPerWorker: 2 },
    changes: { batchRowsMax: 5_000, batchBytesMax: 8_388_608, batchMsMax: 50, spoolBytesMax: 67_108_864 },
    verification: {
      chunkRowsMax: 50_000,
      rechecksMax: 5,
      recheckMs: 50,
      touchedKeysMax: 100_000,
      mismatchesReportedMax: 100,
      ...options.verification,
    },
    cutover: {
      groups: [Object.keys(options.source.urls).map(asShardId)],
      deadlineMs: 5_000,
      fenceLockMsMax: 500,
      attemptsMax: 3,
      transactionMsMax: 1_000,
      lagMsMax: 1_000,
      sequenceMargin: 1_000,
      hooks: [],
      ...options.cutover,
    },
    throttle: {
      latencyBudget: null,
      probes: [],
      activeBackendsMax: null,
      replicaLagMsMax: null,
      walBytesPause: 2 ** 33,
      walBytesMax: 2 ** 34,
      diskFreeBytesMin: null,
      windows: [],
    },
    gates: [],
    backup: { mode: 'none', directory: null, drill: false },
    archive: 'leave',
  }
}

/** Describes a table of a live database as the planner would, its columns and primary key read from the catalog. */
export async function testTable(client: pg.ClientBase, table: TableName, route: TableRoute): Promise<ResolvedTable> {
  const { rows } = await client.query<{
    name: string
    type: string
    generated: string
    identity: string
    key: string | null
  }>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated::text AS generated, a.attidentity::text AS identity,
       array_position(i.indkey::int2[], a.attnum)::text AS key
     FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [quoteTable(table)],
  )
  const leaves = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_partition_tree($1::regclass) t JOIN pg_class c ON c.oid = t.relid
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE t.isleaf AND c.oid <> $1::regclass ORDER BY 1, 2`,
    [quoteTable(table)],
  )
  const columns = rows.map(
    (row): ResolvedColumn => ({
      source: row.name,
      target: row.name,
      type: row.type,
      generated: row.generated === 's',
      identity: row.identity === 'a' ? 'always' : row.identity === 'd' ? 'default' : null,
    }),
  )
  const key = rows.filter((row) => row.key !== null).sort((a, b) => Number(a.key) - Number(b.key))
  return {
    source: table,
    target: table,
    route,
    columns,
    identity: key.length === 0 ? { kind: 'full' } : { kind: 'key', columns: key.map((row) => row.name) },
    where: null,
    transform: null,
    binary: true,
    leaves: leaves.rows,
    estimate: { rows: 1_000, bytes: 100_000, pages: 16 },
  }
}

/** Buckets spread evenly over the shards, in their order. */
export function evenHash(shards: readonly string[], buckets = 16): Topology {
  const ranges = shards.map((shard, index) => ({
    shard: shard as ShardId,
    from: Math.floor((index * buckets) / shards.length),
    to: Math.floor(((index + 1) * buckets) / shards.length),
  }))
  return { kind: 'hash', buckets, ranges }
}
