import type { Index } from '../inventory-types.ts'
import { type CatalogReader, since } from './catalog-reader.ts'
import { address, groupBy, userSchema } from './scope.ts'

/** Indexes of every table and materialized view, by the relation's oid. */
export async function readIndexes(reader: CatalogReader): Promise<Map<string, Index[]>> {
  const rows = await reader.rows<Index & { relation: string }>(`
    SELECT x.indrelid::text AS relation, ${address('pg_class', 'i.oid')} AS address, n.nspname AS schema, i.relname AS name,
      pg_get_indexdef(i.oid) AS definition, x.indisunique AS unique, x.indisprimary AS primary,
      ${since(reader, 15, 'x.indnullsnotdistinct', 'false')} AS "nullsNotDistinct",
      x.indisvalid AND x.indisready AND x.indislive AS valid, x.indimmediate AS immediate, am.amname AS method,
      ARRAY(SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY AS k(number, place)
        LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number AND k.number <> 0
        WHERE k.place <= x.indnkeyatts ORDER BY k.place) AS columns,
      ARRAY(SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number
        WHERE k.place > x.indnkeyatts ORDER BY k.place) AS included,
      x.indpred IS NOT NULL AS partial, x.indisclustered AS clustered, x.indisreplident AS "replicaIdentity",
      k.conname AS constraint,
      CASE WHEN h.inhparent IS NOT NULL THEN ${address('pg_class', 'h.inhparent')} END AS parent,
      ts.spcname AS tablespace,
      CASE WHEN i.relkind = 'i' THEN pg_relation_size(i.oid) ELSE 0 END::float8 AS bytes
    FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class c ON c.oid = x.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_am am ON am.oid = i.relam
    LEFT JOIN pg_inherits h ON h.inhrelid = i.oid
    LEFT JOIN pg_tablespace ts ON ts.oid = i.reltablespace
    LEFT JOIN pg_constraint k ON k.conindid = i.oid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u', 'x')
    WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND ${userSchema('n')}
    ORDER BY x.indrelid, i.relname`)
  const groups = groupBy(rows, (row) => row.relation)
  return new Map(
    [...groups].map(([relation, indexes]) => [relation, indexes.map(({ relation: _, ...index }) => index)]),
  )
}
