import type { Column } from '../inventory-types.ts'
import type { CatalogReader } from './catalog-reader.ts'
import { groupBy, notOfExtension, qualified, userSchema } from './scope.ts'

/** Columns of every table, by the table's oid. */
export async function readColumns(reader: CatalogReader): Promise<Map<string, Column[]>> {
  const rows = await reader.rows<Column & { relation: string; expression: string | null; generatedKind: string }>(`
    SELECT a.attrelid::text AS relation, a.attname AS name, a.attnum::int AS position,
      format_type(a.atttypid, a.atttypmod) AS type,
      ten.nspname AS "typeSchema", te.typname AS "typeName", te.typtype::text AS "typeKind", t.typcategory = 'A' AS array,
      a.attnotnull AS "notNull",
      CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default,
      a.attgenerated::text AS "generatedKind",
      CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END AS expression,
      CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'default' END AS identity,
      CASE WHEN a.attcollation <> t.typcollation THEN ${qualified('cn.nspname', 'co.collname')} END AS collation,
      CASE WHEN a.attstorage <> t.typstorage THEN
        CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended' ELSE 'main' END END AS storage,
      CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
      nullif(a.attstattarget, -1)::int AS "statisticsTarget",
      coalesce(a.attoptions, '{}') AS options, a.attislocal AS local, a.attinhcount::int AS "inheritedTimes"
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type te ON te.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END
    JOIN pg_namespace ten ON ten.oid = te.typnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation co ON co.oid = a.attcollation
    LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND a.attnum > 0 AND NOT a.attisdropped
      AND ${userSchema('n')} AND ${notOfExtension('pg_class', 'c.oid')}
    ORDER BY a.attrelid, a.attnum`)
  const groups = groupBy(rows, (row) => row.relation)
  return new Map([...groups].map(([relation, columns]) => [relation, columns.map(toColumn)]))
}

function toColumn(row: Column & { relation: string; expression: string | null; generatedKind: string }): Column {
  const { relation: _, expression, generatedKind, ...column } = row
  const generated =
    expression === null
      ? null
      : { kind: generatedKind === 'v' ? ('virtual' as const) : ('stored' as const), expression }
  return { ...column, generated }
}
