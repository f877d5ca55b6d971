import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { type Router, routerOf } from '@crossfade/routing/route.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import { kindOf, type NetEffect, type NetRow } from './batch.ts'
import type { DirectedTable, Direction } from './direction.ts'
import { type Layout, textOf } from './layout.ts'
import { ParentCache } from './parent-cache.ts'
import type { WrittenRow } from './table-writer.ts'

/** A row to be written, in the applied side's shape. */
export interface Write extends WrittenRow {
  readonly row: NetRow
  /** Sent to every shard because nobody knows where it belongs: where it is not there, that is right. */
  readonly anywhere: boolean
}

export interface KeyedWork {
  readonly deletes: NetRow[]
  readonly inserts: Write[]
  readonly updates: Write[]
  /** Written whole, whatever is there. */
  readonly puts: Write[]
}

export interface CountedWrite extends WrittenRow {
  readonly count: number
}

/** What one target is to do for one batch; tables in the plan's order, parents first. */
export interface TargetWork {
  readonly keyed: Map<Layout, KeyedWork>
  readonly counted: Map<Layout, CountedWrite[]>
}

/** Rows of a parent that were found to have left a shard: what hangs on them must follow. */
export interface MovedParent {
  readonly table: DirectedTable
  /** Where children refer to, on the applied side, and the value they refer by. */
  readonly column: string
  readonly value: string
  readonly from: ShardId
  readonly to: ShardId
}

export interface RoutedBatch {
  readonly work: ReadonlyMap<ShardId, TargetWork>
  readonly moved: readonly MovedParent[]
}

export type ParentRoute = Extract<TableRoute, { kind: 'parent' }>

/** What routing asks of the databases. */
export interface RouteLookup {
  /**
   * For each of these values the parent's link: by what it refers to its own parent, or its key. Those found nowhere are left out.
   * `from` and `to` are the same route in the names of the followed and of the applied side.
   */
  links(from: ParentRoute, to: ParentRoute, values: readonly string[]): Promise<ReadonlyMap<string, string | null>>
  /** Which of these rows are at the followed shard now. */
  present(layout: Layout, rows: readonly NetRow[]): Promise<ReadonlySet<NetRow>>
}

export interface RowShape {
  /** The row as the applied side holds it; its cells may be marked unchanged. Null when a transform leaves it out. */
  write(layout: Layout, row: NetRow): WrittenRow | null
  count(layout: Layout, tuple: CountedTuple): WrittenRow | null
}
type CountedTuple = WrittenRow['tuple']

/** Assigns rows to the shards of the applied side, and remembers the keys of parents that pass by. One for each stream. */
export class RowRouter {
  readonly #direction: Direction
  readonly #lookup: RouteLookup
  readonly #cache = new ParentCache()
  readonly #shards: readonly ShardId[]
  readonly #route: Router
  /** The only shard there is; then no key is looked at. */
  readonly #only: ShardId | null
  /** Columns (followed side's names) by which children refer to a table, by its key. */
  readonly #referred = new Map<string, Set<string>>()
  readonly #order: Map<DirectedTable, number>

  constructor(direction: Direction, lookup: RouteLookup) {
    this.#direction = direction
    this.#lookup = lookup
    this.#shards = direction.toShards.map((shard) => shard.id)
    this.#only = this.#shards.length === 1 ? this.#shards[0]! : null
    this.#route = routerOf(direction.topology)
    this.#order = new Map(direction.tables.map((table, index) => [table, index]))
    for (const table of direction.tables) {
      for (let route = table.fromRoute; route.kind === 'parent'; route = route.then) {
        const name = tableKey(route.parent)
        const columns = this.#referred.get(name) ?? new Set()
        this.#referred.set(name, columns.add(route.parentColumn))
      }
    }
  }

  /** Columns (followed side's names) by which children find their shard through rows of this table. */
  referredColumns(table: DirectedTable): ReadonlySet<string> {
    return this.#referred.get(tableKey(table.from)) ?? noColumns
  }

  /** Whether a row of this table may be on another shard than the one its new version belongs to, without the stream saying so. */
  mayMove(layout: Layout): boolean {
    return this.#only === null && layout.table.fromRoute.kind !== 'reference' && !layout.routeInKey
  }

  /** What was remembered may be wrong when rows were applied by somebody else meanwhile. */
  forget(): void {
    this.#cache.clear()
  }

  /** `skip` names the shards that have this batch already. Throws CF3106 for a row that belongs to no shard. */
  async route(net: NetEffect, skip: ReadonlySet<ShardId>, shape: RowShape): Promise<RoutedBatch> {
    const routed: Routed = { work: new Map(), moved: [], skip, shape }
    const layouts = [...net.keyed.keys(), ...net.counted.keys()].sort(
      (a, b) => this.#order.get(a.table)! - this.#order.get(b.table)!,
    )
    for (const layout of layouts) {
      const keyed = net.keyed.get(layout)
      if (keyed) await this.#routeKeyed(routed, layout, [...keyed.rows.values()])
      const counted = net.counted.get(layout)
      if (counted) await this.#routeCounted(routed, layout, [...counted.rows.values()])
    }
    return routed
  }

  async #routeKeyed(routed: Routed, layout: Layout, rows: readonly NetRow[]): Promise<void> {
    await this.#recallReplaced(layout, rows)
    const places = await this.#placesOf(layout, rows)
    const orphans: { row: NetRow; write: WrittenRow }[] = []
    const fixed = !this.mayMove(layout)
    for (let index = 0; index < rows.length; index += 1) {
      const row = rows[index]!
      const kind = kindOf(row)
      const place = places(row)
      if (kind === 'delete') {
        this.#recall(layout, row)
        this.#delete(routed, layout, row, place ?? null)
        continue
      }
      const written = routed.shape.write(layout, row)
      if (written === null) {
        this.#delete(routed, layout, row, fixed ? (place ?? null) : null)
        continue
      }
      if (place === undefined) {
        if (kind === 'update') this.#writeAnywhere(routed, layout, row, written)
        else orphans.push({ row, write: written })
        continue
      }
      this.#write(routed, layout, row, kind, written, place)
      // The row was deleted in between, and nobody knows where it was before.
      if (kind === 'put' && place !== null && !fixed) this.#deleteElsewhere(routed, layout, row, place)
    }
    if (orphans.length > 0) await this.#orphans(layout, orphans)
  }

  async #routeCounted(
    routed: Routed,
    layout: Layout,
    rows: readonly { tuple: CountedTuple; count: number }[],
  ): Promise<void> {
    const known = await this.#keysOf(
      layout,
      rows.map((row) => row.tuple),
    )
    for (const { tuple, count } of rows) {
      const written = routed.shape.count(layout, tuple)
      if (written === null) continue
      const place = this.#placeOf(layout, tuple, known)
      if (place === undefined && count > 0) throw this.#homeless(layout, 'its parent is gone')
      for (const shard of place === null || place === undefined ? this.#shards : [place]) {
        if (routed.skip.has(shard)) continue
        const list = workOf(routed, shard).counted
        const writes = list.get(layout) ?? []
        list.set(layout, writes)
        writes.push({ ...written, count })
      }
    }
  }

  /** For each row its shard, null for all of them, or undefined when its parent is gone everywhere. */
  async #placesOf(layout: Layout, rows: readonly NetRow[]): Promise<(row: NetRow) => ShardId | null | undefined> {
    const only = this.#only
    if (only !== null) return () => only
    if (layout.table.fromRoute.kind === 'reference') return () => null
    const routable = rows.filter((row) => row.after !== null || this.#identityRoutes(layout, row))
    const known = await this.#keysOf(
      layout,
      routable.map((row) => row.after ?? row.identity),
    )
    return (row) => {
      if (row.after === null && !this.#identityRoutes(layout, row)) return null
      return this.#placeOf(layout, row.after ?? row.identity, known)
    }
  }

  #identityRoutes(layout: Layout, row: NetRow): boolean {
    return layout.routeInKey || row.identityWhole
  }

  /** Shard keys by the values in which these rows refer to their parents; those whose parent is nowhere are left out. */
  async #keysOf(layout: Layout, tuples: readonly CountedTuple[]): Promise<Keys> {
    const route = layout.table.fromRoute
    if (this.#only !== null || route.kind !== 'parent') return noKeys
    const values = new Set<string>()
    for (const tuple of tuples) {
      const value = textOf(layout, tuple, layout.routeCell)
      if (value !== null) values.add(value)
    }
    return this.#follow(route, layout.table.toRoute, values)
  }

  /**
   * Goes from parents to their parents up to the key. What is remembered of each is its link alone: the value it refers to its own parent by, or its key.
   * So when one in the middle moves, all below it are right at once.
   */
  async #follow(from: TableRoute, to: TableRoute, values: ReadonlySet<string>): Promise<Keys> {
    if (from.kind !== 'parent' || to.kind !== 'parent') return new Map([...values].map((value) => [value, value]))
    const links = new Map<string, string | null>()
    const unknown: string[] = []
    for (const value of values) {
      const link = this.#cache.get(from.parent, from.parentColumn, value)
      if (link === undefined) unknown.push(value)
      else links.set(value, link)
    }
    if (unknown.length > 0) {
      for (const [value, link] of await this.#lookup.links(from, to, unknown)) {
        links.set(value, link)
        this.#cache.set(from.parent, from.parentColumn, value, link)
      }
    }
    const next = new Set([...links.values()].filter((link) => link !== null))
    const keys = await this.#follow(from.then, to.then, next)
    const found = new Map<string, string | null>()
    for (const [value, link] of links) {
      const key = link === null ? null : keys.get(link)
      if (key !== undefined) found.set(value, key)
    }
    return found
  }

  #placeOf(layout: Layout, tuple: CountedTuple, keys: Keys): ShardId | null | undefined {
    if (this.#only !== null) return this.#only
    const route = layout.table.fromRoute
    if (route.kind === 'reference') return null
    if (route.kind === 'whole') return this.#route('')
    const value = textOf(layout, tuple, layout.routeCell)
    let key = value
    if (route.kind === 'parent') {
      if (value === null) throw this.#homeless(layout, `${route.column} is NULL`)
      const found = keys.get(value)
      if (found === undefined) return undefined
      key = found
    }
    try {
      return this.#route(key)
    } catch (error) {
      throw this.#homeless(layout, reasonOf(error), error)
    }
  }

  #write(
    routed: Routed,
    layout: Layout,
    row: NetRow,
    kind: 'insert' | 'update' | 'put',
    written: WrittenRow,
    place: ShardId | null,
  ): void {
    if (this.#only === null) this.#remember(routed, layout, row, place)
    const write: Write = { row, tuple: written.tuple, cells: written.cells, anywhere: false }
    if (place !== null) {
      if (!routed.skip.has(place)) keyedWorkOf(routed, place, layout)[listOf[kind]].push(write)
      else if (kind !== 'insert' && this.mayMove(layout)) this.#leave(routed, layout, row, place)
      return
    }
    for (const shard of this.#shards) {
      if (!routed.skip.has(shard)) keyedWorkOf(routed, shard, layout)[listOf[kind]].push(write)
    }
  }

  #writeAnywhere(routed: Routed, layout: Layout, row: NetRow, written: WrittenRow): void {
    const write: Write = { row, tuple: written.tuple, cells: written.cells, anywhere: true }
    for (const shard of this.#shards) {
      if (!routed.skip.has(shard)) keyedWorkOf(routed, shard, layout).updates.push(write)
    }
  }

  #delete(routed: Routed, layout: Layout, row: NetRow, place: ShardId | null): void {
    if (place !== null) {
      if (!routed.skip.has(place)) keyedWorkOf(routed, place, layout).deletes.push(row)
      return
    }
    this.#deleteElsewhere(routed, layout, row, null)
  }

  #deleteElsewhere(routed: Routed, layout: Layout, row: NetRow, but: ShardId | null): void {
    for (const shard of this.#shards) {
      if (shard !== but && !routed.skip.has(shard)) keyedWorkOf(routed, shard, layout).deletes.push(row)
    }
  }

  /**
   * The row's shard has this batch already and the others do not: a worker died between their commits. Where the row moved, the others did not give it away
   * yet; the new shard has it and all that hangs on it.
   */
  #leave(routed: Routed, layout: Layout, row: NetRow, place: ShardId): void {
    this.#deleteElsewhere(routed, layout, row, place)
    for (const { to, value } of this.#referredValues(layout, row.after!)) {
      for (const from of this.#shards) {
        if (from !== place && !routed.skip.has(from))
          routed.moved.push({ table: layout.table, column: to, value, from, to: place })
      }
    }
  }

  /** By which values children refer to this row, with the column's name on either side. */
  #referredValues(
    layout: Layout,
    tuple: CountedTuple,
  ): { readonly from: string; readonly to: string; readonly value: string }[] {
    const values: { from: string; to: string; value: string }[] = []
    for (const column of this.referredColumns(layout.table)) {
      const cell = layout.relation.columns.findIndex((candidate) => candidate.name === column)
      if (cell < 0 || tuple.lengths[cell]! < 0) continue
      const to = layout.table.columns.find((candidate) => candidate.from === column)!.to
      values.push({ from: column, to, value: textOf(layout, tuple, cell)! })
    }
    return values
  }

  /** A parent under its old key says where its children are, if it comes back under another one. */
  #recall(layout: Layout, row: NetRow): void {
    if (this.#only !== null || layout.routeCell < 0 || !this.#identityRoutes(layout, row)) return
    if (this.referredColumns(layout.table).size === 0) return
    const link = textOf(layout, row.identity, layout.routeCell)
    for (const { from, value } of this.#referredValues(layout, row.identity)) {
      if (this.#cache.get(layout.table.from, from, value) === undefined)
        this.#cache.set(layout.table.from, from, value, link)
    }
  }

  /** Parents that were deleted and inserted again may have changed shard in between; their children are where they were before. */
  async #recallReplaced(layout: Layout, rows: readonly NetRow[]): Promise<void> {
    const { table } = layout
    if (this.#only !== null || layout.routeCell < 0 || this.referredColumns(table).size === 0) return
    for (const column of this.referredColumns(table)) {
      const unknown = new Set<string>()
      for (const row of rows) {
        if (row.after === null || kindOf(row) !== 'put') continue
        for (const { from, value } of this.#referredValues(layout, row.after)) {
          if (from === column && this.#cache.get(table.from, column, value) === undefined) unknown.add(value)
        }
      }
      if (unknown.size === 0) continue
      const to = table.columns.find((candidate) => candidate.from === column)!.to
      const links = await this.#lookup.links(
        { kind: 'parent', column, parent: table.from, parentColumn: column, then: table.fromRoute },
        { kind: 'parent', column: to, parent: table.to, parentColumn: to, then: table.toRoute },
        [...unknown],
      )
      for (const [value, link] of links) this.#cache.set(table.from, column, value, link)
    }
  }

  /** Keeps the keys of parents for their children, and notices those that changed shard. */
  #remember(routed: Routed, layout: Layout, row: NetRow, place: ShardId | null): void {
    if (place === null || this.referredColumns(layout.table).size === 0) return
    const { table } = layout
    const link = layout.routeCell < 0 ? null : textOf(layout, row.after!, layout.routeCell)
    for (const { from: column, to, value } of this.#referredValues(layout, row.after!)) {
      const before = this.#cache.get(table.from, column, value)
      this.#cache.set(table.from, column, value, link)
      if (before === undefined || before === null || before === link) continue
      const from = this.#shardBehind(table.fromRoute, before)
      if (from !== null && from !== place) routed.moved.push({ table, column: to, value, from, to: place })
    }
  }

  /** The shard that a link leads to, as far as that is remembered. */
  #shardBehind(route: TableRoute, link: string): ShardId | null {
    let key: string | null | undefined = link
    for (let at = route; at.kind === 'parent'; at = at.then) {
      key = this.#cache.get(at.parent, at.parentColumn, key)
      if (key === undefined || key === null) return null
    }
    return this.#route(key)
  }

  /**
   * New rows whose parent is nowhere. Where such a row is gone from the followed shard too, its delete is on its way and it may be left out; one that
   * is still there belongs to nobody.
   */
  async #orphans(layout: Layout, orphans: readonly { row: NetRow }[]): Promise<void> {
    const present = await this.#lookup.present(
      layout,
      orphans.map((orphan) => orphan.row),
    )
    if (present.size > 0) throw this.#homeless(layout, 'its parent does not exist')
  }

  #homeless(layout: Layout, reason: string, cause?: unknown): Error {
    return fail('CF3106', { table: tableKey(layout.table.from), side: this.#direction.to, reason }, cause)
  }
}

/** What is done where, while it is being decided. */
interface Routed {
  readonly work: Map<ShardId, TargetWork>
  readonly moved: MovedParent[]
  readonly skip: ReadonlySet<ShardId>
  readonly shape: RowShape
}

type Keys = ReadonlyMap<string, string | null>

const noKeys: Keys = new Map()
const noColumns: ReadonlySet<string> = new Set()
const listOf = { insert: 'inserts', update: 'updates', put: 'puts' } as const

export function emptyWork(): TargetWork {
  return { keyed: new Map(), counted: new Map() }
}

function workOf(routed: Routed, shard: ShardId): TargetWork {
  let work = routed.work.get(shard)
  if (!work) {
    work = emptyWork()
    routed.work.set(shard, work)
  }
  return work
}

function keyedWorkOf(routed: Routed, shard: ShardId, layout: Layout): KeyedWork {
  const { keyed } = workOf(routed, shard)
  let work = keyed.get(layout)
  if (!work) {
    work = { deletes: [], inserts: [], updates: [], puts: [] }
    keyed.set(layout, work)
  }
  return work
}
