import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { quoteTable } from '../connection/quote.ts'

/** What the catalog of one database says about a table, as far as comparing needs it. */
export interface RelationShape {
  readonly partitioned: boolean
  readonly columns: ReadonlyMap<string, CatalogColumn>
}

export interface CatalogColumn {
  /** As `format_type` prints it. */
  readonly type: string
  /** `typname` of the built-in base type (domains resolved); empty for every other type. */
  readonly base: string
  readonly modifier: number
  /** `C` where its text sorts by bytes, null where it sorts as some library on that server says, empty for a type without collation. */
  readonly order: string | null
}

/** Reads a table's shape. Rejects with CF4101 when there is no such table. */
export async function readShape(client: ClientBase, table: TableName): Promise<RelationShape> {
  const { rows } = await client.query<{
    kind: string
    name: string
    type: string
    base: string
    modifier: string
    sort: string | null
  }>(shapeSql, [quoteTable(table)])
  if (rows.length === 0) throw fail('CF4101', { table: tableKey(table), column: '*' })
  return {
    partitioned: rows[0]!.kind === 'p',
    columns: new Map(
      rows.map((row) => [
        row.name,
        { type: row.type, base: row.base, modifier: Number(row.modifier), order: row.sort },
      ]),
    ),
  }
}

/** Whether the key sorts the same on every shard of both sides, so that ranges of it hold the same keys everywhere. */
export function isComparableOrder(
  plan: ResolvedPlan,
  table: ResolvedTable,
  shapes: ReadonlyMap<ShardId, RelationShape>,
): boolean {
  if (table.identity.kind !== 'key') return false
  return table.identity.columns.every((name) => {
    const renamed = table.columns.find((column) => column.source === name)?.target ?? name
    const all = [
      ...plan.source.shards.map((shard) => shapes.get(shard.id)?.columns.get(name)),
      ...plan.target.shards.map((shard) => shapes.get(shard.id)?.columns.get(renamed)),
    ]
    const first = all[0]
    if (!first || !orderedTypes.has(first.base)) return false
    return all.every((column) => column?.base === first.base && column.order !== null && column.order === first.order)
  })
}

const orderedTypes = new Set([
  'bool',
  'bytea',
  'date',
  'int2',
  'int4',
  'int8',
  'numeric',
  'oid',
  'text',
  'timestamp',
  'timestamptz',
  'uuid',
  'varchar',
])

/** A collation other than C sorts the same on two servers only under the same version of its library, so none of them counts as known. */
const shapeSql = `WITH RECURSIVE col AS (
    SELECT c.relkind, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.atttypid AS typid, a.atttypmod AS typmod, a.attcollation
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
  ), base AS (
    SELECT col.attnum, t.oid, t.typname, t.typtype, t.typbasetype, t.typnamespace, col.typmod FROM col JOIN pg_catalog.pg_type t ON t.oid = col.typid
    UNION ALL
    SELECT base.attnum, t.oid, t.typname, t.typtype, t.typbasetype, t.typnamespace, p.typtypmod
    FROM base JOIN pg_catalog.pg_type p ON p.oid = base.oid JOIN pg_catalog.pg_type t ON t.oid = base.typbasetype WHERE base.typtype = 'd'
  )
  SELECT col.relkind::text AS kind, col.attname AS name, col.type, base.typmod::text AS modifier,
    CASE WHEN base.typtype = 'b' AND base.typnamespace = 'pg_catalog'::regnamespace THEN base.typname ELSE '' END AS base,
    CASE WHEN col.attcollation = 0 THEN ''
      WHEN k.collname = 'default' AND d.datcollate IN ('C', 'POSIX') AND coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' THEN 'C'
      WHEN k.collname <> 'default' AND k.collprovider = 'c' AND k.collcollate IN ('C', 'POSIX') AND k.collisdeterministic THEN 'C' END AS sort
  FROM col JOIN base ON base.attnum = col.attnum AND base.typtype <> 'd'
    JOIN pg_catalog.pg_database d ON d.datname = current_database() LEFT JOIN pg_catalog.pg_collation k ON k.oid = col.attcollation
  ORDER BY col.attnum`
