import type { TableName } from '@crossfade/model/table-name.ts'
import { sqlIdentifier } from './sql-text.ts'
import type { TableRoute } from './table-route.ts'

/**
 * An SQL expression of type text that gives the shard key of a row; `alias` is how the statement calls the row's table (already quoted where needed).
 * Parents are looked up by sub-select in the same database; NULL when one is missing or the key column is NULL.
 * Tables that are not split (`whole`, `reference`) have no key: the empty text.
 */
export function keyExpressionSql(route: TableRoute, alias: string): string {
  return expression(route, alias, 1)
}

/**
 * The same as joins: `joins` follows the table in FROM (it may be empty), `expression` gives the key. The server can then hash or memoize the parents, which
 * pays where many rows are read. Only right where each `parentColumn` is unique, as the target of a foreign key is; else rows would be doubled.
 */
export function keyJoinSql(route: TableRoute, alias: string): { readonly joins: string; readonly expression: string } {
  const joins: string[] = []
  let at = route
  let child = alias
  while (at.kind === 'parent') {
    const parent = `crossfade_parent_${joins.length + 1}`
    joins.push(` LEFT JOIN ${tableSql(at.parent)} AS ${parent} ON ${matchSql(at, child, parent)}`)
    child = parent
    at = at.then
  }
  return { joins: joins.join(''), expression: expression(at, child, 1) }
}

/** How one side names the tables and columns that the plan names as the source does. */
export interface SideNames {
  table(source: TableName): TableName
  column(source: TableName, column: string): string
}

/** The route of `table` with every name as the other side has it; for tables and columns that the plan renames. */
export function renameRoute(route: TableRoute, table: TableName, names: SideNames): TableRoute {
  switch (route.kind) {
    case 'whole':
    case 'reference':
      return route
    case 'column':
      return { kind: 'column', column: names.column(table, route.column) }
    case 'parent':
      return {
        kind: 'parent',
        column: names.column(table, route.column),
        parent: names.table(route.parent),
        parentColumn: names.column(route.parent, route.parentColumn),
        then: renameRoute(route.then, route.parent, names),
      }
  }
}

function expression(route: TableRoute, alias: string, depth: number): string {
  switch (route.kind) {
    case 'whole':
    case 'reference':
      return `''::text`
    case 'column':
      return `${alias}.${sqlIdentifier(route.column)}::text`
    case 'parent': {
      const parent = `crossfade_parent_${depth}`
      const key = expression(route.then, parent, depth + 1)
      return `(SELECT ${key} FROM ${tableSql(route.parent)} AS ${parent} WHERE ${matchSql(route, alias, parent)})`
    }
  }
}

function matchSql(route: Extract<TableRoute, { kind: 'parent' }>, child: string, parent: string): string {
  return `${parent}.${sqlIdentifier(route.parentColumn)} = ${child}.${sqlIdentifier(route.column)}`
}

function tableSql(table: TableName): string {
  return `${sqlIdentifier(table.schema)}.${sqlIdentifier(table.name)}`
}
