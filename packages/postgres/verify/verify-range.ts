import type { ShardId } from '@crossfade/model/ids.ts'
import type { Mismatch, TableVerification } from '@crossfade/model/mismatch.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import type { TaskContext, VerificationRange } from '@crossfade/pipeline/data-plane.ts'
import { answering, type ComparedTable, following } from './compared-table.ts'
import {
  addDigests,
  type Bucket,
  type Digest,
  digestBuckets,
  digestWindow,
  emptyDigest,
  type ListedRow,
  listRows,
  sameDigest,
} from './digest.ts'
import { settleWholeRows } from './identity-full.ts'
import { type Comparison, hashLooker, type Key } from './look.ts'
import { mismatchesOf } from './mismatch-columns.ts'
import { type Settled, settle } from './settle.ts'
import { type Window, windowsOf } from './window.ts'

/** Rows of one bucket that are listed at once, by estimate: the bound of this process's memory. */
const listedRowsMax = 10_000
const bucketsMax = 65_536
/** What a row counts at most for the throttle: it is hashed where it is, however wide, and small tables are mostly empty pages. */
const throttledRowBytesMax = 200
/** Keys that are settled together. */
const settledKeysMax = 1_000

/**
 * Compares a range of a table over all shards of both sides: first the sums of row hashes, then, where they differ, keys and hashes bucket by bucket, then the keys
 * that differ until they are equal or proven different. Reads only; each statement is a snapshot of its own. Can be repeated at will.
 */
export async function verifyRange(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
  range: VerificationRange,
  context: TaskContext,
): Promise<TableVerification> {
  const started = performance.now()
  const { mismatchesReportedMax } = comparison.plan.verification
  const bytesPerRow = table.plan.estimate.rows > 0 ? table.plan.estimate.bytes / table.plan.estimate.rows : 0
  const readers = await rangeReaders(comparison, table, authority, range, context, bytesPerRow)
  const mismatches: Mismatch[] = []
  let mismatchCount = 0
  let rechecks = 0
  const report = async (settled: Settled, shards: readonly ShardId[]) => {
    rechecks += settled.rechecks
    // Every copy of a reference table is looked at in its own turn.
    const differences = settled.differences.filter((each) => each.shards[0] === shards[0])
    mismatchCount += differences.length
    const room = mismatchesReportedMax - mismatches.length
    if (room > 0) mismatches.push(...(await mismatchesOf(comparison, table, authority, differences.slice(0, room))))
  }

  const follower = otherSide(authority)
  // Both sides at once: so little time lies between the looks that few differences are only a lag.
  const [ours, ...all] = await Promise.all([
    readers.digest(answering(table, authority), authority),
    ...following(table, authority).map((shards) => readers.digest(shards, follower)),
  ])
  for (const [group, shards] of following(table, authority).entries()) {
    const theirs = all[group]!
    if (sameDigest(ours, theirs) && theirs.misplaced === 0) continue
    for await (const keys of differingKeys(readers, table, authority, shards, Math.max(ours.rows, theirs.rows))) {
      context.signal.throwIfAborted()
      const settled =
        table.key.length === 0
          ? await settleWholeRows(comparison, table, authority, shards, keys, context.signal)
          : await settle(comparison, table, authority, hashLooker(comparison, table, authority), keys, context.signal)
      await report(settled, shards)
    }
  }
  return {
    table: table.plan.source,
    rows: ours.rows,
    bytes: Math.round(ours.rows * bytesPerRow),
    digest: ours.sum.toString(),
    chunks: 1,
    rechecks,
    milliseconds: Math.round(performance.now() - started),
    mismatches,
    mismatchCount,
  }
}

interface RangeReaders {
  digest(shards: readonly ShardId[], side: Side): Promise<Digest>
  buckets(shards: readonly ShardId[], side: Side, count: number): Promise<Map<number, Digest>>
  list(shards: readonly ShardId[], side: Side, bucket: Bucket): Promise<ListedRow[]>
}

async function rangeReaders(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
  range: VerificationRange,
  context: TaskContext,
  bytesPerRow: number,
): Promise<RangeReaders> {
  /** Goes through the windows of each shard, the shards beside each other. */
  const each = async (
    shards: readonly ShardId[],
    side: Side,
    read: (shard: ShardId, window: Window) => Promise<number>,
  ) => {
    await Promise.all(
      shards.map(async (shard) => {
        const windows = await comparison.read(shard, (client) => windowsOf(client, table, side, range))
        for (const window of windows) {
          context.signal.throwIfAborted()
          const rows = await read(shard, window)
          // Only the side that clients are on is spared.
          if (side === authority) await context.throttle('verify', rows * Math.min(bytesPerRow, throttledRowBytesMax))
        }
      }),
    )
  }
  return {
    async digest(shards, side) {
      let sum = emptyDigest
      await each(shards, side, async (shard, window) => {
        const digest = await comparison.read(shard, (client) =>
          digestWindow(client, table, authority, side, shard, window),
        )
        sum = addDigests(sum, digest)
        return digest.rows
      })
      return sum
    },
    async buckets(shards, side, count) {
      const sums = new Map<number, Digest>()
      await each(shards, side, async (shard, window) => {
        let rows = 0
        const found = await comparison.read(shard, (client) =>
          digestBuckets(client, table, authority, side, shard, window, count),
        )
        for (const [bucket, digest] of found) {
          sums.set(bucket, addDigests(sums.get(bucket) ?? emptyDigest, digest))
          rows += digest.rows
        }
        return rows
      })
      return sums
    },
    async list(shards, side, bucket) {
      const listed: ListedRow[] = []
      await each(shards, side, async (shard, window) => {
        const rows = await comparison.read(shard, (client) =>
          listRows(client, table, authority, side, shard, window, bucket),
        )
        for (const row of rows) listed.push(row)
        return rows.length
      })
      return listed
    },
  }
}

/** Keys under which both sides do not hold the same rows, in lots of bounded size. */
async function* differingKeys(
  readers: RangeReaders,
  table: ComparedTable,
  authority: Side,
  shards: readonly ShardId[],
  rows: number,
): AsyncGenerator<Key[]> {
  const follower = otherSide(authority)
  const owners = answering(table, authority)
  const count = Math.min(bucketsMax, 2 ** Math.max(0, Math.ceil(Math.log2(rows / listedRowsMax))))
  let numbers: Iterable<number> = [0]
  if (count > 1) {
    const [ours, theirs] = await Promise.all([
      readers.buckets(owners, authority, count),
      readers.buckets(shards, follower, count),
    ])
    numbers = [...new Set([...ours.keys(), ...theirs.keys()])].filter((number) => {
      const other = theirs.get(number) ?? emptyDigest
      return other.misplaced > 0 || !sameDigest(ours.get(number) ?? emptyDigest, other)
    })
  }
  for (const number of numbers) {
    const bucket = { of: count, number }
    const [ours, theirs] = await Promise.all([
      readers.list(owners, authority, bucket),
      readers.list(shards, follower, bucket),
    ])
    const keys = differingInLists(ours, theirs)
    for (let at = 0; at < keys.length; at += settledKeysMax) yield keys.slice(at, at + settledKeysMax)
  }
}

function differingInLists(ours: readonly ListedRow[], theirs: readonly ListedRow[]): Key[] {
  const balance = new Map<string, { key: Key; sum: bigint; count: number; misplaced: boolean }>()
  const add = (row: ListedRow, sign: 1 | -1) => {
    let entry = balance.get(row.text)
    if (!entry) {
      entry = { key: row.key, sum: 0n, count: 0, misplaced: false }
      balance.set(row.text, entry)
    }
    entry.sum += BigInt(sign * row.count) * row.hash
    entry.count += sign * row.count
    entry.misplaced ||= row.misplaced
  }
  for (const row of ours) add(row, 1)
  for (const row of theirs) add(row, -1)
  return [...balance.values()]
    .filter((entry) => entry.sum !== 0n || entry.count !== 0 || entry.misplaced)
    .map((entry) => entry.key)
}
