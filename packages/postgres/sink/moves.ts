import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import type { NetRow } from './batch.ts'
import type { DirectedTable, Direction } from './direction.ts'
import { type Layout, layoutOf } from './layout.ts'
import type { OriginReader } from './origin-reader.ts'
import type { MovedParent, RowRouter } from './route-rows.ts'
import { fillCells, fillFromOrigin, isPartial } from './shape-rows.ts'
import type { TableWriter } from './table-writer.ts'
import type { MissingRow, TargetSession } from './target-session.ts'
import { textTuple } from './tuple.ts'
import { addPut } from './write-rows.ts'

/** What moving rows between shards needs to know. All of it happens inside the open transactions of one batch. */
export interface MoveContext {
  readonly direction: Direction
  readonly router: RowRouter
  /** Sessions that take part in this batch; those that have it already are not among them. */
  readonly sessions: ReadonlyMap<ShardId, TargetSession>
  readonly origin: OriginReader
  readonly xids: Iterable<number>
  /** Begins the session's transaction if it is not open. */
  begin(session: TargetSession): void
}

/** Shards that gave rows away: their transactions are committed last, so that a crash in between loses nothing. */
export type Givers = Set<TargetSession>

/**
 * Finds what updates did not find: the row is on another shard (then it moves here, and what hangs on it follows), or it is not there yet because the copy is
 * older or newer than this change. Then it is written whole, with what was not sent of it from the followed shard; or left out, when it is gone there.
 */
export async function placeMissing(
  context: MoveContext,
  missing: readonly MissingRow[],
  givers: Givers,
): Promise<void> {
  const moved: MovedParent[] = []
  for (const [writer, rows] of groupByWriter(missing)) {
    const { layout } = writer
    const lost = context.router.mayMove(layout) ? await takeFromOthers(context, layout, rows, givers, moved) : rows
    const partial = lost.filter(({ write }) => isPartial(layout, write.row.after!) && layout.table.transform === null)
    await fillFromOrigin(
      layout,
      partial.map(({ write }) => write.row),
      context.origin,
      context.xids,
    )
    for (const { session, write } of rows) {
      if (write.row.after === null) continue
      const written = layout.table.transform === null ? { tuple: write.row.after, cells: layout.cells } : write
      addPut(session.pipeline, session.writer(layout), { ...write, ...written })
    }
  }
  for (const session of new Set(missing.map((row) => row.session))) await session.flush()
  await moveDependants(context, moved, givers)
}

/** Moves the rows that find their shard through parents which moved; recursively, since they may be parents too. */
export async function moveDependants(
  context: MoveContext,
  moved: readonly MovedParent[],
  givers: Givers,
): Promise<void> {
  let parents = [...moved]
  while (parents.length > 0) {
    const next: MovedParent[] = []
    for (const parent of parents) {
      const from = context.sessions.get(parent.from)
      if (!from) continue
      for (const table of childrenOf(context.direction, parent))
        await moveChildren(context, parent, table, from, givers, next)
    }
    parents = next
  }
}

async function moveChildren(
  context: MoveContext,
  parent: MovedParent,
  table: DirectedTable,
  from: TargetSession,
  givers: Givers,
  next: MovedParent[],
): Promise<void> {
  const layout = plainLayout(table)
  const route = table.toRoute
  if (route.kind !== 'parent') return
  context.begin(from)
  const writer = from.writer(layout)
  const columns = writer.columns.map((column) => quoteIdentifier(column.to)).join(', ')
  const found = await from.select(
    `DELETE FROM ${quoteTable(table.to)} WHERE ${quoteIdentifier(route.column)} = $1 RETURNING ${columns}`,
    [parent.value],
  )
  if (found.length === 0) return
  givers.add(from)
  const to = context.sessions.get(parent.to)
  if (to) context.begin(to)
  for (const values of found) {
    for (const column of context.router.referredColumns(table)) {
      const place = writer.columns.findIndex((candidate) => candidate.from === column)
      const value = values[place]
      if (value !== null && value !== undefined) {
        next.push({ table, column: writer.columns[place]!.to, value, from: parent.from, to: parent.to })
      }
    }
    if (to) addRow(to, layout, values, writer)
  }
  if (to) await to.flush()
}

/** Adds the statements that write a row which another shard of the applied side held. */
function addRow(session: TargetSession, layout: Layout, values: readonly (string | null)[], from: TableWriter): void {
  const cells: (string | null)[] = layout.columns.map(() => null)
  from.places.forEach((place, index) => {
    cells[place] = values[index]!
  })
  const tuple = textTuple(cells)
  const writer = session.writer(layout)
  const written = { tuple, cells: layout.cells }
  if (layout.keyCells.length === 0) {
    writer.insertRow(session.pipeline, written)
    return
  }
  const row: NetRow = {
    before: 'present',
    replaced: true,
    after: tuple,
    identity: tuple,
    identityWhole: true,
    carryFrom: null,
  }
  addPut(session.pipeline, writer, { row, ...written, anywhere: false })
}

/** Looks for the rows on all other shards, takes them away there, and completes them with what they held. Returns those found nowhere. */
async function takeFromOthers(
  context: MoveContext,
  layout: Layout,
  rows: readonly MissingRow[],
  givers: Givers,
  moved: MovedParent[],
): Promise<readonly MissingRow[]> {
  const found = new Set<MissingRow>()
  for (const session of context.sessions.values()) {
    const wanted = rows.filter((row) => row.session !== session && !found.has(row))
    if (wanted.length === 0) continue
    context.begin(session)
    const writer = session.writer(layout)
    const held = await session.read(
      writer,
      wanted.map(({ write }) => write.row),
    )
    wanted.forEach((row, index) => {
      const values = held[index]!
      if (values === null) return
      found.add(row)
      givers.add(session)
      writer.byKey(session.pipeline, writer.deleteSql, row.write.row.identity)
      const net = row.write.row as { after: NetRow['after'] }
      if (layout.table.transform === null) net.after = fillCells(layout, net.after!, values, writer.places)
      for (const column of context.router.referredColumns(layout.table)) {
        const place = writer.columns.findIndex((candidate) => candidate.from === column)
        const value = values[place]
        if (value === null || value === undefined) continue
        moved.push({
          table: layout.table,
          column: writer.columns[place]!.to,
          value,
          from: session.shard,
          to: row.session.shard,
        })
      }
    })
    await session.flush()
  }
  return rows.filter((row) => !found.has(row))
}

function groupByWriter(missing: readonly MissingRow[]): Map<TableWriter, MissingRow[]> {
  const groups = new Map<Layout, { writer: TableWriter; rows: MissingRow[] }>()
  for (const row of missing) {
    const group = groups.get(row.writer.layout) ?? { writer: row.writer, rows: [] }
    groups.set(row.writer.layout, group)
    group.rows.push(row)
  }
  return new Map([...groups.values()].map(({ writer, rows }) => [writer, rows]))
}

function childrenOf(direction: Direction, parent: MovedParent): DirectedTable[] {
  return direction.tables.filter((table) => {
    const route = table.toRoute
    return (
      route.kind === 'parent' &&
      tableKey(route.parent) === tableKey(parent.table.to) &&
      route.parentColumn === parent.column
    )
  })
}

const plainLayouts = new WeakMap<DirectedTable, Layout>()

/** A layout for rows that were read and not streamed: the plan's columns in order, as text. */
function plainLayout(table: DirectedTable): Layout {
  let layout = plainLayouts.get(table)
  if (!layout) {
    layout = layoutOf(table, {
      oid: 0,
      schema: table.from.schema,
      name: table.from.name,
      replicaIdentity: 'default',
      columns: table.columns
        .filter((column) => !column.plan.generated && column.inTo)
        .map((column) => ({ name: column.from, typeOid: 0, typeModifier: -1, key: table.key.includes(column) })),
    })
    plainLayouts.set(table, layout)
  }
  return layout
}
