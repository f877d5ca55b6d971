import type { DatabaseFacts, Extension, LargeObjects, Publication, SchemaObject } from '../inventory-types.ts'
import { type CatalogReader, since } from './catalog-reader.ts'
import { address, userSchema } from './scope.ts'

/** What holds for the whole database. */
export async function readDatabase(reader: CatalogReader): Promise<DatabaseFacts> {
  const [facts] = await reader.rows<DatabaseFacts>(`
    SELECT d.datname AS name, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate,
      d.datctype AS ctype,
      ${since(reader, 15, `CASE d.datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END`, `'libc'`)} AS "localeProvider",
      pg_database_size(d.oid)::float8 AS bytes,
      ARRAY(SELECT setting FROM pg_db_role_setting s, unnest(s.setconfig) AS setting WHERE s.setdatabase = d.oid AND s.setrole = 0) AS settings
    FROM pg_database d WHERE d.datname = current_database()`)
  return facts!
}

/** The user's schemas; those of extensions are left out. */
export async function readSchemas(reader: CatalogReader): Promise<SchemaObject[]> {
  return reader.rows<SchemaObject>(`
    SELECT ${address('pg_namespace', 'n.oid')} AS address, n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner
    FROM pg_namespace n
    WHERE ${userSchema('n')}
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
    ORDER BY n.nspname`)
}

/** Extensions, with the tables of their own that a dump carries. */
export async function readExtensions(reader: CatalogReader): Promise<Extension[]> {
  return reader.rows<Extension>(`
    SELECT ${address('pg_extension', 'e.oid')} AS address, e.extname AS name, e.extversion AS version, n.nspname AS schema,
      e.extrelocatable AS relocatable,
      ARRAY(SELECT c.oid::regclass::text FROM unnest(e.extconfig) AS o(oid) JOIN pg_class c ON c.oid = o.oid WHERE c.relkind = 'r') AS "configurationTables"
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    ORDER BY e.extname`)
}

/** The user's publications; ours are left out. */
export async function readPublications(reader: CatalogReader): Promise<Publication[]> {
  return reader.rows<Publication>(`
    SELECT p.pubname AS name, pg_get_userbyid(p.pubowner) AS owner, p.puballtables AS "allTables"
    FROM pg_publication p WHERE p.pubname !~ '^crossfade_' ORDER BY p.pubname`)
}

/** Names of subscriptions in this database. */
export async function readSubscriptions(reader: CatalogReader): Promise<string[]> {
  const rows = await reader.rows<{ name: string }>(`
    SELECT s.subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
    WHERE d.datname = current_database() ORDER BY 1`)
  return rows.map((row) => row.name)
}

/** How many large objects there are. */
export async function readLargeObjects(reader: CatalogReader): Promise<LargeObjects> {
  const [row] = await reader.rows<LargeObjects>('SELECT count(*)::int AS count FROM pg_largeobject_metadata')
  return row!
}

/** Names of the roles, those of PostgreSQL itself left out. */
export async function readRoles(reader: CatalogReader): Promise<string[]> {
  const rows = await reader.rows<{ name: string }>(
    `SELECT rolname AS name FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1`,
  )
  return rows.map((row) => row.name)
}

/** Names of the tablespaces. */
export async function readTablespaces(reader: CatalogReader): Promise<string[]> {
  const rows = await reader.rows<{ name: string }>('SELECT spcname AS name FROM pg_tablespace ORDER BY 1')
  return rows.map((row) => row.name)
}
