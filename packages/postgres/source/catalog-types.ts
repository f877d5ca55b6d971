/** One row of `pg_type`, as far as it decides whether values can be carried. */
export interface CatalogType {
  readonly oid: number
  readonly name: string
  readonly builtin: boolean
  /** `b` base, `c` composite, `d` domain, `e` enum, `p` pseudo, `r` range, `m` multirange. */
  readonly kind: string
  /** Of a domain. */
  readonly base: number
  /** Of an array; 0 for everything else. */
  readonly element: number
  /** Of a range or multirange. */
  readonly subtype: number
  readonly hasBinary: boolean
  readonly extension: string | null
}

/** Their binary form is an object id, which means something else in every database. */
const objectIdentifiers = /^reg[a-z]+$/
/** The server prints them but reads them from nowhere. */
const outputOnly = new Set(['pg_node_tree', 'pg_ndistinct', 'pg_dependencies', 'pg_mcv_list', 'pg_ddl_command'])

/**
 * Whether a type's binary form means the same in every database of version 14 or later. Arrays and composites carry the object ids of their
 * elements, which are fixed for built-in types alone; ranges, enums and domains carry none.
 */
export function isPortable(oid: number, types: ReadonlyMap<number, CatalogType>): boolean {
  const type = types.get(oid)
  if (!type) return false
  if (type.kind === 'd') return isPortable(type.base, types)
  if (type.kind === 'e') return true
  if (type.element !== 0) return types.get(type.element)?.builtin === true && isPortable(type.element, types)
  if (type.kind === 'r' || type.kind === 'm') return isPortable(type.subtype, types)
  if (!type.builtin || !type.hasBinary || type.kind !== 'b') return false
  return !objectIdentifiers.test(type.name) && !outputOnly.has(type.name) && type.name !== 'aclitem'
}

/** Why values of a type cannot be carried at all; null when they can. */
export function obstacleOf(oid: number, types: ReadonlyMap<number, CatalogType>): string | null {
  const type = types.get(oid)
  if (!type) return 'its type is not in the catalog'
  if (type.kind === 'd') return obstacleOf(type.base, types)
  if (type.element !== 0) return obstacleOf(type.element, types)
  if (outputOnly.has(type.name)) return 'the server prints such values but does not read them'
  if (type.kind === 'p') return 'it is a pseudo-type'
  if (type.kind === 'b' && !type.builtin && type.extension === null) {
    return 'it is a base type written in C that belongs to no extension'
  }
  return null
}

/** The extension that a column's type comes with, also as the element of an array or under a domain. */
export function extensionOf(oid: number, types: ReadonlyMap<number, CatalogType>): string | null {
  const type = types.get(oid)
  if (!type) return null
  if (type.extension !== null) return type.extension
  if (type.kind === 'd') return extensionOf(type.base, types)
  return type.element === 0 ? null : extensionOf(type.element, types)
}
