import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { quoteIdentifier, quoteTable } from '../../connection/quote.ts'
import { type DesiredSchema, routineIdentity } from '../desired.ts'
import type { Address, Index, Inventory, Table } from '../inventory-types.ts'
import {
  commentStatements,
  grantStatements,
  ownerStatements,
  roleFindings,
  statisticsStatements,
  type TargetRoles,
} from './attributes.ts'
import { constraintOf, indexUnits } from './indexes.ts'
import { closure, inOrder } from './order.ts'
import { createSequence, ownSequence } from './sequences.ts'
import { may, must, type Statement, type WorkUnit } from './step.ts'
import { clusterStatements, constraintUnits, createView, partsUnits, triggerStatements } from './table-parts.ts'
import { createTable, deferredParts, tableContext } from './tables.ts'
import { alterType, createCollation, createType } from './types.ts'

/** All DDL of a target: what runs before the load, in one transaction, and the units that follow. */
export interface SchemaScript {
  readonly pre: readonly Statement[]
  readonly units: readonly WorkUnit[]
  readonly findings: readonly Finding[]
}

export interface ScriptTarget extends TargetRoles {
  readonly shard: ShardId
  readonly inventory: Inventory
}

/** Writes the DDL that makes the target hold what it should. Pure; what is on the target already (schemas, extensions, equal types) is left out. */
export function schemaScript(desired: DesiredSchema, target: ScriptTarget): SchemaScript {
  const { inventory } = desired
  const objects = statementsByObject(inventory, target)
  const late = lateObjects(inventory)
  const order = inOrder([...objects.keys()], inventory.dependencies)
  const statementsOf = (wanted: (address: Address) => boolean) =>
    order.addresses.filter(wanted).flatMap((address) => objects.get(address)!(order.deferred.has(address)))
  const tables = new Map(inventory.tables.map((table) => [table.address, table]))

  const pre = [
    ...schemaStatements(inventory, target.inventory),
    ...extensionStatements(inventory, target.inventory),
    ...statementsOf((address) => !late.has(address)),
    ...[...order.deferred].flatMap((address) => {
      const table = tables.get(address)
      return table ? deferredParts(table).map((sql) => must(`table ${tableKey(table.name)}`, sql)) : []
    }),
    ...inventory.sequences.flatMap((each) =>
      ownSequence(each).map((sql) => must(`sequence ${tableKey(each.name)}`, sql)),
    ),
  ]
  return {
    pre,
    units: [
      ...keyUnits(desired),
      ...constraintUnits(inventory, target.inventory.serverVersion),
      ...partsUnits(inventory, target.roles),
      ...viewUnits(inventory, [
        ...statementsOf((address) => late.has(address)),
        ...materializedIndexes(inventory),
        ...inventory.views.flatMap(triggerStatements),
      ]),
      ...closingUnits(inventory, target),
    ],
    findings: roleFindings(inventory, target, target.shard),
  }
}

/** Index units, for both ways of carrying a schema. */
export function keyUnits(desired: DesiredSchema): WorkUnit[] {
  const identity = identityColumns(desired)
  const isPrimary = (table: Table, index: Index) => {
    if (index.primary || index.replicaIdentity) return true
    const columns = identity.get(tableKey(table.name))
    const constraint = constraintOf(table, index)
    return (
      columns !== undefined &&
      index.unique &&
      !index.partial &&
      !constraint?.deferrable &&
      index.columns.length === columns.length &&
      index.columns.every((column) => column !== null && columns.includes(column))
    )
  }
  return indexUnits(desired.inventory, isPrimary)
}

/** Views and what is made after the load, with refreshes of materialized views, each a unit of its own. */
export function viewUnits(inventory: Inventory, statements: readonly Statement[]): WorkUnit[] {
  const materialized = inOrder(
    inventory.views.map((view) => view.address),
    inventory.dependencies,
  ).addresses.flatMap((address) =>
    inventory.views.filter((view) => view.address === address && view.kind === 'materialized'),
  )
  const unit = (id: string, description: string, transactions: readonly (readonly Statement[])[]): WorkUnit => ({
    id,
    phase: 'final',
    table: null,
    description,
    steps: { builds: [], transactions },
  })
  return [
    ...(statements.length > 0 ? [unit('final views', 'views and what needs them', [statements])] : []),
    ...materialized
      .filter((view) => view.populated)
      .map((view) =>
        unit(`final refresh ${tableKey(view.name)}`, `rows of the materialized view ${tableKey(view.name)}`, [
          [must(`materialized view ${tableKey(view.name)}`, `REFRESH MATERIALIZED VIEW ${quoteTable(view.name)}`)],
        ]),
      ),
  ]
}

/** CREATE INDEX for those of materialized views. */
export function materializedIndexes(inventory: Inventory): Statement[] {
  return inventory.views.flatMap((view) =>
    view.indexes.map((index) => must(`index ${index.schema}.${index.name}`, index.definition)),
  )
}

/** Statistics objects, comments, owners, privileges: the last of all, when everything is there. */
export function closingUnits(
  inventory: Inventory,
  target: TargetRoles,
  first: readonly Statement[] = statisticsStatements(inventory),
): WorkUnit[] {
  const statements = [
    ...first,
    ...clusterStatements(inventory),
    ...commentStatements(inventory),
    ...grantStatements(inventory, target),
    ...ownerStatements(inventory, target),
  ]
  if (statements.length === 0) return []
  return [
    {
      id: 'final owners, privileges and comments',
      phase: 'final',
      table: null,
      description: 'statistics objects, comments, privileges, owners',
      steps: { builds: [], transactions: [statements] },
    },
  ]
}

function schemaStatements(inventory: Inventory, target: Inventory): Statement[] {
  const there = new Set(target.schemas.map((schema) => schema.name))
  const wanted = new Set([
    ...inventory.schemas.map((schema) => schema.name),
    ...inventory.tables.map((table) => table.name.schema),
    ...inventory.extensions.map((extension) => extension.schema).filter((schema) => schema !== 'pg_catalog'),
  ])
  return [...wanted]
    .filter((schema) => !there.has(schema))
    .map((schema) => must(`schema ${schema}`, `CREATE SCHEMA ${quoteIdentifier(schema)}`))
}

function extensionStatements(inventory: Inventory, target: Inventory): Statement[] {
  const there = new Set(target.extensions.map((extension) => extension.name))
  return inventory.extensions
    .filter((extension) => !there.has(extension.name))
    .map((extension) =>
      may(
        `extension ${extension.name}`,
        `CREATE EXTENSION ${quoteIdentifier(extension.name)} WITH SCHEMA ${quoteIdentifier(extension.schema)} CASCADE`,
      ),
    )
}

/** For each object that the target lacks, what makes it; a table's defaults and checks are left out when asked to defer them. */
function statementsByObject(inventory: Inventory, target: ScriptTarget): Map<Address, (defer: boolean) => Statement[]> {
  const context = tableContext(inventory, target.inventory)
  const objects = new Map<Address, (defer: boolean) => Statement[]>()
  const there = {
    types: new Set(target.inventory.types.map((each) => tableKey(each.name))),
    collations: new Set(target.inventory.collations.map((each) => tableKey(each.name))),
    routines: new Set(target.inventory.routines.map(routineIdentity)),
    sequences: new Set(target.inventory.sequences.map((each) => tableKey(each.name))),
  }
  for (const each of inventory.collations) {
    if (there.collations.has(tableKey(each.name))) continue
    objects.set(each.address, () => [must(`collation ${tableKey(each.name)}`, createCollation(each))])
  }
  for (const each of inventory.types) {
    if (there.types.has(tableKey(each.name))) continue
    const subject = `type ${tableKey(each.name)}`
    objects.set(each.address, () => [createType(each), ...alterType(each)].map((sql) => must(subject, sql)))
  }
  for (const each of inventory.routines) {
    if (there.routines.has(routineIdentity(each))) continue
    objects.set(each.address, () => [must(`${each.kind} ${routineIdentity(each)}`, each.definition)])
  }
  for (const each of inventory.sequences) {
    if (there.sequences.has(tableKey(each.name))) continue
    objects.set(each.address, () => createSequence(each).map((sql) => must(`sequence ${tableKey(each.name)}`, sql)))
  }
  for (const each of inventory.tables) {
    const subject = `table ${tableKey(each.name)}`
    objects.set(each.address, (defer) => createTable(each, context, defer).map((sql) => must(subject, sql)))
  }
  for (const each of inventory.views) objects.set(each.address, () => createView(each))
  return objects
}

/** Views, and routines that need one; but not those that a table needs. */
function lateObjects(inventory: Inventory): Set<Address> {
  const views = new Set(inventory.views.map((view) => view.address))
  const early = closure(
    inventory.tables.map((table) => table.address),
    inventory.dependencies.filter((edge) => edge.via !== 'index'),
  )
  const late = new Set([...views].filter((address) => !early.has(address)))
  for (const routine of [...inventory.routines, ...inventory.types]) {
    if (early.has(routine.address)) continue
    for (const needed of closure([routine.address], inventory.dependencies))
      if (views.has(needed)) late.add(routine.address)
  }
  return late
}

/** Target columns that tell rows apart, by target table; for tables with a key. */
export function identityColumns(desired: DesiredSchema): Map<string, readonly string[]> {
  const columns = new Map<string, readonly string[]>()
  for (const planned of desired.mapping.plannedTables) {
    if (planned.identity.kind !== 'key') continue
    columns.set(
      tableKey(planned.target),
      planned.identity.columns.map((column) => desired.mapping.column(planned.source, column) ?? column),
    )
  }
  return columns
}
