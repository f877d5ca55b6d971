import { systemClock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { formatLsn, type Lsn } from '@crossfade/model/lsn.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import { type ComparedTable, following, isReference } from './compared-table.ts'
import {
  type Comparison,
  currentPositions,
  type Key,
  keyText,
  type Looker,
  type Occurrence,
  type Seen,
} from './look.ts'

/** How long the stream may take to pass a look before nobody can say whether a difference is one. */
const passMsMax = 30_000
/** How often the stream's position is read meanwhile. */
const passPollMs = 20

/** A key whose rows differ though the stream has passed, and nobody wrote to the authoritative row in between. */
export interface Difference {
  readonly key: Key
  readonly kind: 'missing' | 'extra' | 'different' | 'misplaced' | 'duplicated'
  readonly authoritative: readonly Occurrence[]
  /** The rows of the following shards that together should equal the authoritative ones. */
  readonly following: readonly Occurrence[]
  /** The shards looked at; one of them for a reference table. */
  readonly shards: readonly ShardId[]
  /** The whole row, for a table without identity. */
  readonly whole?: Readonly<Record<string, string | null>>
}

export interface Settled {
  readonly differences: readonly Difference[]
  /** Keys that were written in every round, so that nothing can be said about them yet. */
  readonly unsettled: readonly Key[]
  /** Rounds after the first look. */
  readonly rechecks: number
}

/**
 * Decides about keys that may differ only because the stream is not there yet. A difference is one only when the rows of both sides, by their versions, stayed
 * the same from before the stream passed the look to after it; what is written all the time is looked at again, `rechecksMax` times. So a busy table gives no
 * false mismatch (D20). (Both, because a commit may reach the other side before it can be seen where it was made.) Takes no lock; every statement is a snapshot of its own (D14). Rejects with CF4102 when the stream stands still.
 */
export async function settle(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
  looker: Looker,
  keys: readonly Key[],
  signal?: AbortSignal,
): Promise<Settled> {
  const { rechecksMax, recheckMs } = comparison.plan.verification
  const differences: Difference[] = []
  let open = keys
  let rechecks = 0
  // In the first round nothing is waited for: most keys are equal by now.
  const early = await looker.following(open)
  let before = await looker.authoritative(open)
  open = open.filter((key) => compare(table, authority, key, of(before, key), of(early, key)) !== null)
  const lastSeen = new Map(open.map((key) => [keyText(key), of(early, key)]))
  while (open.length > 0 && rechecks < rechecksMax) {
    rechecks += 1
    if (rechecks > 1) await systemClock.sleep(recheckMs, signal)
    signal?.throwIfAborted()
    await passed(comparison, await looker.positions(), signal)
    if (comparison.mixed) {
      await passed(comparison, await currentPositions(comparison, table.ends[otherSide(authority)].shards), signal)
    }
    const there = await looker.following(open)
    const after = await looker.authoritative(open)
    open = open.filter((key) => {
      const first = of(before, key)
      const second = of(after, key)
      const other = of(there, key)
      if (compare(table, authority, key, second, other) === null) return false
      if (compare(table, authority, key, first, other) === null) return false
      const text = keyText(key)
      const stayed = sameVersions(first, second) && sameVersions(other, lastSeen.get(text) ?? nothing)
      lastSeen.set(text, other)
      if (!stayed) return true
      differences.push(...compare(table, authority, key, second, other)!)
      return false
    })
    before = after
  }
  return { differences, unsettled: open, rechecks }
}

/** Null when equal; else what differs, one entry for each group of shards. */
export function compare(
  table: ComparedTable,
  authority: Side,
  key: Key,
  rows: readonly Occurrence[],
  others: readonly Occurrence[],
): readonly Difference[] | null {
  if (!isReference(table) && sameRows(rows, others)) return null
  const differences = following(table, authority).flatMap((shards): Difference[] => {
    const here = others.filter((each) => shards.includes(each.shard))
    if (sameRows(rows, here)) return []
    return [{ key, kind: kindOf(rows, here), authoritative: rows, following: here, shards }]
  })
  return differences.length === 0 ? null : differences
}

/** Resolves when all changes up to the positions are applied on the other side. */
export async function passed(
  comparison: Comparison,
  positions: ReadonlyMap<ShardId, Lsn>,
  signal?: AbortSignal,
): Promise<void> {
  const { applied } = comparison
  if (!applied) return
  const deadline = performance.now() + passMsMax
  await Promise.all(
    [...positions].map(async ([shard, lsn]) => {
      while ((await applied(shard)) < lsn) {
        if (performance.now() > deadline) throw fail('CF4102', { shard, lsn: formatLsn(lsn), milliseconds: passMsMax })
        await systemClock.sleep(passPollMs, signal)
      }
    }),
  )
}

function kindOf(rows: readonly Occurrence[], others: readonly Occurrence[]): Difference['kind'] {
  if (rows.length === 0) return 'extra'
  if (others.length === 0) return 'missing'
  if (others.length > rows.length) return 'duplicated'
  const hashes = new Set(rows.map((row) => row.hash))
  return others.every((row) => hashes.has(row.hash)) && others.some((row) => row.misplaced) ? 'misplaced' : 'different'
}

function sameRows(rows: readonly Occurrence[], others: readonly Occurrence[]): boolean {
  if (rows.length !== others.length || others.some((row) => row.misplaced)) return false
  if (rows.length === 1) return rows[0]!.hash === others[0]!.hash
  const sorted = (list: readonly Occurrence[]) => list.map((row) => row.hash).sort()
  const theirs = sorted(others)
  return sorted(rows).every((hash, index) => hash === theirs[index])
}

/** Whether nobody wrote to the rows in between: the same number of them, and none with a version that was not there before. */
export function sameVersions(before: readonly Occurrence[], after: readonly Occurrence[]): boolean {
  if (before.length !== after.length) return false
  const versions = new Set(before.map((row) => `${row.shard} ${row.version}`))
  return after.every((row) => versions.has(`${row.shard} ${row.version}`))
}

function of(seen: Seen, key: Key): readonly Occurrence[] {
  return seen.get(keyText(key)) ?? nothing
}

const nothing: readonly Occurrence[] = []
