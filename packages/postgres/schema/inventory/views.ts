import type { TableName } from '@crossfade/model/table-name.ts'
import type { StatisticsObject, View } from '../inventory-types.ts'
import type { CatalogReader } from './catalog-reader.ts'
import { readIndexes } from './indexes.ts'
import { address, groupBy, notOfExtension, userSchema } from './scope.ts'
import { readRules, readTriggers } from './triggers.ts'

/** Views and materialized views, with their indexes, triggers and rules. */
export async function readViews(reader: CatalogReader): Promise<View[]> {
  const rows = await reader.rows<ViewRow>(`
    SELECT c.oid::text AS oid, ${address('pg_class', 'c.oid')} AS address, n.nspname AS schema, c.relname AS name,
      CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized' END AS kind, pg_get_userbyid(c.relowner) AS owner,
      rtrim(pg_get_viewdef(c.oid), E';\\n ') AS query, coalesce(c.reloptions, '{}') AS options, ts.spcname AS tablespace,
      CASE WHEN am.amname <> 'heap' THEN am.amname END AS "accessMethod", c.relispopulated AS populated,
      CASE WHEN c.relkind = 'm' THEN pg_total_relation_size(c.oid) ELSE 0 END::float8 AS bytes
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
    LEFT JOIN pg_am am ON am.oid = c.relam
    WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND ${userSchema('n')} AND ${notOfExtension('pg_class', 'c.oid')}
    ORDER BY n.nspname, c.relname`)
  const columns = groupBy(
    await reader.rows<{ relation: string; name: string; type: string; default: string | null }>(`
    SELECT a.attrelid::text AS relation, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, pg_get_expr(d.adbin, d.adrelid) AS default
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind IN ('v', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND ${userSchema('n')}
    ORDER BY a.attrelid, a.attnum`),
    (row) => row.relation,
  )
  const indexes = await readIndexes(reader)
  const triggers = await readTriggers(reader)
  const rules = await readRules(reader)
  return rows.map(({ oid, schema, name, ...view }) => ({
    ...view,
    name: { schema, name },
    columns: (columns.get(oid) ?? []).map(({ relation: _, ...column }) => column),
    indexes: indexes.get(oid) ?? [],
    triggers: triggers.get(oid) ?? [],
    rules: rules.get(oid) ?? [],
  }))
}

type ViewRow = Omit<View, 'name' | 'columns' | 'indexes' | 'triggers' | 'rules'> & TableName & { readonly oid: string }

/** Objects of CREATE STATISTICS. */
export async function readStatistics(reader: CatalogReader): Promise<StatisticsObject[]> {
  const rows = await reader.rows<
    Omit<StatisticsObject, 'name' | 'table'> & TableName & { tableSchema: string; tableName: string }
  >(`
    SELECT ${address('pg_statistic_ext', 's.oid')} AS address, n.nspname AS schema, s.stxname AS name, tn.nspname AS "tableSchema",
      t.relname AS "tableName", pg_get_userbyid(s.stxowner) AS owner, pg_get_statisticsobjdef(s.oid) AS definition,
      nullif(s.stxstattarget, -1)::int AS target
    FROM pg_statistic_ext s
    JOIN pg_namespace n ON n.oid = s.stxnamespace
    JOIN pg_class t ON t.oid = s.stxrelid
    JOIN pg_namespace tn ON tn.oid = t.relnamespace
    WHERE ${userSchema('n')} AND ${notOfExtension('pg_statistic_ext', 's.oid')}
    ORDER BY n.nspname, s.stxname`)
  return rows.map(({ schema, name, tableSchema, tableName, ...statistics }) => ({
    ...statistics,
    name: { schema, name },
    table: { schema: tableSchema, name: tableName },
  }))
}
