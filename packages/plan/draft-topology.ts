import { compareText } from '@crossfade/routing/compare-text.ts'
import { hashBucket } from '@crossfade/routing/hash-text.ts'
import type { TopologySpec } from './schema.ts'

/** Bucket counts that people use. */
const usualBuckets = [1024, 256, 512, 4096, 2048, 128, 64, 32, 16384, 16]

/**
 * Guesses how keys are spread over shards from the keys that each shard holds: ranges that do not overlap, or hash buckets that no two shards share.
 * Null when nothing fits, or when there are too few keys to tell.
 */
export function guessTopology(keys: ReadonlyMap<string, readonly string[]>): TopologySpec | null {
  if (keys.size < 2 || [...keys.values()].some((list) => list.length === 0)) return null
  return asRanges(keys, 'integer') ?? asHash(keys) ?? asRanges(keys, 'text')
}

function asRanges(keys: ReadonlyMap<string, readonly string[]>, order: 'integer' | 'text'): TopologySpec | null {
  if (order === 'integer' && ![...keys.values()].flat().every((key) => /^-?\d+$/.test(key))) return null
  const compare = (a: string, b: string) =>
    order === 'text' ? compareText(a, b) : BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0
  const spans = [...keys].map(([shard, list]) => {
    const sorted = [...list].sort(compare)
    return { shard, first: sorted[0]!, last: sorted[sorted.length - 1]! }
  })
  spans.sort((a, b) => compare(a.first, b.first))
  for (const [index, span] of spans.entries()) {
    const next = spans[index + 1]
    if (next && compare(span.last, next.first) >= 0) return null
  }
  const ranges = spans.map(({ shard }, index) => {
    const next = spans[index + 1]
    return next ? { shard, below: next.first } : { shard }
  })
  return { ranges, order }
}

/** Shards that own neighbouring buckets each, in any order. */
function asHash(keys: ReadonlyMap<string, readonly string[]>): TopologySpec | null {
  // A few keys fit many bucket counts; only as many as there are buckets per shard tell something.
  const keysMin = keys.size * 4
  if ([...keys.values()].flat().length < keysMin) return null
  for (const buckets of usualBuckets) {
    const owners = ownersOf(keys, buckets)
    if (owners) return { hash: { buckets, owners } }
  }
  return null
}

function ownersOf(
  keys: ReadonlyMap<string, readonly string[]>,
  buckets: number,
): Record<string, [number, number][]> | null {
  const spans = [...keys].map(([shard, list]) => {
    const held = list.map((key) => hashBucket(key, buckets))
    return { shard, first: Math.min(...held), last: Math.max(...held) }
  })
  spans.sort((a, b) => a.first - b.first)
  const share = buckets / spans.length
  for (const [index, span] of spans.entries()) {
    const next = spans[index + 1]
    if (next && span.last >= next.first) return null
    // An even share is the likeliest rule; with it the bounds between shards are known although not every bucket has a key.
    if (span.first < Math.floor(index * share) || span.last >= Math.floor((index + 1) * share)) return null
  }
  return Object.fromEntries(
    spans.map(({ shard }, index) => [
      shard,
      [[Math.floor(index * share), Math.floor((index + 1) * share) - 1]] as [number, number][],
    ]),
  )
}
