import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import type { NetRow } from './batch.ts'
import type { TouchedRow } from './conflicts.ts'
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
  /** Shards that gave rows away: their transactions are committed last, so that a crash in between loses nothing. */
  readonly givers: Set<TargetSession>
  /** Rows that were moved though the stream said nothing about them. */
  readonly relocated: TouchedRow[]
  /** Begins the session's transaction if it is not open. */
  begin(session: TargetSession): void
}

/** A row that was found on another shard than it belongs to now. */
interface FoundRow {
  readonly row: MissingRow
  readonly holder: TargetSession
}

/**
 * Finds what updates did not find: the row is on another shard (then it moves here, and what hangs on it follows), or it is not there yet because the copy is
 * older or newer than this change. Then it is written whole, with what was not sent of it from the followed shard; or left out, when it is gone there.
 *
 * New rows are written parents first, and old ones deleted children first, so that foreign keys hold at every step.
 */
export async function placeMissing(context: MoveContext, missing: readonly MissingRow[]): Promise<void> {
  const found: FoundRow[] = []
  for (const [layout, rows] of groupByLayout(context.direction, missing)) {
    const moved: MovedParent[] = []
    const mayMove = context.router.mayMove(layout)
    const movable = rows.filter(({ write }) => mayMove || write.rekeyedFrom !== null)
    const here = await findOnOthers(context, layout, movable, moved)
    found.push(...here)
    const lost = rows.filter((row) => !here.some((each) => each.row === row))
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
    for (const session of new Set(rows.map((row) => row.session))) await session.flush()
    // Before this batch's own changes to them are placed: moved later, their old values would win over the new ones.
    await moveDependants(context, moved)
  }
  for (const { row, holder } of found.reverse()) {
    const writer = holder.writer(row.writer.layout)
    writer.byKey(holder.pipeline, writer.deleteSql, row.write.rekeyedFrom ?? row.write.row.identity)
  }
  for (const holder of new Set(found.map((each) => each.holder))) await holder.flush()
}

/** Moves the rows that find their shard through parents which moved; and theirs, since they may be parents too. */
export async function moveDependants(context: MoveContext, moved: readonly MovedParent[]): Promise<void> {
  for (const parent of moved) {
    const from = context.sessions.get(parent.from)
    if (!from) continue
    for (const table of childrenOf(context.direction, parent)) await moveChildren(context, parent, table, from)
  }
}

async function moveChildren(
  context: MoveContext,
  parent: MovedParent,
  table: DirectedTable,
  from: TargetSession,
): Promise<void> {
  const layout = plainLayout(table)
  const route = table.toRoute
  if (route.kind !== 'parent') return
  context.begin(from)
  const writer = from.writer(layout)
  const columns = writer.columns.map((column) => quoteIdentifier(column.to)).join(', ')
  const where = `FROM ${quoteTable(table.to)} WHERE ${quoteIdentifier(route.column)} = $1`
  const found = await from.select(`SELECT ${columns} ${where}`, [parent.value])
  if (found.length === 0) return
  context.givers.add(from)
  const to = context.sessions.get(parent.to)
  if (to) {
    context.begin(to)
    for (const values of found) addRow(to, layout, values, writer)
    await to.flush()
  }
  await moveDependants(
    context,
    found.flatMap((values) => referencesTo(context.router, writer, values, parent.from, parent.to)),
  )
  await from.select(`DELETE ${where}`, [parent.value])
  for (const values of found) {
    context.relocated.push({ layout, key: writer.keyPlaces.map((place) => values[place] ?? '') })
  }
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
    rekeyedFrom: null,
  }
  addPut(session.pipeline, writer, { row, ...written, anywhere: false, rekeyedFrom: null })
}

/** Looks for the rows on all other shards, and completes them with what they hold there. */
async function findOnOthers(
  context: MoveContext,
  layout: Layout,
  rows: readonly MissingRow[],
  moved: MovedParent[],
): Promise<readonly FoundRow[]> {
  const found = new Map<MissingRow, FoundRow>()
  for (const session of context.sessions.values()) {
    const wanted = rows.filter((row) => row.session !== session && !found.has(row))
    if (wanted.length === 0) continue
    context.begin(session)
    const writer = session.writer(layout)
    const held = await session.read(
      writer,
      wanted.map(({ write }) => ({ identity: write.rekeyedFrom ?? write.row.identity })),
    )
    wanted.forEach((row, index) => {
      const values = held[index]!
      if (values === null) return
      found.set(row, { row, holder: session })
      context.givers.add(session)
      const net = row.write.row as { after: NetRow['after'] }
      if (layout.table.transform === null) net.after = fillCells(layout, net.after!, values, writer.places)
      moved.push(...referencesTo(context.router, writer, values, session.shard, row.session.shard))
    })
  }
  return [...found.values()]
}

/** How children refer to a row that was read from the applied side and changes shard. */
function referencesTo(
  router: RowRouter,
  writer: TableWriter,
  values: readonly (string | null)[],
  from: ShardId,
  to: ShardId,
): MovedParent[] {
  const { table } = writer.layout
  const moved: MovedParent[] = []
  for (const column of router.links.columns(table)) {
    const place = writer.columns.findIndex((candidate) => candidate.from === column)
    const value = values[place]
    if (value !== null && value !== undefined) moved.push({ table, column: writer.columns[place]!.to, value, from, to })
  }
  return moved
}

/** In the plan's order: parents first. */
function groupByLayout(direction: Direction, missing: readonly MissingRow[]): [Layout, MissingRow[]][] {
  const groups = new Map<Layout, MissingRow[]>()
  for (const row of missing) {
    const { layout } = row.writer
    const group = groups.get(layout)
    if (group) group.push(row)
    else groups.set(layout, [row])
  }
  const order = (layout: Layout) => direction.tables.indexOf(layout.table)
  return [...groups].sort(([a], [b]) => order(a) - order(b))
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
    // As the applied side has them: no transform any more.
    const plain = layoutOf(
      {
        ...table,
        transform: null,
        columns: table.columns.filter((column) => column.inTo).map((column) => ({ ...column, inFrom: true })),
      },
      {
        oid: 0,
        schema: table.from.schema,
        name: table.from.name,
        replicaIdentity: 'default',
        columns: table.columns
          .filter((column) => !column.plan.generated && column.inTo)
          .map((column) => ({ name: column.from, typeOid: 0, typeModifier: -1, key: table.key.includes(column) })),
      },
    )
    layout = { ...plain, table }
    plainLayouts.set(table, layout)
  }
  return layout
}
