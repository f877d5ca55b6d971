import type { TableName } from '@crossfade/model/table-name.ts'
import type { Collation, UserType } from '../inventory-types.ts'
import { type CatalogReader, since } from './catalog-reader.ts'
import { address, groupBy, notOfExtension, qualified, userSchema } from './scope.ts'

/** Enums, domains, free-standing composites, ranges; base types by name. Array, multirange and table row types come with what they belong to. */
export async function readTypes(reader: CatalogReader): Promise<UserType[]> {
  const rows = await reader.rows<TypeRow>(`
    SELECT t.oid::text AS oid, ${address('pg_type', 't.oid')} AS address, n.nspname AS schema, t.typname AS name,
      pg_get_userbyid(t.typowner) AS owner, t.typtype::text AS kind,
      ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
      CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base,
      CASE WHEN t.typtype = 'd' AND t.typcollation <> bt.typcollation THEN ${qualified('cn.nspname', 'co.collname')} END AS collation,
      t.typnotnull AS "notNull", pg_get_expr(t.typdefaultbin, 0) AS default,
      format_type(r.rngsubtype, NULL) AS subtype,
      CASE WHEN oc.opcdefault THEN NULL ELSE ${qualified('ocn.nspname', 'oc.opcname')} END AS "operatorClass",
      CASE WHEN r.rngcollation <> 0 AND r.rngcollation <> st.typcollation THEN ${qualified('rcn.nspname', 'rco.collname')} END AS "rangeCollation",
      nullif(r.rngcanonical::oid, 0)::regproc::text AS canonical, nullif(r.rngsubdiff::oid, 0)::regproc::text AS "subtypeDiff",
      mn.nspname AS "multirangeSchema", m.typname AS "multirangeName"
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    LEFT JOIN pg_type bt ON bt.oid = t.typbasetype
    LEFT JOIN pg_collation co ON co.oid = t.typcollation
    LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
    LEFT JOIN pg_range r ON r.rngtypid = t.oid
    LEFT JOIN pg_type st ON st.oid = r.rngsubtype
    LEFT JOIN pg_opclass oc ON oc.oid = r.rngsubopc
    LEFT JOIN pg_namespace ocn ON ocn.oid = oc.opcnamespace
    LEFT JOIN pg_collation rco ON rco.oid = r.rngcollation
    LEFT JOIN pg_namespace rcn ON rcn.oid = rco.collnamespace
    LEFT JOIN pg_type m ON m.oid = r.rngmultitypid
    LEFT JOIN pg_namespace mn ON mn.oid = m.typnamespace
    WHERE t.typtype IN ('e', 'd', 'c', 'r', 'b') AND (t.typtype <> 'c' OR c.relkind = 'c')
      AND NOT EXISTS (SELECT 1 FROM pg_type element WHERE element.typarray = t.oid)
      AND ${userSchema('n')} AND ${notOfExtension('pg_type', 't.oid')}
    ORDER BY n.nspname, t.typname`)
  const attributes = await readAttributes(reader)
  const constraints = await readDomainConstraints(reader)
  return rows.map((row): UserType => {
    const base = { address: row.address, name: { schema: row.schema, name: row.name }, owner: row.owner }
    switch (row.kind) {
      case 'e':
        return { ...base, kind: 'enum', labels: row.labels }
      case 'd':
        return {
          ...base,
          kind: 'domain',
          base: row.base!,
          collation: row.collation,
          notNull: row.notNull,
          default: row.default,
          constraints: (constraints.get(row.oid) ?? []).map(({ type: _, ...constraint }) => constraint),
        }
      case 'c':
        return {
          ...base,
          kind: 'composite',
          attributes: (attributes.get(row.oid) ?? []).map(({ composite: _, ...attribute }) => attribute),
        }
      case 'r':
        return {
          ...base,
          kind: 'range',
          subtype: row.subtype!,
          operatorClass: row.operatorClass,
          collation: row.rangeCollation,
          canonical: row.canonical,
          subtypeDiff: row.subtypeDiff,
          multirange: row.multirangeName === null ? null : { schema: row.multirangeSchema!, name: row.multirangeName },
        }
      default:
        return { ...base, kind: 'base' }
    }
  })
}

/** Collations that users made. */
export async function readCollations(reader: CatalogReader): Promise<Collation[]> {
  const rows = await reader.rows<Omit<Collation, 'name'> & TableName>(`
    SELECT ${address('pg_collation', 'c.oid')} AS address, n.nspname AS schema, c.collname AS name, pg_get_userbyid(c.collowner) AS owner,
      CASE c.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'default' END AS provider,
      c.collisdeterministic AS deterministic,
      ${since(reader, 17, 'c.colllocale', since(reader, 15, 'c.colliculocale', `CASE WHEN c.collprovider = 'i' THEN c.collcollate END`))} AS locale,
      CASE WHEN c.collprovider = 'c' THEN c.collcollate END AS collate,
      CASE WHEN c.collprovider = 'c' THEN c.collctype END AS ctype,
      ${since(reader, 16, 'c.collicurules', 'NULL')} AS rules
    FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
    WHERE ${userSchema('n')} AND ${notOfExtension('pg_collation', 'c.oid')}
    ORDER BY n.nspname, c.collname`)
  return rows.map(({ schema, name, ...collation }) => ({ ...collation, name: { schema, name } }))
}

interface TypeRow {
  readonly oid: string
  readonly address: string
  readonly schema: string
  readonly name: string
  readonly owner: string
  readonly kind: string
  readonly labels: readonly string[]
  readonly base: string | null
  readonly collation: string | null
  readonly notNull: boolean
  readonly default: string | null
  readonly subtype: string | null
  readonly operatorClass: string | null
  readonly rangeCollation: string | null
  readonly canonical: string | null
  readonly subtypeDiff: string | null
  readonly multirangeSchema: string | null
  readonly multirangeName: string | null
}

async function readAttributes(reader: CatalogReader) {
  const rows = await reader.rows<{ composite: string; name: string; type: string; collation: string | null }>(`
    SELECT c.reltype::text AS composite, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
      CASE WHEN a.attcollation <> t.typcollation THEN ${qualified('cn.nspname', 'co.collname')} END AS collation
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation co ON co.oid = a.attcollation
    LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
    WHERE c.relkind = 'c' AND ${userSchema('n')}
    ORDER BY c.reltype, a.attnum`)
  return groupBy(rows, (row) => row.composite)
}

async function readDomainConstraints(reader: CatalogReader) {
  const rows = await reader.rows<{ type: string; name: string; definition: string; valid: boolean }>(`
    SELECT k.contypid::text AS type, k.conname AS name, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid
    FROM pg_constraint k WHERE k.contypid <> 0 AND k.contype = 'c' ORDER BY k.contypid, k.conname`)
  return groupBy(rows, (row) => row.type)
}
