/** SQL condition: the schema (an alias of pg_namespace) is the user's. */
export function userSchema(alias: string): string {
  return `${alias}.nspname !~ '^pg_' AND ${alias}.nspname NOT IN ('information_schema', 'crossfade', 'crossfade_control')`
}

/** SQL condition: the object is not a member of an extension. */
export function notOfExtension(catalog: string, oid: string): string {
  return `NOT EXISTS (SELECT 1 FROM pg_depend member WHERE member.classid = '${catalog}'::regclass AND member.objid = ${oid} AND member.deptype = 'e')`
}

/** SQL expression: an object's `Address`. */
export function address(catalog: string, oid: string): string {
  return `'${catalog} ' || ${oid}`
}

/** SQL expression: a qualified name as SQL. */
export function qualified(schema: string, name: string): string {
  return `quote_ident(${schema}) || '.' || quote_ident(${name})`
}

/** Collects rows under a key of theirs, in their order. */
export function groupBy<Row>(rows: readonly Row[], key: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const group = groups.get(key(row))
    if (group) group.push(row)
    else groups.set(key(row), [row])
  }
  return groups
}
