import { systemClock } from '@crossfade/model/clock.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { Lsn } from '@crossfade/model/lsn.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import type { Text } from '@crossfade/pipeline/transform.ts'
import { answering, type ComparedTable, columnSql } from './compared-table.ts'
import { type Comparison, currentLsn, type Key, type Occurrence } from './look.ts'
import { fromSql, misplacedSql, rowHashSql } from './look-sql.ts'
import { type Difference, passed, type Settled } from './settle.ts'

/** Rounds in a row that must show the same on both sides before rows without a key count as different: they have no version to tell that nobody wrote. */
const quietRounds = 2

/**
 * Decides about rows without a key, given by their hashes: both sides must hold each as often. The comparison of rows that only the stream's lag explains is repeated
 * until it vanishes, or both sides have shown the same numbers over `quietRounds` passes of the stream.
 */
export async function settleWholeRows(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
  shards: readonly ShardId[],
  hashes: readonly Key[],
  signal?: AbortSignal,
): Promise<Settled> {
  const { rechecksMax, recheckMs } = comparison.plan.verification
  const follower = otherSide(authority)
  const differences: Difference[] = []
  let open = hashes.map(([hash]) => ({ hash: hash!, shown: '', times: 0 }))
  let rechecks = 0
  while (open.length > 0 && rechecks < Math.max(rechecksMax, quietRounds + 1)) {
    if (rechecks > 0) await systemClock.sleep(recheckMs, signal)
    rechecks += 1
    const wanted = open.map((each) => each.hash)
    const positions = new Map<ShardId, Lsn>()
    const ours = await countRows(
      comparison,
      table,
      authority,
      authority,
      answering(table, authority),
      wanted,
      positions,
    )
    await passed(comparison, positions, signal)
    const theirs = await countRows(comparison, table, authority, follower, shards, wanted)
    open = open.filter((each) => {
      const rows = ours.get(each.hash) ?? []
      const others = theirs.get(each.hash) ?? []
      if (rows.length === others.length && others.every((row) => !row.misplaced)) return false
      const shown = JSON.stringify([rows.map((row) => row.shard).sort(), others.map((row) => row.shard).sort()])
      each.times = shown === each.shown ? each.times + 1 : 1
      each.shown = shown
      if (each.times <= quietRounds) return true
      const kind =
        rows.length > others.length
          ? 'missing'
          : rows.length < others.length
            ? rows.length === 0
              ? 'extra'
              : 'duplicated'
            : 'misplaced'
      differences.push({ key: [each.hash], kind, authoritative: rows, following: others, shards })
      return false
    })
  }
  const whole = await wholeRows(comparison, table, authority, differences)
  return {
    differences: differences.map((difference) => ({ ...difference, whole: whole.get(difference.key[0]!) ?? {} })),
    unsettled: open.map((each) => [each.hash]),
    rechecks,
  }
}

/** One occurrence for each row whose hash is wanted. */
async function countRows(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
  side: Side,
  shards: readonly ShardId[],
  hashes: readonly string[],
  positions?: Map<ShardId, Lsn>,
): Promise<ReadonlyMap<string, readonly Occurrence[]>> {
  const found = new Map<string, Occurrence[]>()
  await Promise.all(
    shards.map((shard) =>
      comparison.read(shard, async (client) => {
        const misplaced = misplacedSql(table, authority, side, shard)
        const { rows } = await client.query<{ hash: string; misplaced: string; count: string }>(
          `SELECT ${rowHashSql(table, side)}::text AS hash, ${misplaced ? `(${misplaced.expression})::text` : `'false'`} AS misplaced, count(*)::text AS count
           ${fromSql(table, side, `${rowHashSql(table, side)} = ANY($1::bigint[])`, misplaced?.joins)} GROUP BY 1, 2`,
          [hashes],
        )
        positions?.set(shard, await currentLsn(client))
        for (const row of rows) {
          const list = found.get(row.hash) ?? []
          const occurrence = { shard, hash: row.hash, version: '', misplaced: row.misplaced === 'true' }
          list.push(...Array<Occurrence>(Number(row.count)).fill(occurrence))
          found.set(row.hash, list)
        }
      }),
    ),
  )
  return found
}

/** The rows themselves, by hash, read where they are. */
export async function wholeRows(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
  differences: readonly Difference[],
): Promise<ReadonlyMap<string, Readonly<Record<string, Text>>>> {
  const found = new Map<string, Readonly<Record<string, Text>>>()
  for (const side of [authority, otherSide(authority)]) {
    for (const shard of table.ends[side].shards) {
      const hashes = differences
        .filter((each) => (side === authority ? each.authoritative : each.following).some((row) => row.shard === shard))
        .map((each) => each.key[0]!)
        .filter((hash) => !found.has(hash))
      if (hashes.length === 0) continue
      const values = table.columns.map((column, index) => `${columnSql(table, column, side)}::text AS c${index + 1}`)
      const { rows } = await comparison.read(shard, (client) =>
        client.query<Record<string, Text>>(
          `SELECT DISTINCT ON (hash) * FROM (SELECT ${rowHashSql(table, side)}::text AS hash, ${values.join(', ')}
             ${fromSql(table, side, `${rowHashSql(table, side)} = ANY($1::bigint[])`)}) AS each`,
          [hashes],
        ),
      )
      for (const row of rows) {
        found.set(
          row['hash']!,
          Object.fromEntries(table.columns.map((column, index) => [column.names.source, row[`c${index + 1}`] ?? null])),
        )
      }
    }
  }
  return found
}
