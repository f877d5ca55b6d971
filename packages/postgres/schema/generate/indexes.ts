import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import { quoteIdentifier, quoteTable } from '../../connection/quote.ts'
import type { Address, Constraint, Index, Inventory, Table } from '../inventory-types.ts'
import { type IndexBuild, must, type Statement, type WorkUnit } from './step.ts'
import { addConstraint } from './tables.ts'

/** Whether a table's rows are told apart by this index while changes are applied: it must be there first. */
export type IsPrimary = (table: Table, index: Index) => boolean

/**
 * Units of index building of every table that is no partition. An index of a partitioned table is one unit: built on each leaf, then put together.
 * Primary ones are built in one transaction, since nobody writes yet; the others concurrently.
 */
export function indexUnits(inventory: Inventory, isPrimary: IsPrimary): WorkUnit[] {
  const tree = indexTree(inventory)
  const primary: WorkUnit[] = []
  const secondary: WorkUnit[] = []
  for (const table of inventory.tables) {
    const own = table.indexes.filter((index) => index.parent === null && !builtByConstraint(table, index))
    const first = own.filter((index) => table.root === null && isPrimary(table, index))
    if (first.length > 0) primary.push(primaryUnit(table, first, tree))
    for (const index of own) {
      if (!first.includes(index)) secondary.push(secondaryUnit(table, index, tree))
    }
  }
  return [...primary, ...secondary]
}

/** Exclusion constraints, and keys WITHOUT OVERLAPS, come with their index and can't be given one that is there. */
export function builtByConstraint(table: Table, index: Index): boolean {
  const constraint = constraintOf(table, index)
  return constraint?.kind === 'exclusion' || /\bWITHOUT OVERLAPS\b/.test(constraint?.definition ?? '')
}

/** The constraint that an index belongs to; undefined for a plain index. */
export function constraintOf(table: Table, index: Index): Constraint | undefined {
  return index.constraint === null ? undefined : table.constraints.find((each) => each.name === index.constraint)
}

interface PlacedIndex {
  readonly table: Table
  readonly index: Index
}

/** Indexes by the index that they are attached to. */
function indexTree(inventory: Inventory): Map<Address, PlacedIndex[]> {
  const tree = new Map<Address, PlacedIndex[]>()
  for (const table of inventory.tables) {
    for (const index of table.indexes) {
      if (index.parent === null) continue
      tree.set(index.parent, [...(tree.get(index.parent) ?? []), { table, index }])
    }
  }
  return tree
}

function primaryUnit(table: Table, indexes: readonly Index[], tree: Map<Address, PlacedIndex[]>): WorkUnit {
  const statements = indexes.flatMap((index) => {
    const parts = assemble({ table, index }, tree)
    return [...parts.builds.map((build) => must(`index ${build.schema}.${build.name}`, build.sql)), ...parts.statements]
  })
  return {
    id: `primary ${tableKey(table.name)}`,
    phase: 'primary',
    table: table.name,
    description: `key of ${tableKey(table.name)}`,
    steps: { builds: [], transactions: [[...statements, ...identityStatements(table, indexes, tree)]] },
  }
}

function secondaryUnit(table: Table, index: Index, tree: Map<Address, PlacedIndex[]>): WorkUnit {
  const parts = assemble({ table, index }, tree)
  const statements = [...parts.statements, ...identityStatements(table, [index], tree)]
  return {
    id: `secondary ${tableKey(table.name)} ${index.name}`,
    phase: 'secondary',
    table: table.root ?? table.name,
    description: `index ${index.name} of ${tableKey(table.name)}`,
    steps: {
      builds: parts.builds.map((build) => ({ ...build, sql: concurrently(build.sql) })),
      transactions: statements.length > 0 ? [statements] : [],
    },
  }
}

interface Assembly {
  readonly builds: IndexBuild[]
  readonly statements: Statement[]
}

function assemble(placed: PlacedIndex, tree: Map<Address, PlacedIndex[]>): Assembly {
  const { table, index } = placed
  const constraint = constraintOf(table, index)
  const subject = `index ${index.schema}.${index.name}`
  const name = { schema: index.schema, name: index.name }
  if (table.kind !== 'partitioned') {
    return {
      builds: [{ schema: index.schema, name: index.name, table: table.name, sql: index.definition }],
      statements: constraint ? [must(subject, useIndex(table.name, constraint, index))] : [],
    }
  }
  const children = tree.get(index.address) ?? []
  const parts = children.map((child) => assemble(child, tree))
  return {
    builds: parts.flatMap((part) => part.builds),
    statements: [
      must(subject, constraint ? addConstraint(table.name, constraint) : onOnly(index.definition)),
      ...parts.flatMap((part) => part.statements),
      ...children.map((child) =>
        must(subject, `ALTER INDEX ${quoteTable(name)} ATTACH PARTITION ${quoteTable(child.index)}`),
      ),
    ],
  }
}

function useIndex(table: TableName, constraint: Constraint, index: Index): string {
  const timing = constraint.deferrable
    ? ` DEFERRABLE INITIALLY ${constraint.initiallyDeferred ? 'DEFERRED' : 'IMMEDIATE'}`
    : ''
  const kind = constraint.kind === 'primary' ? 'PRIMARY KEY' : 'UNIQUE'
  return `ALTER TABLE ONLY ${quoteTable(table)} ADD CONSTRAINT ${quoteIdentifier(constraint.name)} ${kind} USING INDEX ${quoteIdentifier(index.name)}${timing}`
}

/** REPLICA IDENTITY USING INDEX, of the table and of its partitions. */
function identityStatements(table: Table, indexes: readonly Index[], tree: Map<Address, PlacedIndex[]>): Statement[] {
  return indexes.flatMap((index) => [
    ...(index.replicaIdentity
      ? [
          must(
            `replica identity of ${tableKey(table.name)}`,
            `ALTER TABLE ONLY ${quoteTable(table.name)} REPLICA IDENTITY USING INDEX ${quoteIdentifier(index.name)}`,
          ),
        ]
      : []),
    ...(tree.get(index.address) ?? []).flatMap((child) => identityStatements(child.table, [child.index], tree)),
  ])
}

function onOnly(definition: string): string {
  return definition.includes(' ON ONLY ') ? definition : definition.replace(' ON ', ' ON ONLY ')
}

/** The definition of an index as one that is built beside running writes. */
export function concurrently(definition: string): string {
  return definition.replace(/^CREATE (UNIQUE )?INDEX /, 'CREATE $1INDEX CONCURRENTLY ')
}
