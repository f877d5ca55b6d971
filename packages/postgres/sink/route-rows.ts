import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { type Router, routerOf } from '@crossfade/routing/route.ts'
import type { Tuple } from '../changes/message.ts'
import { type KeyedRows, kindOf, type NetEffect, type NetRow } from './batch.ts'
import type { DirectedTable, Direction } from './direction.ts'
import { type Layout, textOf } from './layout.ts'
import { type Keys, type LinkLookup, ParentLinks } from './parent-links.ts'
import type { WrittenRow } from './table-writer.ts'
import { cellsKey } from './tuple.ts'

/** A row to be written, in the applied side's shape. */
export interface Write extends WrittenRow {
  readonly row: NetRow
  /** Sent to every shard because nobody knows where it belongs: where it is not there, that is right. */
  readonly anywhere: boolean
  /** Where it is found, when its key is changed in place; null: under its own key. */
  readonly rekeyedFrom: Tuple | null
}

export interface KeyedWork {
  readonly deletes: NetRow[]
  readonly inserts: Write[]
  readonly updates: Write[]
  /** Written whole, whatever is there. */
  readonly puts: Write[]
  /** Their key is changed in place, so that what refers to them stays. */
  readonly rekeys: Write[]
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
  /** Rows whose key was changed so that they belong to another shard: they are to be taken from there. */
  readonly crossing: readonly { readonly shard: ShardId; readonly layout: Layout; readonly write: Write }[]
}

export interface RouteOptions {
  /** The shards that have this batch already. */
  readonly skip: ReadonlySet<ShardId>
  readonly shape: RowShape
  /** Whether keys are changed in place rather than by delete and insert. */
  readonly inPlace: boolean
  /** Whether a row may have been copied as it is later, to the shard where it belongs then. */
  readonly converging: boolean
}

/** What routing asks of the databases. */
export interface RouteLookup {
  readonly links: LinkLookup
  /** Which of these rows are at the followed shard now. */
  present(layout: Layout, rows: readonly NetRow[]): Promise<ReadonlySet<NetRow>>
}

export interface RowShape {
  /** The row as the applied side holds it; its cells may be marked unchanged. Null when a transform leaves it out. */
  write(layout: Layout, row: NetRow): WrittenRow | null
  count(layout: Layout, tuple: Tuple): WrittenRow | null
}
/** Assigns rows to the shards of the applied side, and remembers the keys of parents that pass by. One for each stream. */
export class RowRouter {
  readonly #direction: Direction
  readonly #lookup: RouteLookup
  readonly #shards: readonly ShardId[]
  readonly #route: Router
  /** The only shard there is; then no key is looked at. */
  readonly #only: ShardId | null
  readonly links: ParentLinks
  readonly #order: Map<DirectedTable, number>

  constructor(direction: Direction, lookup: RouteLookup) {
    this.#direction = direction
    this.#lookup = lookup
    this.#shards = direction.toShards.map((shard) => shard.id)
    this.#only = this.#shards.length === 1 ? this.#shards[0]! : null
    this.#route = routerOf(direction.topology)
    this.#order = new Map(direction.tables.map((table, index) => [table, index]))
    this.links = new ParentLinks(direction, lookup.links)
  }

  /** Whether a row of this table may be on another shard than the one its new version belongs to, without the stream saying so. */
  mayMove(layout: Layout): boolean {
    const { kind } = layout.table.fromRoute
    return this.#only === null && kind !== 'reference' && (kind === 'parent' || !layout.routeInKey)
  }

  /** What was remembered is wrong when a batch was rolled back. */
  forget(): void {
    this.links.forget()
  }

  /** Throws CF3106 for a row that belongs to no shard. */
  async route(net: NetEffect, options: RouteOptions): Promise<RoutedBatch> {
    const routed: Routed = { work: new Map(), moved: [], crossing: [], ...options }
    const layouts = [...net.keyed.keys(), ...net.counted.keys()].sort(
      (a, b) => this.#order.get(a.table)! - this.#order.get(b.table)!,
    )
    for (const layout of layouts) {
      const keyed = net.keyed.get(layout)
      if (keyed) await this.#routeKeyed(routed, layout, keyed)
      const counted = net.counted.get(layout)
      if (counted) await this.#routeCounted(routed, layout, [...counted.rows.values()])
    }
    return routed
  }

  async #routeKeyed(routed: Routed, layout: Layout, keyed: KeyedRows): Promise<void> {
    const rows = [...keyed.rows.values()]
    await this.#recallMoved(layout, rows)
    const places = await this.#placesOf(layout, rows)
    const rekeyed = routed.inPlace ? rekeyedKeys(layout, rows) : noKeyTexts
    const left = this.#rememberLeft(layout, rows)
    const orphans: NetRow[] = []
    const fixed = !this.mayMove(layout)
    for (const [key, row] of keyed.rows) {
      const kind = kindOf(row)
      const place = places(row)
      if (kind === 'delete') {
        if (!rekeyed.has(key)) this.#delete(routed, layout, row, place ?? null)
        continue
      }
      const written = routed.shape.write(layout, row)
      if (written === null) {
        this.#delete(routed, layout, row, fixed ? (place ?? null) : null)
        continue
      }
      if (place === undefined) {
        if (kind === 'update') this.#writeAnywhere(routed, layout, row, written)
        else orphans.push(row)
        continue
      }
      if (routed.inPlace && row.rekeyedFrom !== null && place !== null) {
        this.#rekey(routed, layout, row, row.rekeyedFrom, written, place, left)
        continue
      }
      this.#write(routed, layout, row, kind, written, place, left)
      // The row was deleted in between, and nobody knows where it was before; or it was copied to where it is later.
      const stray = kind === 'put' || (kind === 'insert' && routed.converging)
      if (stray && place !== null && !fixed) this.#deleteElsewhere(routed, layout, row, place)
    }
    if (orphans.length > 0) await this.#orphans(layout, orphans)
  }

  /** Changes the key where the row is, or has the row fetched from the shard where it was. */
  #rekey(
    routed: Routed,
    layout: Layout,
    row: NetRow,
    rekeyedFrom: Tuple,
    written: WrittenRow,
    place: ShardId,
    left: LinksLeft,
  ): void {
    if (this.#only === null) this.#remember(routed, layout, row, place, left)
    const write: Write = { row, tuple: written.tuple, cells: written.cells, anywhere: false, rekeyedFrom }
    if (routed.skip.has(place)) {
      this.#leave(routed, layout, { ...row, identity: rekeyedFrom }, place)
      return
    }
    const known = this.#only === null && layout.table.fromRoute.kind === 'column' && layout.routeInKey
    const before = known ? this.#route(textOf(layout, rekeyedFrom, layout.routeCell)) : place
    if (before === place) keyedWorkOf(routed, place, layout).rekeys.push(write)
    else routed.crossing.push({ shard: place, layout, write })
  }

  async #routeCounted(routed: Routed, layout: Layout, rows: readonly { tuple: Tuple; count: number }[]): Promise<void> {
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

  /** Whether the identity of a row that is gone says where it was. A parent may have moved since. */
  #identityRoutes(layout: Layout, row: NetRow): boolean {
    return layout.table.fromRoute.kind !== 'parent' && (layout.routeInKey || row.identityWhole)
  }

  /** Shard keys by the values in which these rows refer to their parents; those whose parent is nowhere are left out. */
  async #keysOf(layout: Layout, tuples: readonly Tuple[]): Promise<Keys> {
    const route = layout.table.fromRoute
    if (this.#only !== null || route.kind !== 'parent') return noKeys
    const values = new Set<string>()
    for (const tuple of tuples) {
      const value = textOf(layout, tuple, layout.routeCell)
      if (value !== null) values.add(value)
    }
    return this.links.follow(route, layout.table.toRoute, values)
  }

  #placeOf(layout: Layout, tuple: Tuple, keys: Keys): ShardId | null | undefined {
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
    left: LinksLeft,
  ): void {
    if (this.#only === null) this.#remember(routed, layout, row, place, left)
    const write: Write = { row, tuple: written.tuple, cells: written.cells, anywhere: false, rekeyedFrom: null }
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
    const write: Write = { row, tuple: written.tuple, cells: written.cells, anywhere: true, rekeyedFrom: null }
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
    for (const { to, value } of this.links.references(layout, row.after!)) {
      for (const from of this.#shards) {
        if (from === place || routed.skip.has(from)) continue
        routed.moved.push({ table: layout.table, column: to, value, from, to: place })
      }
    }
  }

  /**
   * A parent under its old key says where its children are, if it comes back under another one. That counts beside what is remembered: it may have been
   * looked up where a later version of the row was copied to, while children that came before are with the old one.
   */
  #rememberLeft(layout: Layout, rows: readonly NetRow[]): LinksLeft {
    const left = new Map<string, Set<string>>()
    if (this.#only !== null || layout.routeCell < 0 || this.links.columns(layout.table).size === 0) return left
    for (const row of rows) {
      if (kindOf(row) !== 'delete' || !(layout.routeInKey || row.identityWhole)) continue
      const link = textOf(layout, row.identity, layout.routeCell)
      for (const { from, value } of this.links.references(layout, row.identity)) {
        this.links.set(layout.table.from, from, value, link)
        if (link === null) continue
        const name = referenceKey(from, value)
        left.set(name, (left.get(name) ?? new Set()).add(link))
      }
    }
    return left
  }

  /**
   * Finds out where parents were whose move would otherwise go unnoticed (deleted and inserted again), or be noticed too late for what hangs on them
   * (rows without identity, which can't be looked for).
   */
  async #recallMoved(layout: Layout, rows: readonly NetRow[]): Promise<void> {
    const { table } = layout
    if (this.#only !== null || layout.routeCell < 0) return
    for (const column of this.links.columns(table)) {
      const values = new Set<string>()
      for (const row of rows) {
        const kind = kindOf(row)
        if (kind !== 'put' && !(kind === 'update' && this.links.isAboveCounted(table))) continue
        for (const { from, value } of this.links.references(layout, row.after!)) if (from === column) values.add(value)
      }
      await this.links.recall(table, column, values)
    }
  }

  /** Keeps the links of parents for their children, and notices those that changed shard. */
  #remember(routed: Routed, layout: Layout, row: NetRow, place: ShardId | null, left: LinksLeft): void {
    const { table } = layout
    if (place === null || this.links.columns(table).size === 0) return
    const link = layout.routeCell < 0 ? null : textOf(layout, row.after!, layout.routeCell)
    for (const { from: column, to, value } of this.links.references(layout, row.after!)) {
      const before = this.links.get(table.from, column, value)
      this.links.set(table.from, column, value, link)
      const shards = new Set<ShardId>()
      for (const each of [before, ...(left.get(referenceKey(column, value)) ?? [])]) {
        if (each === undefined || each === null || each === link) continue
        const from = this.links.shardBehind(table.fromRoute, each, this.#route)
        if (from !== null && from !== place) shards.add(from)
      }
      for (const from of shards) routed.moved.push({ table, column: to, value, from, to: place })
    }
  }

  /**
   * New rows whose parent is nowhere. Where such a row is gone from the followed shard too, its delete is on its way and it may be left out; one that
   * is still there belongs to nobody.
   */
  async #orphans(layout: Layout, orphans: readonly NetRow[]): Promise<void> {
    const present = await this.#lookup.present(layout, orphans)
    if (present.size > 0) throw this.#homeless(layout, 'its parent does not exist')
  }

  #homeless(layout: Layout, reason: string, cause?: unknown): Error {
    return fail('CF3106', { table: tableKey(layout.table.from), side: this.#direction.to, reason }, cause)
  }
}

/** What is done where, while it is being decided. */
interface Routed extends RouteOptions {
  readonly work: Map<ShardId, TargetWork>
  readonly moved: MovedParent[]
  readonly crossing: { readonly shard: ShardId; readonly layout: Layout; readonly write: Write }[]
}

/** Links that rows had under keys which they lose in a batch, by how children refer to the rows. */
type LinksLeft = ReadonlyMap<string, ReadonlySet<string>>

function referenceKey(column: string, value: string): string {
  return `${column} ${value}`
}

const noKeys: Keys = new Map()
const noKeyTexts: ReadonlySet<string> = new Set()
const listOf = { insert: 'inserts', update: 'updates', put: 'puts' } as const

/** Nothing to do yet; a new one at each call, for it is filled. */
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
    work = { deletes: [], inserts: [], updates: [], puts: [], rekeys: [] }
    keyed.set(layout, work)
  }
  return work
}

/** Keys that rows had before they were changed. */
function rekeyedKeys(layout: Layout, rows: readonly NetRow[]): ReadonlySet<string> {
  const keys = new Set<string>()
  for (const row of rows) {
    if (row.after !== null && row.rekeyedFrom !== null) keys.add(cellsKey(row.rekeyedFrom, layout.keyCells)!)
  }
  return keys
}
