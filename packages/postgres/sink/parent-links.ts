import type { ShardId } from '@crossfade/model/ids.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { Router } from '@crossfade/routing/route.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import type { Tuple } from '../changes/message.ts'
import type { DirectedTable, Direction } from './direction.ts'
import { type Layout, textOf } from './layout.ts'
import { ParentCache } from './parent-cache.ts'

export type ParentRoute = Extract<TableRoute, { kind: 'parent' }>

/**
 * Looks parents up: for each of these values the parent's link, by which it refers to its own parent, or its key. Those found nowhere are left out.
 * `from` and `to` are the same route in the names of the followed and of the applied side.
 */
export type LinkLookup = (
  from: ParentRoute,
  to: ParentRoute,
  values: readonly string[],
) => Promise<ReadonlyMap<string, string | null>>

/** How children refer to a row: by this column (its name on either side) and this value. */
export interface Reference {
  readonly from: string
  readonly to: string
  readonly value: string
}

export type Keys = ReadonlyMap<string, string | null>

/**
 * The way from children over their parents to the shard key. What is remembered of each parent is its link alone: the value it refers to its own parent by,
 * or its key. So when one in the middle moves, all below it are right at once.
 */
export class ParentLinks {
  readonly #lookup: LinkLookup
  readonly #cache = new ParentCache()
  /** Columns (followed side's names) by which children refer to a table, by its key. */
  readonly #referred = new Map<string, Set<string>>()
  /** Tables above one without identity: their moves must be known before its rows are written. */
  readonly #aboveCounted = new Set<string>()

  constructor(direction: Direction, lookup: LinkLookup) {
    this.#lookup = lookup
    for (const table of direction.tables) {
      for (let route = table.fromRoute; route.kind === 'parent'; route = route.then) {
        const name = tableKey(route.parent)
        const columns = this.#referred.get(name) ?? new Set()
        this.#referred.set(name, columns.add(route.parentColumn))
        if (table.key.length === 0) this.#aboveCounted.add(name)
      }
    }
  }

  /** Columns (followed side's names) by which children find their shard through rows of this table. */
  columns(table: DirectedTable): ReadonlySet<string> {
    return this.#referred.get(tableKey(table.from)) ?? noColumns
  }

  isAboveCounted(table: DirectedTable): boolean {
    return this.#aboveCounted.has(tableKey(table.from))
  }

  /** How children refer to this row; cells that were not sent are left out. */
  references(layout: Layout, tuple: Tuple): Reference[] {
    const references: Reference[] = []
    for (const column of this.columns(layout.table)) {
      const cell = layout.relation.columns.findIndex((candidate) => candidate.name === column)
      if (cell < 0 || tuple.lengths[cell]! < 0) continue
      const to = layout.table.columns.find((candidate) => candidate.from === column)!.to
      references.push({ from: column, to, value: textOf(layout, tuple, cell)! })
    }
    return references
  }

  /** The remembered link of a row that children refer to; undefined when it is not known. */
  get(parent: TableName, column: string, value: string): string | null | undefined {
    return this.#cache.get(parent, column, value)
  }

  set(parent: TableName, column: string, value: string, link: string | null): void {
    this.#cache.set(parent, column, value, link)
  }

  forget(): void {
    this.#cache.clear()
  }

  /** Looks up the links of rows that may have moved without the stream saying from where, as far as they are not known. */
  async recall(table: DirectedTable, column: string, values: Iterable<string>): Promise<void> {
    const unknown = [...values].filter((value) => this.get(table.from, column, value) === undefined)
    if (unknown.length === 0) return
    const to = table.columns.find((candidate) => candidate.from === column)!.to
    const links = await this.#lookup(
      { kind: 'parent', column, parent: table.from, parentColumn: column, then: table.fromRoute },
      { kind: 'parent', column: to, parent: table.to, parentColumn: to, then: table.toRoute },
      unknown,
    )
    for (const [value, link] of links) this.set(table.from, column, value, link)
  }

  /** Goes up to the shard keys, looking up all unknown parents of a level at once; values whose parent is nowhere are left out. */
  async follow(from: TableRoute, to: TableRoute, values: ReadonlySet<string>): Promise<Keys> {
    if (from.kind !== 'parent' || to.kind !== 'parent') return new Map([...values].map((value) => [value, value]))
    const links = new Map<string, string | null>()
    const unknown: string[] = []
    for (const value of values) {
      const link = this.get(from.parent, from.parentColumn, value)
      if (link === undefined) unknown.push(value)
      else links.set(value, link)
    }
    if (unknown.length > 0) {
      for (const [value, link] of await this.#lookup(from, to, unknown)) {
        links.set(value, link)
        this.set(from.parent, from.parentColumn, value, link)
      }
    }
    const next = new Set([...links.values()].filter((link) => link !== null))
    const keys = await this.follow(from.then, to.then, next)
    const found = new Map<string, string | null>()
    for (const [value, link] of links) {
      const key = link === null ? null : keys.get(link)
      if (key !== undefined) found.set(value, key)
    }
    return found
  }

  /** The shard that a link leads to, as far as that is remembered. */
  shardBehind(route: TableRoute, link: string, router: Router): ShardId | null {
    let key: string | null | undefined = link
    for (let at = route; at.kind === 'parent'; at = at.then) {
      key = this.get(at.parent, at.parentColumn, key)
      if (key === undefined || key === null) return null
    }
    return router(key)
  }
}

const noColumns: ReadonlySet<string> = new Set()
