import type { Sequence } from '../inventory-types.ts'
import type { CatalogReader } from './catalog-reader.ts'
import { address, notOfExtension, userSchema } from './scope.ts'

/** Sequences: those of their own, those owned by serial columns, and those behind identity columns. */
export async function readSequences(reader: CatalogReader): Promise<Sequence[]> {
  const rows = await reader.rows<SequenceRow>(`
    SELECT ${address('pg_class', 'c.oid')} AS address, n.nspname AS schema, c.relname AS name, pg_get_userbyid(c.relowner) AS owner,
      format_type(s.seqtypid, NULL) AS type, s.seqstart::text AS start, s.seqincrement::text AS increment, s.seqmin::text AS minimum,
      s.seqmax::text AS maximum, s.seqcache::text AS cache, s.seqcycle AS cycle, c.relpersistence = 'u' AS unlogged,
      tn.nspname AS "tableSchema", t.relname AS "tableName", a.attname AS "column", d.deptype = 'i' AS identity
    FROM pg_sequence s
    JOIN pg_class c ON c.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
      AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    LEFT JOIN pg_class t ON t.oid = d.refobjid
    LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    WHERE c.relpersistence <> 't' AND ${userSchema('n')} AND ${notOfExtension('pg_class', 'c.oid')}
    ORDER BY n.nspname, c.relname`)
  return rows.map((row) => ({
    address: row.address,
    name: { schema: row.schema, name: row.name },
    owner: row.owner,
    type: row.type,
    start: BigInt(row.start),
    increment: BigInt(row.increment),
    minimum: BigInt(row.minimum),
    maximum: BigInt(row.maximum),
    cache: BigInt(row.cache),
    cycle: row.cycle,
    unlogged: row.unlogged,
    ownedBy:
      row.tableName === null
        ? null
        : {
            table: { schema: row.tableSchema!, name: row.tableName },
            column: row.column!,
            identity: row.identity === true,
          },
  }))
}

interface SequenceRow {
  readonly address: string
  readonly schema: string
  readonly name: string
  readonly owner: string
  readonly type: Sequence['type']
  readonly start: string
  readonly increment: string
  readonly minimum: string
  readonly maximum: string
  readonly cache: string
  readonly cycle: boolean
  readonly unlogged: boolean
  readonly tableSchema: string | null
  readonly tableName: string | null
  readonly column: string | null
  readonly identity: boolean | null
}
