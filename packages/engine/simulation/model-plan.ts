import { asShardId, type ShardId } from '@crossfade/model/ids.ts'
import type { PlanDigest, ResolvedGate, ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Topology } from '@crossfade/routing/topology.ts'

export interface PlanShape {
  readonly sources: number
  readonly targets: number
  readonly keys: number
  /** Whether the units move one after the other, or all at once. */
  readonly grouped: boolean
  readonly gates?: readonly ResolvedGate[]
}

/** A plan of one table whose keys `k0`, `k1`, … are spread over the shards of both sides by directory, each side in its own way. */
export function modelPlan({ sources, targets, keys, grouped, gates = [] }: PlanShape): ResolvedPlan {
  const source = Array.from({ length: sources }, (_, index) => asShardId(`source/${index}`))
  const target = Array.from({ length: targets }, (_, index) => asShardId(`target/${index}`))
  const table = { schema: 'public', name: 'item' }
  const identity = { kind: 'key' as const, columns: ['id'] }
  const columns = [
    { source: 'id', target: 'id', type: 'text', generated: false, identity: null },
    { source: 'writes', target: 'writes', type: 'text[]', generated: false, identity: null },
  ]
  return {
    digest: `model ${sources} ${targets} ${keys} ${grouped}` as PlanDigest,
    name: 'model',
    module: null,
    source: { topology: directory(source, keys, (key) => key), shards: source.map(shardOf) },
    target: { topology: directory(target, keys, (key) => Math.floor(key / 2) + key), shards: target.map(shardOf) },
    tables: [
      {
        source: table,
        target: table,
        route: { kind: 'column', column: 'id' },
        columns,
        identity,
        where: null,
        transform: null,
        binary: true,
        leaves: [table],
        estimate: { rows: keys, bytes: keys * 100, pages: keys },
      },
    ],
    schema: { mode: 'create', ddl: 'stop', largeObjects: 'block' },
    copy: { chunkBytesMax: 1_000, jobsPerWorker: 2 },
    changes: { batchRowsMax: 10, batchBytesMax: 10_000, batchMsMax: 10, spoolBytesMax: 1_000_000 },
    verification: {
      chunkRowsMax: 100,
      rechecksMax: 3,
      recheckMs: 100,
      touchedKeysMax: 1_000,
      mismatchesReportedMax: 10,
    },
    cutover: {
      groups: grouped ? source.map((unit) => [unit]) : [source],
      deadlineMs: 1_500,
      fenceLockMsMax: 500,
      attemptsMax: 5,
      transactionMsMax: 1_000,
      lagMsMax: 1_000,
      sequenceMargin: 100,
      hooks: [],
    },
    throttle: {
      latencyBudget: null,
      probes: [],
      activeBackendsMax: null,
      replicaLagMsMax: null,
      walBytesPause: 1e12,
      walBytesMax: 2e12,
      diskFreeBytesMin: null,
      windows: [],
    },
    gates,
    backup: { mode: 'none', directory: null, drill: false },
    archive: 'readonly',
  }
}

function directory(shards: readonly ShardId[], keys: number, place: (key: number) => number): Topology {
  const entries = Object.fromEntries(
    Array.from({ length: keys }, (_, key) => [`k${key}`, shards[place(key) % shards.length]!]),
  )
  return { kind: 'directory', entries, otherwise: null }
}

function shardOf(id: ShardId) {
  return { id, url: `postgres://model/${id}`, secret: null, serverVersion: 180_000 }
}
