import type { Comment, DefaultPrivilege, Grant, OtherObject } from '../inventory-types.ts'
import type { CatalogReader } from './catalog-reader.ts'
import { address, notOfExtension, qualified, userSchema } from './scope.ts'

/** Comments on everything that is in a user's schema, and on the schemas. */
export async function readComments(reader: CatalogReader): Promise<Comment[]> {
  return reader.rows<Comment>(`
    SELECT o.type AS kind, o.identity, d.classoid::regclass::text || ' ' || d.objoid AS of, a.attname AS "column", d.description AS text
    FROM pg_description d
    CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) AS o
    LEFT JOIN pg_attribute a ON d.classoid = 'pg_class'::regclass AND d.objsubid > 0 AND a.attrelid = d.objoid AND a.attnum = d.objsubid
    WHERE (d.objoid >= 16384 OR d.classoid = 'pg_namespace'::regclass AND d.description <> 'standard public schema')
      AND d.classoid <> 'pg_extension'::regclass AND o.identity IS NOT NULL AND o.identity !~ '^crossfade(_control)?\\.'
      AND NOT (d.classoid = 'pg_namespace'::regclass AND d.objoid < 16384 AND o.identity <> 'public')
      AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
    ORDER BY 1, 2`)
}

/** Every privilege on schemas, relations, columns, routines and types, with the default ones spelled out. */
export async function readGrants(reader: CatalogReader): Promise<Grant[]> {
  return reader.rows<Grant>(`
    WITH object AS (
      SELECT 'schema' AS kind, quote_ident(n.nspname) AS identity, ${address('pg_namespace', 'n.oid')} AS of, NULL AS "column",
        n.nspowner AS owner, coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl
      FROM pg_namespace n WHERE ${userSchema('n')}
      UNION ALL
      SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, ${qualified('n.nspname', 'c.relname')}, ${address('pg_class', 'c.oid')}, NULL,
        c.relowner, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND ${userSchema('n')} AND ${notOfExtension('pg_class', 'c.oid')}
      UNION ALL
      SELECT 'table', ${qualified('n.nspname', 'c.relname')}, ${address('pg_class', 'c.oid')}, a.attname, c.relowner, a.attacl
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relpersistence <> 't' AND ${userSchema('n')} AND ${notOfExtension('pg_class', 'c.oid')}
      UNION ALL
      SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
        ${qualified('n.nspname', 'p.proname')} || '(' || pg_get_function_identity_arguments(p.oid) || ')', ${address('pg_proc', 'p.oid')}, NULL,
        p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${userSchema('n')} AND ${notOfExtension('pg_proc', 'p.oid')}
        AND NOT EXISTS (SELECT 1 FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')
      UNION ALL
      SELECT 'type', format_type(t.oid, NULL), ${address('pg_type', 't.oid')}, NULL, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE t.typtype IN ('e', 'd', 'c', 'r') AND (t.typtype <> 'c' OR c.relkind = 'c') AND ${userSchema('n')} AND ${notOfExtension('pg_type', 't.oid')}
    )
    SELECT o.kind, o.identity, o.of, o."column", CASE WHEN x.grantee = 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END AS grantee,
      x.privilege_type AS privilege, bool_or(x.is_grantable) AS grantable, x.grantee = o.owner AS "toOwner"
    FROM object o CROSS JOIN LATERAL aclexplode(o.acl) AS x
    GROUP BY o.kind, o.identity, o.of, o."column", x.grantee, x.privilege_type, o.owner
    ORDER BY 1, 2, 4 NULLS FIRST, 5, 6`)
}

/** What ALTER DEFAULT PRIVILEGES set. */
export async function readDefaultPrivileges(reader: CatalogReader): Promise<DefaultPrivilege[]> {
  return reader.rows<DefaultPrivilege>(`
    SELECT pg_get_userbyid(d.defaclrole) AS role, n.nspname AS schema,
      CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
        WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS objects,
      CASE WHEN x.grantee = 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END AS grantee, x.privilege_type AS privilege,
      x.is_grantable AS grantable
    FROM pg_default_acl d
    LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
    CROSS JOIN LATERAL aclexplode(d.defaclacl) AS x
    ORDER BY 1, 2, 3, 4, 5`)
}

/** What has no DDL of ours, by the catalog it is in. */
export async function readOthers(reader: CatalogReader): Promise<OtherObject[]> {
  const catalogs = otherCatalogs.map(
    (catalog) =>
      `SELECT ${address(catalog, 'o.oid')} AS address, '${catalog}'::regclass AS class, o.oid FROM ${catalog} o
       WHERE o.oid >= 16384 AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = o.oid AND d.deptype IN ('e', 'i'))`,
  )
  return reader.rows<OtherObject>(`
    SELECT other.address, i.type AS kind, i.identity FROM (${catalogs.join(' UNION ALL ')}) AS other
    CROSS JOIN LATERAL pg_identify_object(other.class, other.oid, 0) AS i
    WHERE i.identity IS NOT NULL ORDER BY 2, 3`)
}

const otherCatalogs = [
  'pg_operator',
  'pg_opclass',
  'pg_opfamily',
  'pg_cast',
  'pg_conversion',
  'pg_ts_config',
  'pg_ts_dict',
  'pg_ts_parser',
  'pg_ts_template',
  'pg_foreign_data_wrapper',
  'pg_foreign_server',
  'pg_event_trigger',
  'pg_language',
  'pg_transform',
  'pg_am',
]
