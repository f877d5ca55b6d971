import type { Relation, Tuple } from '../changes/message.ts'
import { cellText } from './cell-text.ts'
import type { DirectedColumn, DirectedTable } from './direction.ts'

/** Where a relation of the stream holds what the plan's table needs. Computed once for each description that the stream gives. */
export interface Layout {
  readonly table: DirectedTable
  readonly relation: Relation
  /** Identity cells in key order; empty for a table without identity. */
  readonly keyCells: readonly number[]
  /** What the stream has of the plan's columns, and the cell of each; generated ones are not among them. */
  readonly inputs: { readonly columns: readonly DirectedColumn[]; readonly cells: readonly number[] }
  /** Columns that are written on the applied side, and where a written row has them: the inputs themselves, or what a transform makes of them. */
  readonly columns: readonly DirectedColumn[]
  readonly cells: readonly number[]
  /** The cell that the table's route starts from; -1 where the route needs none. */
  readonly routeCell: number
  /** Whether a tuple of the identity alone (a delete) holds what the route needs. */
  readonly routeInKey: boolean
}

/** Where the relation holds the columns of the table. A key column that the stream does not send gets the cell -1. Pure. */
export function layoutOf(table: DirectedTable, relation: Relation): Layout {
  const cellByName = new Map(relation.columns.map((column, index) => [column.name, index]))
  const inputs = table.columns.filter(
    (column) => !column.plan.generated && column.inFrom && cellByName.has(column.from),
  )
  const inputCells = inputs.map((column) => cellByName.get(column.from)!)
  const columns = table.transform ? table.columns.filter((column) => !column.plan.generated && column.inTo) : inputs
  const route = table.fromRoute
  const routeColumn = route.kind === 'column' || route.kind === 'parent' ? route.column : null
  return {
    table,
    relation,
    keyCells: table.key.map((column) => cellByName.get(column.from) ?? -1),
    inputs: { columns: inputs, cells: inputCells },
    columns,
    cells: table.transform ? columns.map((_, place) => place) : inputCells,
    routeCell: routeColumn === null ? -1 : (cellByName.get(routeColumn) ?? -1),
    routeInKey: table.key.length === 0 || table.key.some((column) => column.from === routeColumn),
  }
}

/** Whether two descriptions mean the same: then rows of both may be put together. */
export function sameShape(a: Relation, b: Relation): boolean {
  if (a === b) return true
  if (a.oid !== b.oid || a.columns.length !== b.columns.length) return false
  return a.columns.every((column, index) => {
    const other = b.columns[index]!
    return column.name === other.name && column.typeOid === other.typeOid && column.key === other.key
  })
}

/** A cell as text, by its place in the relation. */
export function textOf(layout: Layout, tuple: Tuple, cell: number): string | null {
  return cellText(tuple, cell, layout.relation.columns[cell]!.typeOid)
}

/** Identity values as text, in key order. */
export function keyTexts(layout: Layout, tuple: Tuple): string[] {
  return layout.keyCells.map((cell) => textOf(layout, tuple, cell) ?? '')
}
