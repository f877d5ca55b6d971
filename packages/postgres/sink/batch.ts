import { fail } from '@crossfade/model/failure.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { RowMessage, Tuple } from '../changes/message.ts'
import type { Layout } from './layout.ts'
import { cellsKey, fillUnchanged, hasUnchanged, rowKey } from './tuple.ts'

/**
 * What a run of changes comes to for each row, however often it was changed: at most one delete and one write per key. Rows of tables without
 * identity are counted instead: such a table is a multiset, and only how many of each row come and go matters.
 * Pure: nothing here knows databases. Order between keys is lost; the messages are kept for those who need it.
 */
export class NetEffect {
  readonly keyed = new Map<Layout, KeyedRows>()
  readonly counted = new Map<Layout, CountedRows>()
  /** The messages as they came, and the layout of each. */
  readonly messages: RowMessage[] = []
  readonly layouts: Layout[] = []

  /** Takes an insert, update or delete. Throws CF3202 when a row has no key, which the stream never sends for tables with identity. */
  add(layout: Layout, message: RowMessage): void {
    this.messages.push(message)
    this.layouts.push(layout)
    if (layout.keyCells.length > 0) this.#keyedRows(layout).add(message)
    else this.#countedRows(layout).add(message)
  }

  #keyedRows(layout: Layout): KeyedRows {
    let rows = this.keyed.get(layout)
    if (!rows) {
      rows = new KeyedRows(layout)
      this.keyed.set(layout, rows)
    }
    return rows
  }

  #countedRows(layout: Layout): CountedRows {
    let rows = this.counted.get(layout)
    if (!rows) {
      rows = new CountedRows(layout)
      this.counted.set(layout, rows)
    }
    return rows
  }
}

/** What became of one key. */
export interface NetRow {
  /** Whether the row was there before the first of these changes, as that change implies. */
  readonly before: 'present' | 'absent'
  /** It was deleted in between: nothing of what was there before may be kept. */
  readonly replaced: boolean
  /** The row in the end; null: it is gone. Cells that were never sent are still marked unchanged. */
  readonly after: Tuple | null
  /** A tuple that holds the key's cells: the row itself, or the old identity. */
  readonly identity: Tuple
  /** Whether `identity` is a whole row, as it was before or is in the end, and not the key's cells alone. */
  readonly identityWhole: boolean
  /** The identity of the row that unchanged cells come from; null: the row under its own key. */
  readonly carryFrom: Tuple | null
  /** The identity under which the row was there before its key was changed; null when it was not. */
  readonly rekeyedFrom: Tuple | null
}

type MutableRow = { -readonly [Name in keyof NetRow]: NetRow[Name] }

/** The net effect on the rows of one layout, by the text of their keys. Changes are added in the order in which they were made. Throws CF3202 when a row has no key. */
export class KeyedRows {
  readonly layout: Layout
  readonly rows = new Map<string, NetRow>()

  constructor(layout: Layout) {
    this.layout = layout
  }

  add(message: RowMessage): void {
    if (message.tag === 'insert') this.#insert(message.after)
    else if (message.tag === 'update') this.#update(message.before?.tuple ?? null, message.after)
    else if (message.tag === 'delete') this.#remove(message.before.tuple, message.before.kind === 'full')
  }

  #insert(after: Tuple): void {
    const key = this.#key(after)
    const row = this.rows.get(key) as MutableRow | undefined
    if (!row) this.rows.set(key, newRow('absent', after, after, true, null))
    else putNew(row, after, null)
  }

  #update(before: Tuple | null, after: Tuple): void {
    const key = this.#key(after)
    if (before !== null) {
      const oldKey = this.#key(before)
      if (oldKey !== key) return this.#changeKey(oldKey, before, key, after)
    }
    const row = this.rows.get(key) as MutableRow | undefined
    if (!row) {
      this.rows.set(key, newRow('present', after, after, true, null))
      return
    }
    row.after = row.after === null ? after : fillUnchanged(after, row.after)
    row.identity = row.after
    row.identityWhole = true
  }

  #remove(identity: Tuple, whole: boolean): void {
    const key = this.#key(identity)
    const row = this.rows.get(key) as MutableRow | undefined
    if (!row) this.rows.set(key, newRow('present', null, identity, whole, null))
    else drop(row)
  }

  /** The row leaves its old key and appears under the new one, and what was not sent of it comes from where it was before all this. */
  #changeKey(oldKey: string, before: Tuple, key: string, after: Tuple): void {
    let old = this.rows.get(oldKey) as MutableRow | undefined
    if (!old) {
      old = newRow('present', null, before, false, null)
      this.rows.set(oldKey, old)
    }
    const filled = old.after === null ? after : fillUnchanged(after, old.after)
    const rekeyedFrom = old.rekeyedFrom ?? old.identity
    const carryFrom = hasUnchanged(filled) ? (old.carryFrom ?? old.identity) : null
    drop(old)
    const row = this.rows.get(key) as MutableRow | undefined
    if (!row) this.rows.set(key, { ...newRow('absent', filled, filled, true, carryFrom), rekeyedFrom })
    else putNew(row, filled, carryFrom)
  }

  #key(tuple: Tuple): string {
    const key = cellsKey(tuple, this.layout.keyCells)
    if (key === null) throw fail('CF3202', { table: tableKey(this.layout.table.from) })
    return key
  }
}

function newRow(
  before: NetRow['before'],
  after: Tuple | null,
  identity: Tuple,
  identityWhole: boolean,
  carryFrom: Tuple | null,
): MutableRow {
  return { before, replaced: false, after, identity, identityWhole, carryFrom, rekeyedFrom: null }
}

function putNew(row: MutableRow, after: Tuple, carryFrom: Tuple | null): void {
  row.replaced = true
  row.after = after
  row.identity = after
  row.identityWhole = true
  row.carryFrom = carryFrom
  row.rekeyedFrom = null
}

function drop(row: MutableRow): void {
  row.after = null
  row.replaced = true
  row.carryFrom = null
  row.rekeyedFrom = null
  // What it was in between says nothing about where it was before.
  row.identityWhole = false
}

/** One row of a table without identity, and by how much its number changes. */
export interface CountedRow {
  readonly tuple: Tuple
  /** How many more (or, negative, fewer) such rows there are in the end. */
  readonly count: number
}

/** The net effect on the rows of one layout without identity, by the text of the whole row. Throws CF3202 when an update comes without the row as it was. */
export class CountedRows {
  readonly layout: Layout
  readonly rows = new Map<string, CountedRow>()

  constructor(layout: Layout) {
    this.layout = layout
  }

  add(message: RowMessage): void {
    if (message.tag === 'insert') this.#change(message.after, 1)
    else if (message.tag === 'delete') this.#change(message.before.tuple, -1)
    else if (message.tag === 'update') {
      if (!message.before) throw fail('CF3202', { table: tableKey(this.layout.table.from) })
      this.#change(message.before.tuple, -1)
      this.#change(fillUnchanged(message.after, message.before.tuple), 1)
    }
  }

  #change(tuple: Tuple, by: number): void {
    const key = rowKey(tuple, this.layout.inputs.cells)
    const row = this.rows.get(key) as { tuple: Tuple; count: number } | undefined
    if (!row) this.rows.set(key, { tuple, count: by })
    else {
      row.count += by
      if (row.count === 0) this.rows.delete(key)
    }
  }
}

/** What is to be done for a row; `put` writes it whole whether or not it is there. */
export type NetKind = 'delete' | 'insert' | 'update' | 'put'

/** The least that brings the row on the applied side to what it is in the end. Pure. */
export function kindOf(row: NetRow): NetKind {
  if (row.after === null) return 'delete'
  if (row.before === 'absent') return row.replaced ? 'put' : 'insert'
  return row.replaced ? 'put' : 'update'
}
