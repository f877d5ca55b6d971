import { tableKey } from '@crossfade/model/table-name.ts'
import { renameForeignKey } from './generate/foreign-key.ts'
import { type NewNames, rename } from './generate/sql-text.ts'
import type { Column, Constraint, Index, Table } from './inventory-types.ts'
import type { SchemaMapping } from './mapping.ts'

/** Told of every part of a table that cannot be carried: its kind, its identity, the reason. */
export type NotCarried = (kind: string, identity: string, reason: string) => void

/** A table under the plan's names, or nothing when the plan does not move it. Parts that mention columns left out are dropped and told. */
export function projectTable(table: Table, mapping: SchemaMapping, notCarried: NotCarried): Table[] {
  const name = mapping.relation(table.name)
  if (name === null || table.kind === 'foreign') {
    if (name !== null) notCarried('foreign table', tableKey(table.name), 'its rows live elsewhere')
    return []
  }
  const column = (each: string) => mapping.column(table.name, each)
  const names: NewNames = {
    relation(each) {
      const renamed = mapping.relation(each)
      return renamed && tableKey(renamed) !== tableKey(each) ? renamed : undefined
    },
    column(each) {
      const renamed = column(each)
      return renamed !== null && renamed !== each ? renamed : undefined
    },
  }
  const columnsThere = (columns: readonly (string | null)[]) =>
    columns.every((each) => each === null || column(each) !== null)
  const keep = <Part extends { readonly name: string }>(
    kind: string,
    parts: readonly Part[],
    there: (part: Part) => boolean,
  ): Part[] =>
    parts.filter((part) => {
      if (there(part)) return true
      notCarried(kind, `${part.name} on ${tableKey(table.name)}`, 'it needs a column that the plan leaves out')
      return false
    })

  const constraints = keep('constraint', table.constraints, (each) => columnsThere(each.columns)).filter((each) => {
    if (!each.references || mapping.relation(each.references.table) !== null) return true
    notCarried(
      'foreign key',
      `${each.name} on ${tableKey(table.name)}`,
      `${tableKey(each.references.table)} is not moved`,
    )
    return false
  })
  const indexes = keep('index', table.indexes, (each) => columnsThere([...each.columns, ...each.included])).filter(
    (each) => {
      if (!each.valid) notCarried('index', `${each.name} on ${tableKey(table.name)}`, 'it is invalid on the source')
      return each.valid
    },
  )
  const inherits = table.inherits.filter((parent) => {
    if (mapping.relation(parent) !== null) return true
    notCarried('inheritance', `${tableKey(table.name)} from ${tableKey(parent)}`, 'the parent is not moved')
    return false
  })
  const detached = inherits.length < table.inherits.length
  return [
    {
      ...table,
      name,
      root: table.root && mapping.relation(table.root),
      leaves: table.leaves.flatMap((leaf) => mapping.relation(leaf) ?? []),
      inherits: inherits.map((parent) => mapping.relation(parent)!),
      partitionOf: table.partitionOf && {
        parent: mapping.relation(table.partitionOf.parent)!,
        bound: table.partitionOf.bound,
      },
      partitionKey: table.partitionKey && rename(table.partitionKey, names),
      columns: table.columns.flatMap((each): Column[] => {
        const target = column(each.name)
        if (target === null) return []
        return [
          {
            ...each,
            name: target,
            type: rename(each.type, names),
            default: each.default && rename(each.default, { relation: names.relation }),
            generated: each.generated && { ...each.generated, expression: rename(each.generated.expression, names) },
            local: each.local || detached,
          },
        ]
      }),
      constraints: constraints.map(
        (each): Constraint => ({
          ...each,
          definition:
            each.kind === 'foreign' ? renameForeignKey(each, table.name, mapping) : rename(each.definition, names),
          columns: each.columns.map((name) => column(name)!),
          local: each.local || detached,
          references: each.references && {
            table: mapping.relation(each.references.table)!,
            columns: each.references.columns.map((name) => mapping.column(each.references!.table, name) ?? name),
          },
        }),
      ),
      indexes: indexes.map(
        (each): Index => ({
          ...each,
          schema: name.schema,
          definition: rename(each.definition, names),
          columns: each.columns.map((name) => name && column(name)),
          included: each.included.map((name) => column(name)!),
        }),
      ),
      triggers: table.triggers.map((each) => ({ ...each, definition: rename(each.definition, names) })),
      rules: table.rules.filter((rule) => {
        if (mapping.changed(table.name))
          notCarried('rule', `${rule.name} on ${tableKey(table.name)}`, 'the plan changes its table')
        return !mapping.changed(table.name)
      }),
      policies: table.policies.map((each) => ({
        ...each,
        using: each.using && rename(each.using, names),
        check: each.check && rename(each.check, names),
      })),
    },
  ]
}
