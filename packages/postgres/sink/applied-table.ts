import type { TableName } from '@crossfade/model/table-name.ts'
import type { ClientBase } from 'pg'
import type { DirectedTable } from './direction.ts'

/** What the applied side's catalog says about a table that is written to. */
export interface AppliedTable {
  readonly table: DirectedTable
  /** Rows of its inheritance children are not its own; those of its partitions are. */
  readonly partitioned: boolean
  /** Columns that only `OVERRIDING SYSTEM VALUE` may set, and that no UPDATE may. */
  readonly alwaysIdentity: ReadonlySet<string>
  readonly generated: ReadonlySet<string>
  readonly columns: ReadonlySet<string>
  /**
   * Foreign keys (either end) or triggers that fire for this session: rows must come in the order in which they came at the source.
   * Triggers that were told to leave the migration's sessions alone do not count.
   */
  readonly ordered: boolean
}

/** Reads what writing to the tables needs to know. Tables that are not there are left out. */
export async function readAppliedTables(
  client: ClientBase,
  tables: readonly DirectedTable[],
  replicaRole: boolean,
): Promise<Map<DirectedTable, AppliedTable>> {
  const { rows } = await client.query<CatalogRow>(catalogSql, [
    tables.map((table) => table.to.schema),
    tables.map((table) => table.to.name),
    replicaRole ? ['R', 'A'] : ['O', 'A'],
    fenceTriggers,
  ])
  const found = new Map<DirectedTable, AppliedTable>()
  for (const row of rows) {
    const table = tables[Number(row.ordinal) - 1]!
    const columns = JSON.parse(row.columns) as { name: string; identity: string; generated: string }[]
    found.set(table, {
      table,
      partitioned: row.kind === 'p',
      alwaysIdentity: new Set(columns.filter((column) => column.identity === 'a').map((column) => column.name)),
      generated: new Set(columns.filter((column) => column.generated !== '').map((column) => column.name)),
      columns: new Set(columns.map((column) => column.name)),
      ordered: row.fires === 't' || row.fires === 'true',
    })
  }
  return found
}

/** Unique indexes of a table as expressions over its columns, to find the row that is in another's way. */
export interface UniqueIndex {
  readonly name: string
  readonly expressions: readonly string[]
  readonly predicate: string | null
}

/** The unique indexes of the table, with their expressions and predicates as SQL. Reads the catalog alone. */
export async function readUniqueIndexes(client: ClientBase, table: TableName): Promise<UniqueIndex[]> {
  const { rows } = await client.query<{ name: string; expressions: string; predicate: string | null }>(uniqueSql, [
    table.schema,
    table.name,
  ])
  return rows.map((row) => ({ ...row, expressions: JSON.parse(row.expressions) as string[] }))
}

/** Our own: they let the applier pass and change nothing, so the order of rows does not matter to them. */
const fenceTriggers = 'crossfade%'

interface CatalogRow {
  readonly ordinal: string
  readonly kind: string
  readonly columns: string
  readonly fires: string
}

const catalogSql = `
SELECT wanted.ordinal, c.relkind AS kind,
  (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'identity', a.attidentity, 'generated', a.attgenerated)), '[]')
     FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)::text AS columns,
  EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
           WHERE g.tgrelid = c.oid AND g.tgenabled = ANY ($3::"char"[]) AND g.tgname NOT LIKE $4
             AND (g.tgqual IS NULL OR pg_catalog.pg_get_triggerdef(g.oid) NOT LIKE '%crossfade.writer%'))::text AS fires
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted(schema, name, ordinal)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')`

const uniqueSql = `
SELECT i.relname AS name,
  (SELECT json_agg(pg_catalog.pg_get_indexdef(x.indexrelid, k, false) ORDER BY k)
     FROM generate_series(1, x.indnkeyatts) AS k)::text AS expressions,
  pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS predicate
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE x.indisunique AND n.nspname = $1 AND c.relname = $2`
