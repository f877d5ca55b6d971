import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import { projectTable } from './desired-table.ts'
import { finding } from './finding.ts'
import { closure } from './generate/order.ts'
import { identifiersOf, type NewNames, rename } from './generate/sql-text.ts'
import type { Address, Inventory, Routine, SchemaObject, Sequence, View } from './inventory-types.ts'
import { type SchemaMapping, type SchemaPlan, schemaMapping } from './mapping.ts'

/** What the target should hold, and what of the source's cannot be there. */
export interface DesiredSchema {
  readonly inventory: Inventory
  readonly mapping: SchemaMapping
  readonly findings: readonly Finding[]
  /** Those of the findings that only say that Crossfade writes no DDL for a thing; pg_dump does. */
  readonly unwritten: ReadonlySet<Finding>
}

/**
 * Says what the target should hold: the source's inventory under the plan's names, without what the plan leaves out and what refers to that.
 * Pure. Both the DDL and the comparison start from it.
 */
export function desiredSchema(plan: SchemaPlan, source: Inventory, shard: ShardId): DesiredSchema {
  const mapping = schemaMapping(plan, source)
  const findings: Finding[] = []
  const unwritten = new Set<Finding>()
  const notCarried = (kind: string, identity: string, reason: string) =>
    findings.push(finding('CF2202', 'warn', `${shard} ${identity}`, { kind, identity, reason }))
  const names = newNames(mapping)
  const scope = schemasInScope(source, mapping)
  const inScope = (name: { readonly schema: string }) => scope.has(name.schema)

  const tables = source.tables.flatMap((table) => projectTable(table, mapping, notCarried))
  const addresses = new Set<Address>(tables.map((table) => table.address))
  const gone = unavailable(source, mapping)

  const sequences = source.sequences.filter(inSequenceScope).map(
    (sequence): Sequence => ({
      ...sequence,
      name: mapping.relation(sequence.name)!,
      ownedBy: sequence.ownedBy && {
        table: mapping.relation(sequence.ownedBy.table)!,
        column: mapping.column(sequence.ownedBy.table, sequence.ownedBy.column)!,
        identity: sequence.ownedBy.identity,
      },
    }),
  )
  function inSequenceScope(sequence: Sequence): boolean {
    if (sequence.ownedBy) return mapping.relation(sequence.name) !== null
    return inScope(sequence.name)
  }

  const carried = <Object extends { readonly address: Address }>(
    objects: readonly Object[],
    kind: (object: Object) => string,
    identity: (object: Object) => string,
    schema: (object: Object) => string,
  ): Object[] =>
    objects.filter((object) => {
      if (!scope.has(schema(object)) && !neededBy.has(object.address)) return false
      const reason = gone.get(object.address)
      if (reason) notCarried(kind(object), identity(object), reason)
      return !reason
    })
  const neededBy = closure(addresses, source.dependencies)

  const views = carried<View>(
    source.views,
    (view) => (view.kind === 'view' ? 'view' : 'materialized view'),
    (view) => tableKey(view.name),
    (view) => view.name.schema,
  )
  const routines = carried<Routine>(
    source.routines,
    (routine) => routine.kind,
    routineIdentity,
    (routine) => routine.schema,
  )
  for (const routine of routines) {
    const mentioned = changedTablesMentioned(routine, source, mapping)
    if (mentioned.length > 0) {
      findings.push(
        finding('CF2203', 'warn', `${shard} ${routineIdentity(routine)}`, {
          identity: routineIdentity(routine),
          tables: mentioned.join(', '),
        }),
      )
    }
  }
  const types = carried(
    source.types,
    (type) => type.kind,
    (type) => tableKey(type.name),
    (type) => type.name.schema,
  )
  for (const type of types) {
    if (type.kind === 'base')
      notCarried('type', tableKey(type.name), 'base types are made of C functions; install what provides it')
  }
  const collations = carried(
    source.collations,
    () => 'collation',
    (collation) => tableKey(collation.name),
    (collation) => collation.name.schema,
  )
  const statistics = source.statistics
    .filter((each) => mapping.relation(each.table) !== null)
    .filter((each) => {
      if (mapping.changed(each.table))
        notCarried('statistics object', tableKey(each.name), 'its table or a column of it is renamed or left out')
      return !mapping.changed(each.table)
    })

  for (const other of source.others) {
    notCarried(other.kind, other.identity, 'Crossfade writes no DDL for this kind')
    unwritten.add(findings.at(-1)!)
  }
  for (const publication of source.publications) notCarried('publication', publication.name, publicationReason)
  for (const subscription of source.subscriptions) notCarried('subscription', subscription, publicationReason)

  const kept = new Set<Address>([
    ...addresses,
    ...sequences.map((each) => each.address),
    ...views.map((each) => each.address),
    ...routines.map((each) => each.address),
    ...types.map((each) => each.address),
    ...collations.map((each) => each.address),
    ...statistics.map((each) => each.address),
  ])
  const schemas = [...source.schemas.filter((schema) => scope.has(schema.name)), ...newSchemas(source, tables)]
  for (const schema of schemas) kept.add(schema.address)
  const parts = partsOf(tables, views)
  const renameText = (text: string) => rename(text, names)

  return {
    mapping,
    findings,
    unwritten,
    inventory: {
      ...source,
      schemas,
      tables,
      sequences,
      views,
      routines: routines.map((routine) => ({ ...routine, definition: renameText(routine.definition) })),
      types: types.filter((type) => type.kind !== 'base'),
      collations,
      statistics,
      comments: source.comments.flatMap((comment) => {
        if (!kept.has(comment.of) && !parts.has(comment.of)) return []
        const table = source.tables.find((each) => each.address === comment.of)
        if (comment.column !== null && table) {
          const column = mapping.column(table.name, comment.column)
          return column === null ? [] : [{ ...comment, column, identity: renameText(comment.identity) }]
        }
        return [{ ...comment, identity: renameText(comment.identity) }]
      }),
      grants: source.grants.flatMap((grant) => {
        if (!kept.has(grant.of)) return []
        const table = source.tables.find((each) => each.address === grant.of)
        const column = grant.column !== null && table ? mapping.column(table.name, grant.column) : grant.column
        if (grant.column !== null && column === null) return []
        return [{ ...grant, column, identity: renameText(grant.identity) }]
      }),
      defaultPrivileges: source.defaultPrivileges.filter((each) => each.schema === null || scope.has(each.schema)),
      dependencies: source.dependencies.filter((edge) => kept.has(edge.object) && kept.has(edge.needs)),
    },
  }
}

/** A function or procedure with its argument types, as it is told apart from others of its name. */
export function routineIdentity(routine: Pick<Routine, 'schema' | 'name' | 'arguments'>): string {
  return `${routine.schema}.${routine.name}(${routine.arguments})`
}

/** New names of relations; undefined for those that keep theirs. */
export function newNames(mapping: SchemaMapping): NewNames {
  return {
    relation(name) {
      const renamed = mapping.relation(name)
      return renamed && tableKey(renamed) !== tableKey(name) ? renamed : undefined
    },
  }
}

const publicationReason = 'replication of your own is set up by you on the new side'

/** Schemas in which a moved table is or will be, and those that hold no table at all (functions and types shared by everything). */
function schemasInScope(source: Inventory, mapping: SchemaMapping): Set<string> {
  const scope = new Set<string>()
  const withTables = new Set(source.tables.map((table) => table.name.schema))
  for (const schema of source.schemas) if (!withTables.has(schema.name)) scope.add(schema.name)
  for (const table of source.tables) {
    const target = mapping.relation(table.name)
    if (target) scope.add(table.name.schema).add(target.schema)
  }
  return scope
}

/** Schemas that only the target has, because the plan moves tables into them. */
function newSchemas(source: Inventory, tables: Inventory['tables']): SchemaObject[] {
  const known = new Set(source.schemas.map((schema) => schema.name))
  const found = new Map<string, SchemaObject>()
  for (const { name, owner } of tables) {
    if (!known.has(name.schema))
      found.set(name.schema, { address: `pg_namespace of ${name.schema}`, name: name.schema, owner })
  }
  return [...found.values()]
}

/** Views, routines and types that cannot exist because of what the plan leaves out or renames, with the reason. */
function unavailable(source: Inventory, mapping: SchemaMapping): Map<Address, string> {
  const reasons = new Map<Address, string>()
  const queries = new Set(source.views.map((view) => view.address))
  const left = new Set<Address>()
  const renamed = new Map<Address, TableName>()
  for (const table of source.tables) {
    if (mapping.relation(table.name) === null) left.add(table.address)
    else if (mapping.changed(table.name)) renamed.set(table.address, table.name)
  }
  for (const other of source.others) left.add(other.address)
  const names = new Map<Address, string>([
    ...source.tables.map((table): [Address, string] => [table.address, tableKey(table.name)]),
    ...source.others.map((other): [Address, string] => [other.address, `the ${other.kind} ${other.identity}`]),
  ])
  const tables = new Set(source.tables.map((table) => table.address))
  for (let grew = true; grew; ) {
    grew = false
    for (const edge of source.dependencies) {
      if (tables.has(edge.object) || reasons.has(edge.object) || edge.via === 'index') continue
      const reason = left.has(edge.needs)
        ? `it needs ${names.get(edge.needs)}, which is not moved`
        : reasons.has(edge.needs)
          ? 'it needs something else that is not carried'
          : queries.has(edge.object) && renamed.has(edge.needs)
            ? `its query names ${tableKey(renamed.get(edge.needs)!)}, which the plan changes`
            : undefined
      if (reason === undefined) continue
      reasons.set(edge.object, reason)
      grew = true
    }
  }
  return reasons
}

function changedTablesMentioned(routine: Routine, source: Inventory, mapping: SchemaMapping): string[] {
  if (routine.source === null) return []
  const words = identifiersOf(routine.source, true)
  return source.tables
    .filter((table) => words.has(table.name.name) && mapping.changed(table.name))
    .map((table) => tableKey(table.name))
}

/** Addresses of indexes, constraints, triggers, rules and policies of what is kept. */
function partsOf(tables: Inventory['tables'], views: readonly View[]): Set<Address> {
  const parts = new Set<Address>()
  for (const table of tables) {
    for (const part of [...table.constraints, ...table.indexes, ...table.triggers, ...table.rules, ...table.policies])
      parts.add(part.address)
  }
  for (const view of views)
    for (const part of [...view.indexes, ...view.triggers, ...view.rules]) parts.add(part.address)
  return parts
}
