import { createHash } from 'node:crypto'
import type { PostgresVersion } from '@crossfade/embedded/binaries.ts'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { asShardId, type ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import { route } from '@crossfade/routing/route.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import pg from 'pg'
import { populateShard } from './populate.ts'

/** Fixed for the messaging system, as it is for any system that once chose it. */
export const messagingBuckets = 1024

/** One side of a simulated system: a server for each shard, with one database `messaging`. */
export interface SimulatedSide {
  readonly topology: Topology
  readonly shards: ReadonlyMap<ShardId, { readonly cluster: Cluster; readonly url: string }>
  stop(): Promise<void>
}

export interface SideOptions {
  readonly side: Side
  readonly count: number
  readonly version: PostgresVersion
  readonly settings?: Record<string, string>
}

/** Tenant ids, the same ones for the same number. The first ones hold most of the rows. */
export function tenantIds(count: number): string[] {
  return Array.from({ length: count }, (_, ordinal) => {
    const hex = createHash('md5').update(`tenant ${ordinal}`).digest('hex')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  })
}

/** Buckets in equal parts over `count` shards. Source shards are called `source/a`, `source/b` …, target shards `target/0`, `target/1` … */
export function messagingTopology(side: Side, count: number): Topology {
  const name = (ordinal: number) =>
    asShardId(`${side}/${side === 'source' ? String.fromCharCode(97 + ordinal) : String(ordinal)}`)
  const edge = (ordinal: number) => Math.round((ordinal * messagingBuckets) / count)
  return {
    kind: 'hash',
    buckets: messagingBuckets,
    ranges: Array.from({ length: count }, (_, ordinal) => ({
      shard: name(ordinal),
      from: edge(ordinal),
      to: edge(ordinal + 1),
    })),
  }
}

/** Starts one empty server for each shard of a side, in parallel. `stop` removes them. */
export async function startSide(options: SideOptions): Promise<SimulatedSide> {
  const topology = messagingTopology(options.side, options.count)
  if (topology.kind !== 'hash') throw new TypeError('the messaging system is sharded by hash')
  const started = await Promise.all(
    topology.ranges.map(async ({ shard }) => {
      const cluster = await startCluster({
        version: options.version,
        ephemeral: true,
        settings: { ...durable, ...options.settings },
      })
      return [shard, { cluster, url: await cluster.createDatabase('messaging') }] as const
    }),
  )
  const shards = new Map(started)
  return {
    topology,
    shards,
    stop: async () => {
      await Promise.all([...shards.values()].map(({ cluster }) => cluster.destroy()))
    },
  }
}

/** The simulated system commits for real: an acknowledged write must survive what we do to it. */
const durable = { synchronous_commit: 'on', shared_buffers: '128MB', max_wal_size: '4GB' }

/** Creates the sixteen tables on every shard of a source side and fills each with its own tenants. Returns the rows made. */
export async function populateSide(side: SimulatedSide, tenants: readonly string[], rows: number): Promise<number> {
  const count = side.shards.size
  const made = await Promise.all(
    [...side.shards].map(async ([shard, { url }], ordinal) => {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      try {
        const own = tenants.filter((tenant) => route(side.topology, tenant) === shard)
        return await populateShard(client, own, { rows: Math.ceil(rows / count), shards: count, ordinal })
      } finally {
        await client.end()
      }
    }),
  )
  return made.reduce((sum, one) => sum + one, 0)
}
