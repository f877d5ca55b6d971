import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import { quoteIdentifier, quoteLiteral, quoteTable } from '../../connection/quote.ts'
import type { Column, Constraint, Inventory, Sequence, Table } from '../inventory-types.ts'
import { sequenceOptions } from './sequences.ts'

/** What a table's DDL looks at beside the table. */
export interface TableContext {
  readonly tables: ReadonlyMap<string, Table>
  readonly identitySequences: ReadonlyMap<string, Sequence>
  /** Of the server that will run the DDL, as `server_version_num`. */
  readonly targetVersion: number
  readonly targetTablespaces: ReadonlySet<string>
}

/** Gathers what the DDL of the tables looks at, once for all of them. */
export function tableContext(
  inventory: Inventory,
  target: Pick<Inventory, 'serverVersion' | 'tablespaces'>,
): TableContext {
  return {
    tables: new Map(inventory.tables.map((table) => [tableKey(table.name), table])),
    identitySequences: new Map(
      inventory.sequences.flatMap((sequence): [string, Sequence][] =>
        sequence.ownedBy?.identity ? [[columnKey(sequence.ownedBy.table, sequence.ownedBy.column), sequence]] : [],
      ),
    ),
    targetVersion: target.serverVersion,
    targetTablespaces: new Set(target.tablespaces),
  }
}

/**
 * CREATE TABLE without indexes, and what belongs to it. A partition is made as a table of its own, then attached, so that its columns keep
 * their order. With `defer` defaults and checks are left to `deferredParts`.
 */
export function createTable(table: Table, context: TableContext, defer: boolean): string[] {
  const name = quoteTable(table.name)
  const partition = table.partitionOf !== null
  const columns = table.columns.filter((column) => partition || table.inherits.length === 0 || column.local)
  const checks = defer ? [] : checksOf(table)
  const elements = [
    ...columns.map((column) => columnDefinition(table, column, context, defer)),
    ...checks.filter((check) => check.valid).map(constraintClause),
    ...inheritedNotNulls(table, columns, context),
  ]
  const withOptions = table.options.filter((option) => table.kind !== 'partitioned' || !option.startsWith('toast.'))
  const tablespace = table.tablespace && context.targetTablespaces.has(table.tablespace) ? table.tablespace : null
  const statements = [
    [
      `CREATE ${table.persistence === 'unlogged' ? 'UNLOGGED ' : ''}TABLE ${name} (${elements.length > 0 ? `\n  ${elements.join(',\n  ')}\n` : ''})`,
      table.inherits.length > 0 && `INHERITS (${table.inherits.map(quoteTable).join(', ')})`,
      table.partitionKey && `PARTITION BY ${table.partitionKey}`,
      table.accessMethod && table.kind !== 'partitioned' && `USING ${quoteIdentifier(table.accessMethod)}`,
      withOptions.length > 0 && `WITH (${withOptions.map(storageParameter).join(', ')})`,
      tablespace && `TABLESPACE ${quoteIdentifier(tablespace)}`,
    ]
      .filter(Boolean)
      .join(' '),
    ...checks.filter((check) => !check.valid).map((check) => addConstraint(table.name, check)),
  ]
  for (const column of table.columns) statements.push(...alterColumn(table, column, context, columns.includes(column)))
  if (table.ofType) statements.push(`ALTER TABLE ${name} OF ${table.ofType}`)
  if (table.partitionOf) {
    statements.push(
      `ALTER TABLE ONLY ${quoteTable(table.partitionOf.parent)} ATTACH PARTITION ${name} ${table.partitionOf.bound}`,
    )
  }
  return statements
}

/** Defaults and checks of a table that was made without them. */
export function deferredParts(table: Table): string[] {
  return [
    ...table.columns
      .filter((column) => column.default !== null)
      .map(
        (column) =>
          `ALTER TABLE ONLY ${quoteTable(table.name)} ALTER COLUMN ${quoteIdentifier(column.name)} SET DEFAULT ${column.default}`,
      ),
    ...checksOf(table).map((check) => addConstraint(table.name, check)),
  ]
}

/** ALTER TABLE … ADD CONSTRAINT. */
export function addConstraint(table: TableName, constraint: Pick<Constraint, 'name' | 'definition'>): string {
  return `ALTER TABLE ONLY ${quoteTable(table)} ADD ${constraintClause(constraint)}`
}

function constraintClause(constraint: Pick<Constraint, 'name' | 'definition'>): string {
  return `CONSTRAINT ${quoteIdentifier(constraint.name)} ${constraint.definition}`
}

/** Checks that the table must be made with: its own, and for a partition those of its parents too, or it could not be attached. */
function checksOf(table: Table): Constraint[] {
  return table.constraints.filter((each) => each.kind === 'check' && (each.local || table.partitionOf !== null))
}

function columnDefinition(table: Table, column: Column, context: TableContext, defer: boolean): string {
  return [
    quoteIdentifier(column.name),
    column.type,
    column.compression && `COMPRESSION ${column.compression}`,
    column.collation && `COLLATE ${column.collation}`,
    !defer && column.default && `DEFAULT ${column.default}`,
    column.generated && `GENERATED ALWAYS AS (${column.generated.expression}) ${column.generated.kind.toUpperCase()}`,
    column.identity && !identityOfParent(table, column, context) && identityClause(table, column, context),
    column.notNull && notNullClause(table, column, context),
  ]
    .filter(Boolean)
    .join(' ')
}

function identityClause(table: Table, column: Column, context: TableContext): string {
  const sequence = context.identitySequences.get(columnKey(table.name, column.name))
  const options = sequence ? ` (SEQUENCE NAME ${quoteTable(sequence.name)} ${sequenceOptions(sequence)})` : ''
  return `GENERATED ${column.identity === 'always' ? 'ALWAYS' : 'BY DEFAULT'} AS IDENTITY${options}`
}

/** Since 17 partitions take the identity from their root; one with an identity of its own can't be attached. */
function identityOfParent(table: Table, column: Column, context: TableContext): boolean {
  if (!table.partitionOf) return false
  const parent = context.tables.get(tableKey(table.partitionOf.parent))
  return parent?.columns.some((each) => each.name === column.name && each.identity !== null) ?? false
}

/** Since 18 not-null constraints have names, and may lack inheritance or validation. */
function notNullClause(table: Table, column: Column, context: TableContext): string {
  const constraint = table.constraints.find((each) => each.kind === 'notNull' && each.columns[0] === column.name)
  if (!constraint || context.targetVersion < 180_000) return 'NOT NULL'
  if (!constraint.valid) return ''
  const ordinary = constraint.name === `${table.name.name}_${column.name}_not_null`
  return `${ordinary ? '' : `CONSTRAINT ${quoteIdentifier(constraint.name)} `}NOT NULL${constraint.noInherit ? ' NO INHERIT' : ''}`
}

/** Since 18: not-null constraints of the table's own on columns that come from a parent. */
function inheritedNotNulls(table: Table, defined: readonly Column[], context: TableContext): string[] {
  if (context.targetVersion < 180_000) return []
  return table.constraints
    .filter(
      (each) =>
        each.kind === 'notNull' &&
        each.local &&
        each.valid &&
        !defined.some((column) => column.name === each.columns[0]),
    )
    .map(constraintClause)
}

/** What a column has beyond its definition; for inherited columns also what differs from the parent. */
function alterColumn(table: Table, column: Column, context: TableContext, defined: boolean): string[] {
  const alter = (what: string) =>
    `ALTER TABLE ONLY ${quoteTable(table.name)} ALTER COLUMN ${quoteIdentifier(column.name)} ${what}`
  const statements: string[] = []
  if (!defined) {
    const parents = table.inherits.flatMap((parent) => context.tables.get(tableKey(parent))?.columns ?? [])
    const inherited = parents.find((each) => each.name === column.name)
    const isNamed =
      context.targetVersion >= 180_000 &&
      table.constraints.some((each) => each.kind === 'notNull' && each.local && each.columns[0] === column.name)
    if (column.default !== (inherited?.default ?? null) && !column.generated) {
      statements.push(alter(column.default === null ? 'DROP DEFAULT' : `SET DEFAULT ${column.default}`))
    }
    if (column.notNull && !inherited?.notNull && !isNamed) statements.push(alter('SET NOT NULL'))
    if (column.compression !== (inherited?.compression ?? null)) {
      statements.push(alter(`SET COMPRESSION ${column.compression ?? 'default'}`))
    }
  }
  if (defined && column.notNull) {
    const constraint = table.constraints.find(
      (each) => each.kind === 'notNull' && !each.valid && each.columns[0] === column.name,
    )
    if (constraint && context.targetVersion >= 180_000) statements.push(addConstraint(table.name, constraint))
  }
  if (column.storage) statements.push(alter(`SET STORAGE ${column.storage.toUpperCase()}`))
  if (column.statisticsTarget !== null) statements.push(alter(`SET STATISTICS ${column.statisticsTarget}`))
  if (column.options.length > 0) statements.push(alter(`SET (${column.options.map(storageParameter).join(', ')})`))
  return statements
}

/** `fillfactor=70` as SQL. */
export function storageParameter(option: string): string {
  const at = option.indexOf('=')
  if (at < 0) return option
  const name = option.slice(0, at)
  const value = option.slice(at + 1)
  return `${name} = ${/^-?[0-9.]+$|^(true|false|on|off)$/.test(value) ? value : quoteLiteral(value)}`
}

/** One key for a table and a column; no two columns share it, whatever their names. */
export function columnKey(table: TableName, column: string): string {
  return JSON.stringify([table.schema, table.name, column])
}
