import { type TableName, tableKey } from '@crossfade/model/table-name.ts'

/**
 * Reads a table's name as plans write it: `name`, `schema.name`, with double quotes around parts that hold a dot (`"my.schema"."Ta""ble"`). Names are
 * taken as they stand, capitals included. `schema` is null when none is written; null when it cannot be read.
 */
export function parseTableName(text: string): { readonly schema: string | null; readonly name: string } | null {
  const parts = splitName(text)
  if (!parts) return null
  const [first, second] = parts
  return second === undefined ? { schema: null, name: first!.text } : { schema: first!.text, name: second.text }
}

/** Makes a predicate of a pattern like `*`, `orders`, `audit.*`, `public.tmp_*`. Without schema it matches in every schema. Null when it cannot be read. */
export function tablePattern(text: string): ((table: TableName) => boolean) | null {
  const parts = splitName(text)
  if (!parts) return null
  const [first, second] = parts
  const name = wildcard(second ?? first!)
  if (!second) return (table) => name.test(table.name)
  const schema = wildcard(first!)
  return (table) => schema.test(table.schema) && name.test(table.name)
}

/** Finds the table that a plan names: the exact one; without schema that of `public`, or the only one of that name. */
export function findTable<Table extends { readonly name: TableName }>(
  tables: readonly Table[],
  text: string,
): Table | undefined {
  const parsed = parseTableName(text)
  if (!parsed) return undefined
  const sameName = tables.filter((table) => table.name.name === parsed.name)
  if (parsed.schema !== null) return sameName.find((table) => table.name.schema === parsed.schema)
  return sameName.find((table) => table.name.schema === 'public') ?? (sameName.length === 1 ? sameName[0] : undefined)
}

/** How a plan would write a table: the shortest form that is read back as the same name. */
export function writeTableName(table: TableName): string {
  const part = (text: string) => (/^[^".*\s]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`)
  return table.schema === 'public' ? part(table.name) : `${part(table.schema)}.${part(table.name)}`
}

/** An SQL identifier with its quotes. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The table's name for SQL. */
export function quoteTable(table: TableName): string {
  return `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`
}

/** Orders tables by schema and name, by code units. */
export function compareTables(a: { readonly name: TableName }, b: { readonly name: TableName }): number {
  const [left, right] = [tableKey(a.name), tableKey(b.name)]
  return left < right ? -1 : left > right ? 1 : 0
}

interface NamePart {
  readonly text: string
  readonly quoted: boolean
}

/** One or two parts; null for anything else. */
function splitName(text: string): readonly NamePart[] | null {
  const parts: NamePart[] = []
  const form = /(?:"((?:[^"]|"")+)"|([^".]+))(\.|$)/y
  while (form.lastIndex < text.length) {
    const match = form.exec(text)
    if (!match) return null
    parts.push(
      match[1] === undefined
        ? { text: match[2]!, quoted: false }
        : { text: match[1].replaceAll('""', '"'), quoted: true },
    )
    if (match[3] === '.' && form.lastIndex === text.length) return null
  }
  return parts.length === 1 || parts.length === 2 ? parts : null
}

function wildcard(part: NamePart): RegExp {
  const escaped = part.text.replace(/[.+?^${}()|[\]\\*]/g, '\\$&')
  return new RegExp(`^${part.quoted ? escaped : escaped.replaceAll('\\*', '.*')}$`, 's')
}
