import type { ShardId } from '@crossfade/model/ids.ts'
import type { TableVerification } from '@crossfade/model/mismatch.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import type { TaskContext, VerificationRange } from '@crossfade/pipeline/data-plane.ts'
import type { ClientBase } from 'pg'
import { answering, type ComparedTable, columnSql } from './compared-table.ts'
import { type Comparison, type Key, keyText } from './look.ts'
import { fromSql, keyColumnsSql } from './look-sql.ts'
import { mismatchesOf } from './mismatch-columns.ts'
import { compare, type Difference, settle } from './settle.ts'
import { transformLooker } from './through-transform.ts'
import { type Window, windowsOf } from './window.ts'

/** Rows that are transformed and compared at once. */
const rowsAtOnce = 1_000
/** Pages whose keys are listed at once where the key's order is of no use. */
const pagesAtOnce = 128

/**
 * Compares a range of a table row by row through its transform: every row of the answering side with what the other side holds, then every key of the other side with
 * what the answering side holds. Where the transform changes keys, rows that are only on the other side stay unseen.
 */
export async function verifyTransformed(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
  range: VerificationRange,
  context: TaskContext,
): Promise<TableVerification> {
  const started = performance.now()
  const follower = otherSide(authority)
  const looker = transformLooker(comparison, table, authority)
  const differences: Difference[] = []
  let rows = 0
  let rechecks = 0
  let sum = 0n
  const check = async (keys: readonly Key[], counts: boolean) => {
    context.signal.throwIfAborted()
    const here = await looker.authoritative(keys)
    const there = await looker.following(keys)
    const open = keys.filter((key) => {
      const ours = here.get(keyText(key)) ?? []
      if (counts) {
        rows += ours.length
        for (const row of ours) sum += Buffer.from(row.hash, 'base64').readBigInt64BE()
      }
      return compare(table, authority, key, ours, there.get(keyText(key)) ?? []) !== null
    })
    if (open.length > 0) {
      const settled = await settle(comparison, table, authority, looker, open, context.signal)
      differences.push(...settled.differences)
      rechecks += settled.rechecks
    }
    if (counts) await context.throttle('verify', keys.length * bytesPerRow)
  }
  const bytesPerRow = table.plan.estimate.rows > 0 ? table.plan.estimate.bytes / table.plan.estimate.rows : 0
  for (const shard of answering(table, authority)) {
    for await (const keys of keysOf(comparison, table, authority, shard, range)) await check(keys, true)
  }
  if (!looker.keysChange()) {
    for (const shard of table.ends[follower].shards) {
      for await (const keys of keysOf(comparison, table, follower, shard, range)) await check(keys, false)
    }
  }
  const distinct = [...new Map(differences.map((each) => [`${keyText(each.key)}\0${each.shards[0]}`, each])).values()]
  const { mismatchesReportedMax } = comparison.plan.verification
  return {
    table: table.plan.source,
    rows,
    bytes: Math.round(rows * bytesPerRow),
    digest: sum.toString(),
    chunks: 1,
    rechecks,
    milliseconds: Math.round(performance.now() - started),
    mismatches: await mismatchesOf(comparison, table, authority, distinct.slice(0, mismatchesReportedMax)),
    mismatchCount: distinct.length,
  }
}

/** All keys of a range on one shard, in lots of bounded size, each lot from a statement of its own. */
async function* keysOf(
  comparison: Comparison,
  table: ComparedTable,
  side: Side,
  shard: ShardId,
  range: VerificationRange,
): AsyncGenerator<Key[]> {
  const windows = await comparison.read(shard, (client) => windowsOf(client, table, side, range, pagesAtOnce))
  for (const window of windows) {
    if (!table.ordered) {
      const keys = await comparison.read(shard, (client) => listKeys(client, table, side, window, null))
      for (let at = 0; at < keys.length; at += rowsAtOnce) yield keys.slice(at, at + rowsAtOnce)
      continue
    }
    let last: Key | null = null
    for (;;) {
      const from: Key | null = last
      const keys: Key[] = await comparison.read(shard, (client) => listKeys(client, table, side, window, { from }))
      if (keys.length === 0) break
      yield keys
      last = keys.at(-1)!
    }
  }
}

async function listKeys(
  client: ClientBase,
  table: ComparedTable,
  side: Side,
  window: Window,
  page: { readonly from: Key | null } | null,
): Promise<Key[]> {
  const columns = table.key.map((column) => columnSql(table, column, side))
  const values = [...window.parameters]
  const conditions = window.condition ? [window.condition] : []
  if (page?.from) {
    const bounds = table.key.map((column, index) => {
      values.push(page.from![index]!)
      return `$${values.length}::${column.types[side]}`
    })
    conditions.push(`(${columns.join(', ')}) > (${bounds.join(', ')})`)
  }
  const order = page ? ` ORDER BY ${columns.join(', ')} LIMIT ${rowsAtOnce}` : ''
  const { rows } = await client.query<Record<string, string>>({
    text: `SELECT ${keyColumnsSql(table, side).join(', ')} ${fromSql(table, side, conditions.join(' AND ') || null)}${order}`,
    values,
  })
  return rows.map((row) => table.key.map((_, index) => row[`k${index + 1}`]!))
}
