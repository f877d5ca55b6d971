import type { TableName } from '@crossfade/model/table-name.ts'
import { quoteTable } from '../../connection/quote.ts'
import type { Constraint } from '../inventory-types.ts'
import type { SchemaMapping } from '../mapping.ts'
import { rename, tokenize } from './sql-text.ts'

/** A foreign key's definition under the plan's names: two column lists of two tables, and what follows them. */
export function renameForeignKey(constraint: Constraint, table: TableName, mapping: SchemaMapping): string {
  const { references } = constraint
  if (!references) return constraint.definition
  const tokens = tokenize(constraint.definition)
  const at = tokens.findIndex((token) => token.kind === 'identifier' && token.text === 'REFERENCES')
  const open = tokens.findIndex((token, index) => index > at && token.text === '(')
  const close = tokens.findIndex((token, index) => index > open && token.text === ')')
  const part = (from: number, to: number, owner: TableName) =>
    rename(
      tokens
        .slice(from, to)
        .map((token) => token.text)
        .join(''),
      {
        relation: () => undefined,
        column(name) {
          const renamed = mapping.column(owner, name)
          return renamed !== null && renamed !== name ? renamed : undefined
        },
      },
    )
  const target = quoteTable(mapping.relation(references.table) ?? references.table)
  const referenced = part(open, close + 1, references.table)
  return `${part(0, at, table)}REFERENCES ${target}${referenced}${part(close + 1, tokens.length, table)}`
}
