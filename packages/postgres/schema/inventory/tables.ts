import type { TableName } from '@crossfade/model/table-name.ts'
import type { Table } from '../inventory-types.ts'
import type { CatalogReader } from './catalog-reader.ts'
import { readColumns } from './columns.ts'
import { readConstraints } from './constraints.ts'
import { readIndexes } from './indexes.ts'
import { notOfExtension, userSchema } from './scope.ts'
import { readPolicies, readRules, readTriggers } from './triggers.ts'

/** Ordinary, partitioned and foreign tables and partitions with all that belongs to them. Temporary tables are left out. */
export async function readTables(reader: CatalogReader): Promise<Table[]> {
  const rows = await reader.rows<TableRow>(tablesSql)
  const columns = await readColumns(reader)
  const constraints = await readConstraints(reader)
  const indexes = await readIndexes(reader)
  const triggers = await readTriggers(reader)
  const rules = await readRules(reader)
  const policies = await readPolicies(reader)
  const byOid = new Map(rows.map((row) => [row.oid, row]))
  const children = childrenOf(rows)
  return rows.map((row) => {
    const leaves = row.kind === 'partitioned' ? leavesOf(row, children) : []
    const measured = row.kind === 'partitioned' ? leaves : [row]
    const owned = indexes.get(row.oid) ?? []
    const identityIndex = owned.find((index) => index.replicaIdentity)
    return {
      address: `pg_class ${row.oid}`,
      name: nameOf(row),
      kind: row.kind,
      persistence: row.persistence,
      owner: row.owner,
      ofType: row.ofType,
      columns: columns.get(row.oid) ?? [],
      constraints: constraints.get(row.oid) ?? [],
      indexes: owned,
      partitionKey: row.partitionKey,
      partitionOf:
        row.partitionBound === null ? null : { parent: nameOf(byOid.get(row.parents[0]!)!), bound: row.partitionBound },
      root: row.partitionBound === null ? null : nameOf(rootOf(row, byOid)),
      leaves: leaves.map(nameOf),
      inherits: row.partitionBound === null ? row.parents.flatMap((oid) => namesOf(byOid.get(oid))) : [],
      inherited: row.kind !== 'partitioned' && (children.get(row.oid)?.length ?? 0) > 0,
      options: row.options,
      tablespace: row.tablespace,
      accessMethod: row.accessMethod,
      replicaIdentity:
        row.replicaIdentity === 'index'
          ? identityIndex
            ? { kind: 'index', index: identityIndex.name }
            : { kind: 'nothing' }
          : { kind: row.replicaIdentity },
      rowSecurity: row.rowSecurity,
      forceRowSecurity: row.forceRowSecurity,
      triggers: triggers.get(row.oid) ?? [],
      rules: rules.get(row.oid) ?? [],
      policies: policies.get(row.oid) ?? [],
      rowsEstimate: sumEstimates(measured),
      pages: sum(measured, (each) => each.pages),
      bytes: sum(measured, (each) => each.bytes),
      indexBytes: sum(measured, (each) => each.indexBytes),
    }
  })
}

interface TableRow {
  readonly oid: string
  readonly schema: string
  readonly name: string
  readonly kind: Table['kind']
  readonly persistence: Table['persistence']
  readonly owner: string
  readonly ofType: string | null
  readonly partitionKey: string | null
  readonly partitionBound: string | null
  readonly parents: readonly string[]
  readonly options: readonly string[]
  readonly tablespace: string | null
  readonly accessMethod: string | null
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index'
  readonly rowSecurity: boolean
  readonly forceRowSecurity: boolean
  readonly rowsEstimate: number
  readonly pages: number
  readonly bytes: number
  readonly indexBytes: number
}

const tablesSql = `
  SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name,
    CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned' ELSE 'foreign' END AS kind,
    CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END AS persistence,
    pg_get_userbyid(c.relowner) AS owner,
    CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS "ofType",
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS "partitionKey",
    CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS "partitionBound",
    ARRAY(SELECT h.inhparent::text FROM pg_inherits h WHERE h.inhrelid = c.oid ORDER BY h.inhseqno) AS parents,
    coalesce(c.reloptions, '{}') || ARRAY(SELECT 'toast.' || o FROM unnest(toast.reloptions) AS o) AS options,
    ts.spcname AS tablespace, CASE WHEN am.amname <> 'heap' THEN am.amname END AS "accessMethod",
    CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' ELSE 'index' END AS "replicaIdentity",
    c.relrowsecurity AS "rowSecurity", c.relforcerowsecurity AS "forceRowSecurity", c.reltuples::float8 AS "rowsEstimate",
    CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid) / current_setting('block_size')::int ELSE 0 END::float8 AS pages,
    CASE WHEN c.relkind = 'r' THEN coalesce(pg_table_size(c.oid), 0) ELSE 0 END::float8 AS bytes,
    CASE WHEN c.relkind = 'r' THEN coalesce(pg_indexes_size(c.oid), 0) ELSE 0 END::float8 AS "indexBytes"
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
  LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
  LEFT JOIN pg_am am ON am.oid = c.relam
  WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
    AND ${userSchema('n')} AND ${notOfExtension('pg_class', 'c.oid')}
  ORDER BY n.nspname, c.relname`

function childrenOf(rows: readonly TableRow[]): Map<string, TableRow[]> {
  const children = new Map<string, TableRow[]>()
  for (const row of rows) {
    for (const parent of row.parents) children.set(parent, [...(children.get(parent) ?? []), row])
  }
  return children
}

function leavesOf(row: TableRow, children: Map<string, TableRow[]>): TableRow[] {
  return (children.get(row.oid) ?? []).flatMap((child) =>
    child.kind === 'partitioned' ? leavesOf(child, children) : [child],
  )
}

function rootOf(row: TableRow, byOid: Map<string, TableRow>): TableRow {
  const parent = row.partitionBound === null ? undefined : byOid.get(row.parents[0]!)
  return parent ? rootOf(parent, byOid) : row
}

function sumEstimates(rows: readonly TableRow[]): number {
  if (rows.length > 0 && rows.every((row) => row.rowsEstimate < 0)) return -1
  return sum(rows, (row) => Math.max(0, row.rowsEstimate))
}

function sum(rows: readonly TableRow[], value: (row: TableRow) => number): number {
  return rows.reduce((total, row) => total + value(row), 0)
}

function namesOf(row: TableRow | undefined): TableName[] {
  return row ? [nameOf(row)] : []
}

function nameOf(row: { readonly schema: string; readonly name: string }): TableName {
  return { schema: row.schema, name: row.name }
}
