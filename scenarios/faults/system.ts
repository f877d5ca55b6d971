import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { type FaultProxy, startFaultProxy } from '@crossfade/embedded/fault-proxy.ts'
import { hash, type Plan } from '@crossfade/plan/define.ts'
import { messagingTables } from '@crossfade/simulator/messaging-schema.ts'
import {
  messagingBuckets,
  populateSide,
  type SimulatedSide,
  startSide,
  tenantIds,
} from '@crossfade/simulator/messaging-shards.ts'

const tenantCount = 40
const small = { shared_buffers: '16MB', max_wal_size: '512MB' }

/** What a fault can strike: a server, and the proxy through which the workers (and only they) reach it. */
export interface Place {
  readonly side: 'source' | 'target' | 'control'
  readonly name: string
  readonly cluster: Cluster
  readonly proxy: FaultProxy
}

/** A small messaging system on real servers, with a fault proxy between every one of them and the workers. */
export interface System {
  readonly source: SimulatedSide
  readonly target: SimulatedSide
  readonly control: Cluster
  readonly places: readonly Place[]
  readonly tenants: readonly string[]
  /** Names the proxies' addresses. */
  readonly plan: Plan
  /** Of the control database, directly and by its proxy. */
  readonly controlUrl: string
  readonly proxiedControlUrl: string
  /** Holds the ledger and the workers' log. */
  readonly directory: string
  strike(): Promise<void>
}

export interface SystemOptions {
  readonly seed: number
  readonly targets: number
  readonly rows: number
}

/** Starts two source servers, the target servers and a control server, fills the sources, and plans the move of everything. */
export async function setSystem({ seed, targets, rows }: SystemOptions): Promise<System> {
  const directory = await mkdtemp(join(tmpdir(), `crossfade-faults-${seed}-`))
  const [source, target, control] = await Promise.all([
    startSide({ side: 'source', count: 2, version: 16, settings: small }),
    startSide({ side: 'target', count: targets, version: 18, settings: small }),
    startCluster({ version: 18, settings: small }),
  ])
  const tenants = tenantIds(tenantCount)
  await populateSide(source, tenants, rows)
  const controlUrl = await control.createDatabase('crossfade')
  const places: Place[] = []
  for (const [side, { shards }] of [
    ['source', source],
    ['target', target],
  ] as const) {
    for (const [name, { cluster }] of shards) places.push({ side, name, cluster, proxy: await proxyOf(cluster) })
  }
  const controlProxy = await proxyOf(control)
  places.push({ side: 'control', name: 'control', cluster: control, proxy: controlProxy })
  const proxied = (side: SimulatedSide) =>
    Object.fromEntries(
      [...side.shards].map(([name, { url }]) => [
        name.split('/')[1]!,
        { url: throughProxy(url, places.find((place) => place.name === name)!.proxy) },
      ]),
    )
  return {
    source,
    target,
    control,
    places,
    tenants,
    plan: planOf(seed, proxied(source), proxied(target)),
    controlUrl,
    proxiedControlUrl: throughProxy(controlUrl, controlProxy),
    directory,
    strike: async () => {
      await Promise.all(places.map(({ proxy }) => proxy.close()))
      await Promise.all([source.stop(), target.stop(), control.destroy()])
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function proxyOf(cluster: Cluster): Promise<FaultProxy> {
  return startFaultProxy({ target: { host: cluster.host, port: cluster.port } })
}

function throughProxy(url: string, proxy: FaultProxy): string {
  const through = new URL(url)
  through.port = String(proxy.port)
  return through.href
}

type Shards = Readonly<Record<string, { readonly url: string }>>

function planOf(seed: number, source: Shards, target: Shards): Plan {
  return {
    name: `faults-${seed}`,
    source: { shards: source, topology: hash({ buckets: messagingBuckets }) },
    target: { shards: target, topology: hash({ buckets: messagingBuckets }) },
    tables: messagingTables,
    // Tiny chunks, so that a fault finds some done, some under way and some waiting.
    copy: { chunkBytesMax: '64 KiB' },
    gates: { live: [{ kind: 'verified' }, { kind: 'lag', limit: 1_000 }], complete: [] },
    throttle: { latencyBudget: null },
  }
}
