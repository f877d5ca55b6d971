import { quoteIdentifier, quoteLiteral, quoteTable } from '../../connection/quote.ts'
import type { Collation, UserType } from '../inventory-types.ts'

/** CREATE TYPE or CREATE DOMAIN. */
export function createType(type: UserType): string {
  const name = quoteTable(type.name)
  switch (type.kind) {
    case 'enum':
      return `CREATE TYPE ${name} AS ENUM (${type.labels.map(quoteLiteral).join(', ')})`
    case 'composite':
      return `CREATE TYPE ${name} AS (${type.attributes
        .map(
          (each) => `${quoteIdentifier(each.name)} ${each.type}${each.collation ? ` COLLATE ${each.collation}` : ''}`,
        )
        .join(', ')})`
    case 'domain':
      return [
        `CREATE DOMAIN ${name} AS ${type.base}`,
        type.collation && `COLLATE ${type.collation}`,
        type.default && `DEFAULT ${type.default}`,
        type.notNull && 'NOT NULL',
        ...type.constraints
          .filter((each) => each.valid)
          .map((each) => `CONSTRAINT ${quoteIdentifier(each.name)} ${each.definition}`),
      ]
        .filter(Boolean)
        .join(' ')
    case 'range':
      return `CREATE TYPE ${name} AS RANGE (${[
        `SUBTYPE = ${type.subtype}`,
        type.operatorClass && `SUBTYPE_OPCLASS = ${type.operatorClass}`,
        type.collation && `COLLATION = ${type.collation}`,
        type.subtypeDiff && `SUBTYPE_DIFF = ${type.subtypeDiff}`,
        type.multirange && `MULTIRANGE_TYPE_NAME = ${quoteTable(type.multirange)}`,
      ]
        .filter(Boolean)
        .join(', ')})`
    case 'base':
      throw new TypeError('base types have no DDL')
  }
}

/** What CREATE DOMAIN cannot say: constraints that were never validated. */
export function alterType(type: UserType): string[] {
  if (type.kind !== 'domain') return []
  return type.constraints
    .filter((each) => !each.valid)
    .map(
      (each) => `ALTER DOMAIN ${quoteTable(type.name)} ADD CONSTRAINT ${quoteIdentifier(each.name)} ${each.definition}`,
    )
}

/** CREATE COLLATION. */
export function createCollation(collation: Collation): string {
  const options =
    collation.provider === 'libc'
      ? [`LC_COLLATE = ${quoteLiteral(collation.collate ?? 'C')}`, `LC_CTYPE = ${quoteLiteral(collation.ctype ?? 'C')}`]
      : [
          `LOCALE = ${quoteLiteral(collation.locale ?? '')}`,
          `DETERMINISTIC = ${collation.deterministic}`,
          ...(collation.rules === null ? [] : [`RULES = ${quoteLiteral(collation.rules)}`]),
        ]
  return `CREATE COLLATION ${quoteTable(collation.name)} (PROVIDER = ${collation.provider}, ${options.join(', ')})`
}
