import type { Dependency } from '../inventory-types.ts'
import type { CatalogReader } from './catalog-reader.ts'

/**
 * What needs what, between whole objects: parts (column defaults, checks, a view's rule, a table's row type, array types) count as what they belong to.
 * Foreign keys, triggers, rules, policies and the ownership of sequences are left out: they are made when everything else is there.
 */
export async function readDependencies(reader: CatalogReader): Promise<Dependency[]> {
  return reader.rows<Dependency>(`
    WITH part AS (
      SELECT 'pg_rewrite'::regclass AS class, oid, 'pg_class' AS catalog, ev_class AS object, NULL AS via FROM pg_rewrite
        WHERE rulename = '_RETURN' AND ev_type = '1'
      UNION ALL SELECT 'pg_attrdef'::regclass, oid, 'pg_class', adrelid, 'default' FROM pg_attrdef
      UNION ALL SELECT 'pg_constraint'::regclass, oid, 'pg_class', conrelid, CASE contype WHEN 'c' THEN 'check' ELSE 'index' END FROM pg_constraint WHERE conrelid <> 0 AND contype <> 'f'
      UNION ALL SELECT 'pg_constraint'::regclass, oid, 'pg_type', contypid, NULL FROM pg_constraint WHERE contypid <> 0
      UNION ALL SELECT 'pg_class'::regclass, oid, 'pg_type', reltype, NULL FROM pg_class WHERE relkind = 'c'
      UNION ALL SELECT 'pg_class'::regclass, indexrelid, 'pg_class', indrelid, 'index' FROM pg_index
      UNION ALL SELECT 'pg_type'::regclass, t.oid, 'pg_class', t.typrelid, NULL
        FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid WHERE c.relkind <> 'c'
      UNION ALL SELECT 'pg_type'::regclass, t.typarray, 'pg_class', t.typrelid, NULL
        FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid WHERE c.relkind <> 'c' AND t.typarray <> 0
      UNION ALL SELECT 'pg_type'::regclass, t.typarray, 'pg_type', t.oid, NULL
        FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE t.typarray <> 0 AND (t.typrelid = 0 OR c.relkind = 'c')
      UNION ALL SELECT 'pg_type'::regclass, rngmultitypid, 'pg_type', rngtypid, NULL FROM pg_range
    ), edge AS (
      SELECT coalesce(a.catalog, d.classid::regclass::text) || ' ' || coalesce(a.object, d.objid) AS object,
        coalesce(b.catalog, d.refclassid::regclass::text) || ' ' || coalesce(b.object, d.refobjid) AS needs, a.via
      FROM pg_depend d
      LEFT JOIN part a ON a.class = d.classid AND a.oid = d.objid
      LEFT JOIN part b ON b.class = d.refclassid AND b.oid = d.refobjid
      WHERE d.deptype IN ('n', 'a', 'P', 'S') AND d.refobjid >= 16384 AND d.objid >= 16384
        AND d.classid NOT IN ('pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_default_acl'::regclass, 'pg_publication_rel'::regclass)
        AND NOT (d.classid IN ('pg_constraint'::regclass, 'pg_rewrite'::regclass) AND a.object IS NULL)
        AND NOT (d.deptype = 'a' AND d.refobjsubid > 0 AND d.classid = 'pg_class'::regclass
          AND EXISTS (SELECT 1 FROM pg_class s WHERE s.oid = d.objid AND s.relkind = 'S'))
        AND d.refclassid NOT IN ('pg_namespace'::regclass, 'pg_extension'::regclass)
    )
    SELECT DISTINCT object, needs, via FROM edge WHERE object <> needs ORDER BY object, needs`)
}
