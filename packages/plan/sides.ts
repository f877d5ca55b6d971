import { dirname, resolve } from 'node:path'
import { type Failure, fail } from '@crossfade/model/failure.ts'
import { asShardId, type ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { DirectoryEntry, ShardAddress } from '@crossfade/pipeline/catalog.ts'
import type { SecretReference } from '@crossfade/pipeline/resolved-plan.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import { topologyProblems } from '@crossfade/routing/validate-topology.ts'
import type { Connection, SecretSource, SideSpec, TopologySpec } from './schema.ts'

/** The name of the only shard of a side that is one database. */
const onlyShard = 'main'
/** Buckets of a target whose plan names none: many enough that shards can be split several times over. */
const defaultBuckets = 1024

export interface SideShape {
  readonly side: Side
  readonly shards: readonly ShardAddress[]
  readonly topology: TopologySpec | null
}

/** The shards of a side, in the order in which the plan writes them. `planPath` is what relative secret files are relative to. */
export function shapeOf(side: Side, spec: SideSpec, planPath: string): SideShape {
  const named = typeof spec === 'object' && 'shards' in spec ? spec.shards : { [onlyShard]: spec as Connection }
  const topology = typeof spec === 'object' && 'shards' in spec ? (spec.topology ?? null) : null
  const shards = Object.entries(named).map(([name, connection]) => addressOf(shardId(side, name), connection, planPath))
  return { side, shards, topology }
}

/** `source/a` for the shard `a` of the source. */
export function shardId(side: Side, name: string): ShardId {
  return asShardId(`${side}/${name}`)
}

/** The shard that a plan names, `a` or `source/a`; null when there is none. */
export function findShard(shards: readonly ShardId[], text: string): ShardId | null {
  return (
    shards.find((shard) => shard === text) ??
    shards.find((shard) => shard.slice(shard.indexOf('/') + 1) === text) ??
    null
  )
}

/** Makes the topology; problems are told to `report` and give null. `entries` is the content of the directory, when it is one. */
export function topologyOf(
  shape: SideShape,
  entries: readonly DirectoryEntry[] | null,
  report: (failure: Failure) => void,
): Topology | null {
  const ids = shape.shards.map((shard) => shard.id)
  const refuse = (reason: string) => report(fail('CF1016', { side: shape.side, reason }))
  const made = makeTopology(shape, ids, entries, refuse)
  if (!made) return null
  const problems = topologyProblems(made, ids)
  for (const problem of problems) refuse(problem)
  return problems.length === 0 ? made : null
}

/** Where a secret of the plan is found. */
export function secretReference(source: SecretSource, holds: 'url' | 'password', planPath: string): SecretReference {
  if ('env' in source) return { from: 'environment', variable: source.env, holds }
  return { from: 'file', path: resolve(dirname(planPath), source.file), holds }
}

function addressOf(id: ShardId, connection: Connection, planPath: string): ShardAddress {
  if (typeof connection === 'string') return { id, url: connection, secret: null }
  if ('url' in connection) {
    const secret = connection.passwordFrom ? secretReference(connection.passwordFrom, 'password', planPath) : null
    return { id, url: connection.url, secret }
  }
  const source = 'urlFrom' in connection ? connection.urlFrom : connection
  return { id, url: null, secret: secretReference(source, 'url', planPath) }
}

function makeTopology(
  shape: SideShape,
  ids: readonly ShardId[],
  entries: readonly DirectoryEntry[] | null,
  refuse: (reason: string) => void,
): Topology | null {
  const { side, topology } = shape
  if (topology === null) {
    if (ids.length === 1) return { kind: 'single', shard: ids[0]! }
    if (side === 'target') return evenHash(ids, defaultBuckets)
    refuse('several shards need a topology: hash, ranges or directory')
    return null
  }
  const known = (name: string): ShardId | null => {
    const found = findShard(ids, name)
    if (!found) refuse(`${name} is not a shard of this side`)
    return found
  }
  if ('hash' in topology) return hashTopology(topology.hash, ids, known)
  if ('ranges' in topology) {
    let from: string | null = null
    const ranges: { shard: ShardId; from: string | null; to: string | null }[] = []
    for (const { shard, below } of topology.ranges) {
      const id = known(shard)
      if (!id) return null
      ranges.push({ shard: id, from, to: below ?? null })
      from = below ?? null
    }
    return { kind: 'range', order: topology.order ?? 'integer', ranges }
  }
  if (!entries) return null
  const listed: Record<string, ShardId> = {}
  for (const { key, shard } of entries) {
    const id = known(shard)
    if (!id) return null
    listed[key] = id
  }
  const otherwise = topology.directory.otherwise === undefined ? null : known(topology.directory.otherwise)
  return { kind: 'directory', entries: listed, otherwise }
}

function hashTopology(
  hash: Extract<TopologySpec, { hash: object }>['hash'],
  ids: readonly ShardId[],
  known: (name: string) => ShardId | null,
): Topology | null {
  if (!hash.owners) return evenHash(ids, hash.buckets)
  const ranges: { shard: ShardId; from: number; to: number }[] = []
  for (const [name, owned] of Object.entries(hash.owners)) {
    const shard = known(name)
    if (!shard) return null
    for (const [first, last] of owned) ranges.push({ shard, from: first, to: last + 1 })
  }
  return { kind: 'hash', buckets: hash.buckets, ranges: ranges.sort((a, b) => a.from - b.from) }
}

function evenHash(ids: readonly ShardId[], buckets: number): Topology {
  const bound = (index: number) => Math.floor((index * buckets) / ids.length)
  return {
    kind: 'hash',
    buckets,
    ranges: ids.map((shard, index) => ({ shard, from: bound(index), to: bound(index + 1) })),
  }
}
