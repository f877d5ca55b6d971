import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { Row, Text } from '@crossfade/pipeline/transform.ts'
import { type Tuple, unchangedCell } from '../changes/message.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import { kindOf, type NetEffect, type NetRow } from './batch.ts'
import type { Layout } from './layout.ts'
import { textOf } from './layout.ts'
import type { OriginReader } from './origin-reader.ts'
import type { RowShape } from './route-rows.ts'
import type { WrittenRow } from './table-writer.ts'
import type { TargetSession } from './target-session.ts'
import { type Cell, cellOf, textTuple, tupleOf } from './tuple.ts'

type MutableRow = { -readonly [Name in keyof NetRow]: NetRow[Name] }

/**
 * Makes net rows ready to be routed and written: fetches cells that the stream did not send where they are needed, leaves out what the plan's
 * condition leaves out, and applies transforms. Changes the rows of `net`.
 *
 * An unchanged TOAST value (D08) stays where it is when its row is updated in place. It is fetched when the row gets another key, from the applied side,
 * which holds the row as it was before; or from the followed shard as it is now, when it must go through a condition or a transform. The current value may
 * be newer than this change, never older; then the change that made it follows, and brings it again.
 */
export async function shapeRows(
  net: NetEffect,
  sessions: readonly TargetSession[],
  origin: OriginReader,
  xids: Iterable<number>,
): Promise<RowShape> {
  const shaped = new Map<NetRow | Tuple, WrittenRow | null>()
  for (const [layout, { rows }] of net.keyed) {
    await carryCells(layout, rows.values(), sessions, origin, xids)
    if (layout.table.where !== null) await leaveOut(layout, [...rows.values()], sessions[0]!)
    if (layout.table.transform !== null)
      for (const row of rows.values()) if (row.after !== null) shaped.set(row, transformed(layout, row.after))
  }
  for (const [layout, counted] of net.counted) {
    if (layout.table.where !== null) await leaveOutCounted(layout, counted.rows, sessions[0]!)
    if (layout.table.transform !== null)
      for (const { tuple } of counted.rows.values()) shaped.set(tuple, transformed(layout, tuple))
  }
  return {
    write: (layout, row) =>
      layout.table.transform === null ? { tuple: row.after!, cells: layout.cells } : shaped.get(row)!,
    count: (layout, tuple) => (layout.table.transform === null ? { tuple, cells: layout.cells } : shaped.get(tuple)!),
  }
}

/** Fills the cells that were not sent from a row as the database printed it, its values in the order of `places` of the inputs. */
export function fillCells(layout: Layout, tuple: Tuple, values: readonly Text[], places: readonly number[]): Tuple {
  const cells: Cell[] = []
  for (let cell = 0; cell < tuple.lengths.length; cell += 1) cells.push(cellOf(tuple, cell))
  for (let index = 0; index < places.length; index += 1) {
    const cell = layout.inputs.cells[places[index]!]!
    if (tuple.lengths[cell] !== unchangedCell) continue
    const value = values[index]!
    cells[cell] = { value: value === null ? null : Buffer.from(value, 'utf8'), binary: false }
  }
  return tupleOf(cells)
}

/** Whether a written cell was not sent. */
export function isPartial(layout: Layout, tuple: Tuple): boolean {
  for (const cell of layout.inputs.cells) if (tuple.lengths[cell] === unchangedCell) return true
  return false
}

/** Fills rows from the followed shard as it is now; those that are gone there get deleted, since their delete is on its way. */
export async function fillFromOrigin(
  layout: Layout,
  rows: readonly NetRow[],
  origin: OriginReader,
  xids: Iterable<number>,
): Promise<void> {
  const places = layout.inputs.columns.map((_, place) => place)
  const found = await origin.read(
    layout,
    rows.map((row) => row.identity),
    xids,
  )
  rows.forEach((row, index) => {
    const values = found[index]!
    ;(row as MutableRow).after = values === null ? null : fillCells(layout, row.after!, values, places)
  })
}

async function carryCells(
  layout: Layout,
  rows: Iterable<NetRow>,
  sessions: readonly TargetSession[],
  origin: OriginReader,
  xids: Iterable<number>,
): Promise<void> {
  const { table } = layout
  const always = table.transform !== null || table.where !== null
  const rewritten = sessions.some((session) => session.writer(layout).rewritten)
  const fromOrigin: NetRow[] = []
  let fromApplied: NetRow[] = []
  for (const row of rows) {
    if (row.after === null || !isPartial(layout, row.after)) continue
    if (always) fromOrigin.push(row)
    else if (rewritten || kindOf(row) !== 'update') fromApplied.push(row)
  }
  for (const session of sessions) {
    if (fromApplied.length === 0) break
    const writer = session.writer(layout)
    const found = await session.read(
      writer,
      fromApplied.map((row) => ({ identity: row.carryFrom ?? row.identity })),
    )
    fromApplied = fromApplied.filter((row, index) => {
      const values = found[index]!
      if (values === null) return true
      ;(row as MutableRow).after = fillCells(layout, row.after!, values, writer.places)
      return false
    })
  }
  await fillFromOrigin(layout, [...fromOrigin, ...fromApplied], origin, xids)
}

/** Rows that the plan's condition leaves out become deletes: they may have been inside before. */
async function leaveOut(layout: Layout, rows: readonly NetRow[], session: TargetSession): Promise<void> {
  const present = rows.filter((row) => row.after !== null)
  const inside = await satisfying(
    layout,
    present.map((row) => row.after!),
    session,
  )
  present.forEach((row, index) => {
    if (!inside.has(index)) (row as MutableRow).after = null
  })
}

async function leaveOutCounted(
  layout: Layout,
  rows: Map<string, { readonly tuple: Tuple }>,
  session: TargetSession,
): Promise<void> {
  const entries = [...rows]
  const inside = await satisfying(
    layout,
    entries.map(([, { tuple }]) => tuple),
    session,
  )
  entries.forEach(([key], index) => {
    if (!inside.has(index)) rows.delete(key)
  })
}

/** Which of the rows the plan's condition holds for, as the applied side's database evaluates it over the rows themselves. */
async function satisfying(layout: Layout, tuples: readonly Tuple[], session: TargetSession): Promise<Set<number>> {
  if (tuples.length === 0) return new Set()
  const { table } = layout
  const { columns, cells } = layout.inputs
  const { pipeline } = session
  const name = `pg_temp.${quoteIdentifier(`crossfade_where_${table.plan.source.schema}_${table.plan.source.name}`.slice(0, 40))}`
  const typed = columns
    .map(
      (column) =>
        `${column.inTo ? `t.${quoteIdentifier(column.to)}` : `NULL::${column.plan.type}`} AS ${quoteIdentifier(column.from)}`,
    )
    .join(', ')
  pipeline.execute(
    `CREATE TEMPORARY TABLE IF NOT EXISTS ${name.replace('pg_temp.', '')} ON COMMIT DELETE ROWS AS SELECT 0::integer AS crossfade_row, ${typed} FROM ${quoteTable(table.to)} AS t WITH NO DATA`,
  )
  pipeline.execute(`DELETE FROM ${name}`)
  const insert = `INSERT INTO ${name} VALUES ($1, ${columns.map((_, place) => `$${place + 2}`).join(', ')})`
  tuples.forEach((tuple, row) => {
    const writer = pipeline.bind(
      insert,
      columns.length + 1,
      (index) => index > 0 && Boolean(tuple.binary[cells[index - 1]!]),
    )
    writer.sized(String(row))
    for (const cell of cells) writer.sizedCell(tuple, cell)
    pipeline.executeBound()
  })
  const rows = await session.select(
    `SELECT crossfade_row FROM ${name} AS ${quoteIdentifier(table.from.name)} WHERE (${table.where})`,
    [],
  )
  return new Set(rows.map(([row]) => Number(row)))
}

/** The row through the plan's transform; null leaves it out. */
function transformed(layout: Layout, tuple: Tuple): WrittenRow | null {
  const { table, columns, inputs } = layout
  const input: Record<string, Text> = {}
  inputs.columns.forEach((column, place) => {
    input[column.from] = textOf(layout, tuple, inputs.cells[place]!)
  })
  let output: Row | null
  try {
    output = table.transform!(input)
  } catch (error) {
    throw fail(
      'CF3105',
      { transform: table.plan.transform, table: tableKey(table.plan.source), reason: reasonOf(error) },
      error,
    )
  }
  if (output === null) return null
  const values = columns.map((column) => {
    const value = output[column.to]
    if (value !== null && typeof value !== 'string') {
      const reason = `it gave ${value === undefined ? 'no value' : `a ${typeof value}`} for the column ${column.to}; values are text or null`
      throw fail('CF3105', { transform: table.plan.transform, table: tableKey(table.plan.source), reason })
    }
    return value
  })
  return { tuple: textTuple(values), cells: layout.cells }
}
