import type { Epoch, MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { Text } from '@crossfade/pipeline/transform.ts'
import type { ClientBase } from 'pg'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import { checkEpoch } from '../snapshot/epoch-check.ts'
import { answering, type ComparedColumn, type ComparedTable, columnSql, isOn, isReference } from './compared-table.ts'
import type { ComparedTables } from './compared-tables.ts'
import { type Comparison, type Key, keyParameters, wantedJoin } from './look.ts'
import { destinationSql, fromSql } from './look-sql.ts'
import { lookerOf } from './looker-of.ts'
import { mismatchesOf } from './mismatch-columns.ts'
import { settle } from './settle.ts'

/** Rounds of writing and comparing again; a key that is written all the time may need more than one. */
const roundsMax = 3
/** The mark by which the other direction's stream knows what must not flow back. */
const appliedMark = 'crossfade.applied'

export interface RepairComparison extends Comparison {
  /** Lends a session that carries `crossfade.writer`, in no transaction. */
  write<T>(shard: ShardId, work: (client: ClientBase) => Promise<T>): Promise<T>
}

/**
 * Writes the answering side's present rows over what the other side holds under the mismatches' keys, then compares them again; returns what is still different. Each key is
 * one transaction per shard: the epoch is checked, the row there is locked, and only then is the row here read, so that a newer change which the stream applies meanwhile
 * waits and is applied after it, and an older one is overwritten by what includes it. What slips between (a row deleted just when it is put back) shows in the
 * comparison that follows, and is repaired in the next round. Parents are written before children, and deleted after them. Idempotent.
 * Rows without a key are not repaired: nothing tells which of them the stream has yet to bring.
 */
export async function repair(
  comparison: RepairComparison,
  tables: ComparedTables,
  authority: Side,
  mismatches: readonly Mismatch[],
  context: TaskContext,
): Promise<readonly Mismatch[]> {
  const left: Mismatch[] = []
  const lots: { readonly table: ComparedTable; keys: readonly Key[] }[] = []
  for (const resolved of comparison.plan.tables) {
    const found = mismatches.filter((each) => tableKey(each.table) === tableKey(resolved.source))
    if (found.length === 0) continue
    const table = await tables.get(resolved.source)
    if (table.key.length === 0) left.push(...found)
    else lots.push({ table, keys: distinctKeys(table, found) })
  }
  for (let round = 1; ; round += 1) {
    for (const { table, keys } of lots) await writeRows(comparison, table, authority, keys, 'present', context)
    for (const { table, keys } of lots.toReversed())
      await writeRows(comparison, table, authority, keys, 'absent', context)
    let open = 0
    const still: Mismatch[] = []
    for (const lot of lots) {
      const { differences } = await settle(
        comparison,
        lot.table,
        authority,
        lookerOf(comparison, lot.table, authority),
        lot.keys,
        context.signal,
      )
      still.push(...(await mismatchesOf(comparison, lot.table, authority, differences)))
      lot.keys = differences.map((each) => each.key)
      open += differences.length
    }
    if (open === 0 || round >= roundsMax) return [...left, ...still]
  }
}

function distinctKeys(table: ComparedTable, mismatches: readonly Mismatch[]): readonly Key[] {
  const keys = mismatches.map((each) => table.key.map((column) => each.key[column.names.source]!))
  return [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()]
}

/** `present` puts rows where they belong, `absent` takes away what belongs nowhere or elsewhere. */
async function writeRows(
  comparison: RepairComparison,
  table: ComparedTable,
  authority: Side,
  keys: readonly Key[],
  what: 'present' | 'absent',
  context: TaskContext,
): Promise<void> {
  const follower = otherSide(authority)
  for (const key of keys) {
    for (const shard of table.ends[follower].shards) {
      context.signal.throwIfAborted()
      await comparison.write(shard, (client) =>
        writeRow(comparison, table, authority, key, shard, client, what, context),
      )
    }
  }
}

async function writeRow(
  comparison: RepairComparison,
  table: ComparedTable,
  authority: Side,
  key: Key,
  shard: ShardId,
  client: ClientBase,
  what: 'present' | 'absent',
  context: TaskContext,
): Promise<void> {
  const follower = otherSide(authority)
  await client.query('BEGIN')
  try {
    await checkEpoch(client, comparison.migration, context.lease, context.epoch as Epoch)
    await markOurs(client, comparison.migration)
    const here = await readFor(comparison, table, authority, key)
    // The key on the other side, which a transform may have changed; where nothing is here it is the key itself.
    const there = here?.key ?? key
    const locked = await client.query({
      text: `SELECT 1 ${fromSql(table, follower, null, wantedJoin(table, follower).join)} FOR UPDATE OF ${quoteIdentifier(table.ends[follower].table.name)}`,
      values: keyParameters(table, [there]),
    })
    // Read anew, now that nobody else can write the row there.
    const row = await readFor(comparison, table, authority, key)
    const belongs = row !== null && (isReference(table) || row.destination === shard)
    if (belongs && what === 'present') await upsert(client, table, follower, row.values, locked.rows.length > 0)
    if (!belongs && what === 'absent' && locked.rows.length > 0) await remove(client, table, follower, there)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

async function markOurs(client: ClientBase, migration: MigrationId): Promise<void> {
  await client.query('SELECT pg_catalog.pg_logical_emit_message(true, $1, $2)::text', [appliedMark, migration])
}

interface RowToWrite {
  readonly key: Key
  readonly destination: string
  /** In the order of `writtenColumns`. */
  readonly values: readonly Text[]
}

/** The answering side's row as the other side shall have it; null when there is none. */
async function readFor(
  comparison: Comparison,
  table: ComparedTable,
  authority: Side,
  key: Key,
): Promise<RowToWrite | null> {
  const columns = table.columns
  const destination = destinationSql(table, authority)
  const wanted = wantedJoin(table, authority)
  for (const shard of answering(table, authority)) {
    const { rows } = await comparison.read(shard, (client) =>
      client.query<Record<string, Text>>({
        text: `SELECT ${destination.expression} AS destination, ${columns.map((column, index) => `${columnSql(table, column, authority)}::text AS c${index + 1}`).join(', ')}
          ${fromSql(table, authority, null, `${wanted.join}${destination.joins}`)}`,
        values: keyParameters(table, [key]),
      }),
    )
    const found = rows[0]
    if (!found) continue
    const values = throughTransform(
      table,
      authority,
      Object.fromEntries(
        columns.flatMap((column, index) =>
          isOn(column, authority) ? [[column.names[authority], found[`c${index + 1}`] ?? null]] : [],
        ),
      ),
    )
    if (values === null) return null
    const follower = otherSide(authority)
    return {
      key: table.key.map((column) => values[column.names[follower]] ?? ''),
      destination: found['destination'] ?? '',
      values: writtenColumns(table, follower).map((column) => values[column.names[follower]] ?? null),
    }
  }
  return null
}

function throughTransform(
  table: ComparedTable,
  authority: Side,
  row: Readonly<Record<string, Text>>,
): Readonly<Record<string, Text>> | null {
  if (table.transform === null)
    return Object.fromEntries(
      table.columns.map((column) => [column.names[otherSide(authority)], row[column.names[authority]] ?? null]),
    )
  if (authority === 'source') return table.transform.forward(row)
  return table.transform.backward ? table.transform.backward(row) : null
}

function writtenColumns(table: ComparedTable, side: Side): readonly ComparedColumn[] {
  return table.columns.filter((column) => !column.plan.generated && isOn(column, side))
}

/** GENERATED ALWAYS identities take given values on insert alone (D18), so a row with one outside the key is replaced, not updated. */
async function upsert(
  client: ClientBase,
  table: ComparedTable,
  side: Side,
  values: readonly Text[],
  exists: boolean,
): Promise<void> {
  const columns = writtenColumns(table, side)
  const relation = quoteTable(table.ends[side].table)
  const others = columns.filter((column) => !table.key.includes(column))
  const name = (column: ComparedColumn) => quoteIdentifier(column.names[side])
  if (exists && others.some((column) => column.plan.identity === 'always')) {
    await remove(
      client,
      table,
      side,
      table.key.map((column) => values[columns.indexOf(column)]!),
    )
  }
  const update = others.map((column) => `${name(column)} = excluded.${name(column)}`).join(', ')
  const onConflict =
    others.length === 0 || others.some((column) => column.plan.identity === 'always')
      ? 'NOTHING'
      : `UPDATE SET ${update}`
  await client.query({
    text: `INSERT INTO ${relation} (${columns.map(name).join(', ')}) OVERRIDING SYSTEM VALUE VALUES (${columns.map((column, index) => `$${index + 1}::${column.types[side]}`).join(', ')})
      ON CONFLICT (${table.key.map(name).join(', ')}) DO ${onConflict}`,
    values: [...values],
  })
}

async function remove(client: ClientBase, table: ComparedTable, side: Side, key: Key): Promise<void> {
  const where = table.key.map(
    (column, index) => `${quoteIdentifier(column.names[side])} = $${index + 1}::${column.types[side]}`,
  )
  await client.query(`DELETE FROM ${quoteTable(table.ends[side].table)} WHERE ${where.join(' AND ')}`, [...key])
}
