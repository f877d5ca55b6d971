// For tests: relations and tuples without a stream.
import type { ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { Relation, RowMessage, Tuple } from '../changes/message.ts'
import { unchangedCell } from '../changes/message.ts'
import type { DirectedTable } from './direction.ts'
import { type Layout, layoutOf } from './layout.ts'
import { cellOf, tupleOf } from './tuple.ts'

/** Stands for a TOAST value that the stream leaves out. */
export const unchanged = Symbol('a cell that was not sent')
export type Value = string | null | typeof unchanged

/** A tuple of text cells. */
export function tuple(...values: Value[]): Tuple {
  return tupleOf(
    values.map((value) => ({
      value: value === unchanged ? unchangedCell : value === null ? null : Buffer.from(value),
      binary: false,
    })),
  )
}

/** The cells of a tuple as texts; the inverse of `tuple`. */
export function values(of: Tuple): Value[] {
  return Array.from(of.lengths, (_, cell) => {
    const { value } = cellOf(of, cell)
    return value === null ? null : value === unchangedCell ? unchanged : Buffer.from(value).toString()
  })
}

/** The layout of the table in the stream that `testRelation` describes. */
export function testLayout(table: ResolvedTable): Layout {
  const columns = table.columns.map((column) => ({
    from: column.source,
    to: column.target,
    inFrom: true,
    inTo: true,
    plan: column,
  }))
  const names = table.identity.kind === 'key' ? table.identity.columns : []
  const directed: DirectedTable = {
    plan: table,
    from: table.source,
    to: table.target,
    columns,
    key: names.map((name) => columns.find((column) => column.from === name)!),
    fromRoute: table.route,
    toRoute: table.route,
    transform: null,
    where: null,
  }
  return layoutOf(directed, testRelation(table))
}

/** How the stream would describe the table. */
export function testRelation(table: ResolvedTable): Relation {
  const names: readonly string[] = table.identity.kind === 'key' ? table.identity.columns : []
  return {
    oid: 1,
    schema: table.source.schema,
    name: table.source.name,
    replicaIdentity: names.length > 0 ? 'default' : 'full',
    columns: table.columns.map((column) => ({
      name: column.source,
      typeOid: 25,
      typeModifier: -1,
      key: names.includes(column.source),
    })),
  }
}

/** The message of an insert. */
export function inserted(relation: Relation, after: Tuple): RowMessage {
  return { tag: 'insert', xid: null, relation, after }
}
/** The message of an update; `before` is the old key, or the whole old row. */
export function updated(
  relation: Relation,
  after: Tuple,
  before: Tuple | null = null,
  kind: 'key' | 'full' = 'key',
): RowMessage {
  return { tag: 'update', xid: null, relation, before: before && { kind, tuple: before }, after }
}
/** The message of a delete; `before` is the key, or the whole row. */
export function deleted(relation: Relation, before: Tuple, kind: 'key' | 'full' = 'key'): RowMessage {
  return { tag: 'delete', xid: null, relation, before: { kind, tuple: before } }
}
