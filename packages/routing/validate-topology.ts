import type { ShardId } from '@crossfade/model/ids.ts'
import { compareText } from './compare-text.ts'
import { integerText, shardsOf } from './route.ts'
import type { Topology } from './topology.ts'

/** More buckets than this make no shard more even, and look-up tables large. */
export const bucketsMax = 1_048_576

/**
 * What is wrong with a topology, in words; empty when every key has exactly one owner among `shards` and every shard can own keys.
 * Pure; the order of the problems is stable.
 */
export function topologyProblems(topology: Topology, shards: readonly ShardId[]): readonly string[] {
  return [...shapeProblems(topology), ...shardProblems(topology, shards)]
}

function shapeProblems(topology: Topology): readonly string[] {
  switch (topology.kind) {
    case 'single':
      return []
    case 'hash':
      return hashProblems(topology)
    case 'range':
      return rangeProblems(topology)
    case 'directory':
      return Object.keys(topology.entries).length === 0 && topology.otherwise === null
        ? ['the directory lists no key and names no shard for unlisted ones']
        : []
  }
}

function shardProblems(topology: Topology, shards: readonly ShardId[]): readonly string[] {
  const used = shardsOf(topology)
  return [
    ...used.filter((shard) => !shards.includes(shard)).map((shard) => `${shard} is not a shard of this side`),
    // A directory may name a shard later, when the first key moves there.
    ...(topology.kind === 'directory' ? [] : shards.filter((shard) => !used.includes(shard))).map(
      (shard) => `${shard} owns no key`,
    ),
  ]
}

function hashProblems(topology: Extract<Topology, { kind: 'hash' }>): readonly string[] {
  const { buckets } = topology
  if (!Number.isInteger(buckets) || buckets < 1 || buckets > bucketsMax) {
    return [`the number of buckets must be between 1 and ${bucketsMax}, not ${buckets}`]
  }
  const problems: string[] = []
  const valid = topology.ranges.filter((range) => {
    if (!Number.isInteger(range.from) || !Number.isInteger(range.to)) {
      problems.push(`${range.shard}: buckets ${range.from}..${range.to} are not whole numbers`)
    } else if (range.from >= range.to) {
      problems.push(`${range.shard}: buckets ${range.from}..${range.to} hold nothing`)
    } else if (range.from < 0 || range.to > buckets) {
      problems.push(`${range.shard}: buckets ${range.from}..${range.to} lie outside 0..${buckets}`)
    } else return true
    return false
  })
  problems.push(
    ...coverProblems(valid, {
      what: 'buckets',
      compare: (a, b) => a - b,
      print: String,
      start: 0,
      end: buckets,
    }),
  )
  return problems
}

function rangeProblems(topology: Extract<Topology, { kind: 'range' }>): readonly string[] {
  return topology.order === 'integer'
    ? orderedProblems(
        topology.ranges,
        (text) => (integerText.test(text) ? BigInt(text) : undefined),
        (a, b) => (a < b ? -1 : a > b ? 1 : 0),
        'an integer',
      )
    : orderedProblems(topology.ranges, (text) => text, compareText, 'a text')
}

function orderedProblems<Key>(
  ranges: Extract<Topology, { kind: 'range' }>['ranges'],
  parse: (text: string) => Key | undefined,
  compare: (a: Key, b: Key) => number,
  kind: string,
): readonly string[] {
  // Open ends become the bounds of a line that is one longer at both ends.
  type Bound = { readonly end: -1 | 0 | 1; readonly key?: Key; readonly text: string }
  const problems: string[] = []
  const bound = (shard: ShardId, text: string | null, end: -1 | 1): Bound => {
    if (text === null) return { end, text: end < 0 ? 'the start' : 'the end' }
    const key = parse(text)
    if (key !== undefined) return { end: 0, key, text: JSON.stringify(text) }
    problems.push(`${shard}: ${JSON.stringify(text)} is not ${kind}`)
    return { end, text }
  }
  const compareBounds = (a: Bound, b: Bound) =>
    a.end !== 0 || b.end !== 0 ? a.end - b.end : compare(a.key as Key, b.key as Key)
  const lines = ranges.map((range) => ({
    shard: range.shard,
    from: bound(range.shard, range.from, -1),
    to: bound(range.shard, range.to, 1),
  }))
  if (problems.length > 0) return problems
  const valid = lines.filter((line) => {
    if (compareBounds(line.from, line.to) < 0) return true
    problems.push(`${line.shard}: keys ${line.from.text}..${line.to.text} hold nothing`)
    return false
  })
  problems.push(
    ...coverProblems<Bound>(valid, {
      what: 'keys',
      compare: compareBounds,
      print: (at) => at.text,
      start: { end: -1, text: 'the start' },
      end: { end: 1, text: 'the end' },
    }),
  )
  return problems
}

interface Line<Place> {
  readonly what: string
  readonly compare: (a: Place, b: Place) => number
  readonly print: (place: Place) => string
  readonly start: Place
  readonly end: Place
}

/** Overlaps and gaps of half-open ranges over the whole line. */
function coverProblems<Place>(
  ranges: readonly { readonly shard: ShardId; readonly from: Place; readonly to: Place }[],
  line: Line<Place>,
): readonly string[] {
  const { compare, print } = line
  const sorted = [...ranges].sort((a, b) => compare(a.from, b.from) || compare(a.to, b.to))
  const problems: string[] = []
  let reached = line.start
  let reachedBy: ShardId | null = null
  for (const range of sorted) {
    if (compare(range.from, reached) > 0) {
      problems.push(`${line.what} ${print(reached)}..${print(range.from)} belong to no shard`)
    } else if (reachedBy !== null && compare(range.from, reached) < 0) {
      const to = compare(range.to, reached) < 0 ? range.to : reached
      problems.push(`${line.what} ${print(range.from)}..${print(to)} belong to both ${reachedBy} and ${range.shard}`)
    }
    if (compare(range.to, reached) > 0) {
      reached = range.to
      reachedBy = range.shard
    }
  }
  if (compare(reached, line.end) < 0) {
    problems.push(`${line.what} ${print(reached)}..${print(line.end)} belong to no shard`)
  }
  return problems
}
