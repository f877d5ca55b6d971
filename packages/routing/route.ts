import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { compareText } from './compare-text.ts'
import { hashBucket } from './hash-text.ts'
import type { Topology } from './topology.ts'

/** Finds the shard of a key; `null` stands for SQL's NULL. */
export type Router = (key: string | null) => ShardId

/**
 * The shard that `topology` gives to a key (its text form, `key::text`).
 * Throws CF2801 for a NULL key outside `single`, CF2802 for a key no shard owns (a gap, or unlisted without `otherwise`),
 * CF2803 for a key that is no integer where ranges are of integers. `routeSql` gives the same answers in SQL.
 */
export function route(topology: Topology, key: string | null): ShardId {
  return routerOf(topology)(key)
}

/** `route` for many keys: the look-up tables are built once and kept with the topology object, which must not be changed. */
export function routerOf(topology: Topology): Router {
  let router = routers.get(topology)
  if (!router) {
    router = makeRouter(topology)
    routers.set(topology, router)
  }
  return router
}

/** All shards of a topology, each once, in the order in which it names them. */
export function shardsOf(topology: Topology): readonly ShardId[] {
  switch (topology.kind) {
    case 'single':
      return [topology.shard]
    case 'hash':
    case 'range':
      return [...new Set(topology.ranges.map((range) => range.shard))]
    case 'directory':
      return [...new Set([...Object.values(topology.entries), ...(topology.otherwise ? [topology.otherwise] : [])])]
  }
}

/** The text form of an integer; anything else is no key of an integer range. */
export const integerText = /^-?[0-9]+$/

const routers = new WeakMap<Topology, Router>()

function makeRouter(topology: Topology): Router {
  switch (topology.kind) {
    case 'single':
      return () => topology.shard
    case 'hash':
      return hashRouter(topology)
    case 'range':
      return topology.order === 'integer' ? integerRouter(topology) : textRouter(topology)
    case 'directory':
      return (key) => {
        if (key === null) throw fail('CF2801')
        const shard = Object.hasOwn(topology.entries, key) ? topology.entries[key]! : topology.otherwise
        if (shard === null) throw fail('CF2802', { key })
        return shard
      }
  }
}

function hashRouter(topology: Extract<Topology, { kind: 'hash' }>): Router {
  const { buckets } = topology
  const owners = new Map<number, ShardId>()
  // Where ranges overlap (which no valid topology does) the first one counts, as in routeSql's CASE.
  for (const range of topology.ranges) {
    for (let bucket = range.from; bucket < range.to; bucket += 1) {
      if (!owners.has(bucket)) owners.set(bucket, range.shard)
    }
  }
  const table = Array.from({ length: buckets }, (_, bucket) => owners.get(bucket))
  return (key) => {
    if (key === null) throw fail('CF2801')
    const shard = table[hashBucket(key, buckets)]
    if (shard === undefined) throw fail('CF2802', { key })
    return shard
  }
}

type RangeTopology = Extract<Topology, { kind: 'range' }>

function integerRouter(topology: RangeTopology): Router {
  const find = rangeFinder(topology, integerOf, (a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return (key) => {
    if (key === null) throw fail('CF2801')
    if (!integerText.test(key)) throw fail('CF2803', { key })
    const shard = find(integerOf(key))
    if (shard === undefined) throw fail('CF2802', { key })
    return shard
  }
}

/** Short numbers stay doubles; JavaScript compares a double and a bigint exactly. */
function integerOf(text: string): number | bigint {
  return text.length <= 15 ? Number(text) : BigInt(text)
}

function textRouter(topology: RangeTopology): Router {
  const find = rangeFinder(topology, (text) => text, compareText)
  return (key) => {
    if (key === null) throw fail('CF2801')
    const shard = find(key)
    if (shard === undefined) throw fail('CF2802', { key })
    return shard
  }
}

function rangeFinder<Key>(
  topology: RangeTopology,
  parse: (text: string) => Key,
  compare: (a: Key, b: Key) => number,
): (key: Key) => ShardId | undefined {
  const ranges = topology.ranges.map((range) => ({
    shard: range.shard,
    from: range.from === null ? null : parse(range.from),
    to: range.to === null ? null : parse(range.to),
  }))
  const holds = (range: (typeof ranges)[number], key: Key) =>
    (range.from === null || compare(key, range.from) >= 0) && (range.to === null || compare(key, range.to) < 0)
  const ascending = ranges.every((range, index) => {
    const before = ranges[index - 1]
    return !before || (before.to !== null && range.from !== null && compare(before.to, range.from) <= 0)
  })
  // Unsorted ranges are looked through in their order, as routeSql's CASE does.
  if (!ascending) return (key) => ranges.find((range) => holds(range, key))?.shard
  return (key) => {
    let low = 0
    let high = ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      const { from } = ranges[middle]!
      if (from === null || compare(key, from) >= 0) low = middle + 1
      else high = middle
    }
    const range = ranges[low - 1]
    return range && holds(range, key) ? range.shard : undefined
  }
}
