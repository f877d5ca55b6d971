/** A table, by schema and name exactly as the catalog holds them (no quoting, any characters, at most 63 bytes each). */
export interface TableName {
  readonly schema: string
  readonly name: string
}

/** A key for maps, and the form people read: `schema.name`. Not SQL; see `quoteTable` in the engines. */
export function tableKey(table: TableName): string {
  return `${table.schema}.${table.name}`
}
