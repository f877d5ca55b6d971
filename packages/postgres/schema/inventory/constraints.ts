import type { Constraint } from '../inventory-types.ts'
import { type CatalogReader, since } from './catalog-reader.ts'
import { address, groupBy, userSchema } from './scope.ts'

/** Constraints of every table, by the table's oid. */
export async function readConstraints(reader: CatalogReader): Promise<Map<string, Constraint[]>> {
  const rows = await reader.rows<ConstraintRow>(`
    SELECT k.conrelid::text AS relation, ${address('pg_constraint', 'k.oid')} AS address, k.conname AS name,
      CASE k.contype WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign'
        WHEN 'x' THEN 'exclusion' ELSE 'notNull' END AS kind,
      pg_get_constraintdef(k.oid) AS definition,
      ${columnNames('k.conrelid', 'k.conkey')} AS columns,
      k.condeferrable AS deferrable, k.condeferred AS "initiallyDeferred", k.convalidated AS valid,
      ${since(reader, 18, 'k.conenforced', 'true')} AS enforced, k.connoinherit AS "noInherit", k.conislocal AS local,
      CASE WHEN k.conparentid <> 0 THEN ${address('pg_constraint', 'k.conparentid')} END AS parent,
      CASE WHEN k.contype <> 'f' THEN i.relname END AS index,
      fn.nspname AS "referencedSchema", f.relname AS "referencedName",
      CASE WHEN k.contype = 'f' THEN ${columnNames('k.confrelid', 'k.confkey')} END AS "referencedColumns"
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class i ON i.oid = k.conindid
    LEFT JOIN pg_class f ON f.oid = k.confrelid AND k.contype = 'f'
    LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
    WHERE k.contype IN ('p', 'u', 'c', 'f', 'x', 'n') AND ${userSchema('n')}
      AND NOT (k.contype = 'f' AND EXISTS (SELECT 1 FROM pg_constraint up WHERE up.oid = k.conparentid AND up.conrelid = k.conrelid))
    ORDER BY k.conrelid, k.contype, k.conname`)
  const groups = groupBy(rows, (row) => row.relation)
  return new Map([...groups].map(([relation, constraints]) => [relation, constraints.map(toConstraint)]))
}

type ConstraintRow = Omit<Constraint, 'references'> & {
  readonly relation: string
  readonly referencedSchema: string | null
  readonly referencedName: string | null
  readonly referencedColumns: readonly string[] | null
}

/** Names of the columns whose numbers are in an int2 array, in its order. */
export function columnNames(relation: string, numbers: string): string {
  return `ARRAY(SELECT ka.attname::text FROM unnest(${numbers}) WITH ORDINALITY AS kc(number, place)
        JOIN pg_attribute ka ON ka.attrelid = ${relation} AND ka.attnum = kc.number ORDER BY kc.place)`
}

function toConstraint(row: ConstraintRow): Constraint {
  const { relation: _, referencedSchema, referencedName, referencedColumns, ...constraint } = row
  return {
    ...constraint,
    references:
      referencedName === null
        ? null
        : { table: { schema: referencedSchema!, name: referencedName }, columns: referencedColumns ?? [] },
  }
}
