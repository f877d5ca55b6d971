import pg from 'pg'

/**
 * Everything that could have changed in a database, one line each: its objects, the rows of its tables, its settings, and the slots and roles of its server.
 * Looked at without any code of the product; two looks at a database that nobody touched are equal.
 */
export async function everythingIn(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows: objects } = await client.query<{ line: string }>(objectsSql)
    const { rows: tables } = await client.query<{ name: string }>(tablesSql)
    const lines = objects.map(({ line }) => line)
    for (const { name } of tables) {
      const { rows } = await client.query<{ line: string }>(
        `SELECT count(*) || ' rows ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C")), '') AS line FROM ONLY ${name} t`,
      )
      lines.push(`${name}: ${rows[0]!.line}`)
    }
    return lines
  } finally {
    await client.end()
  }
}

const own = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`
const tablesSql = `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND ${own} ORDER BY 1`
const objectsSql = `
  SELECT format('relation %I.%I %s, identity %s, persistence %s, triggers %s, owner %s, acl %s', n.nspname, c.relname, c.relkind, c.relreplident, c.relpersistence,
           (SELECT coalesce(string_agg(format('%s %s', tgname, tgenabled), ' ' ORDER BY tgname), 'none') FROM pg_trigger WHERE tgrelid = c.oid), c.relowner, c.relacl) AS line
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${own}
  UNION ALL SELECT format('column %s.%I %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${own} AND a.attnum > 0
  UNION ALL SELECT format('sequence %I.%I at %s', schemaname, sequencename, last_value) FROM pg_sequences
  UNION ALL SELECT format('routine %I.%I', n.nspname, p.proname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${own}
  UNION ALL SELECT format('type %I.%I', n.nspname, t.typname) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE ${own}
  UNION ALL SELECT format('schema %I %s', n.nspname, n.nspacl) FROM pg_namespace n WHERE ${own}
  UNION ALL SELECT format('publication %I', pubname) FROM pg_publication
  UNION ALL SELECT format('event trigger %I', evtname) FROM pg_event_trigger
  UNION ALL SELECT format('extension %I', extname) FROM pg_extension
  UNION ALL SELECT format('large object %s', oid) FROM pg_largeobject_metadata
  UNION ALL SELECT format('prepared transaction %s', gid) FROM pg_prepared_xacts WHERE database = current_database()
  UNION ALL SELECT format('slot %s of %s', slot_name, database) FROM pg_replication_slots WHERE database = current_database()
  UNION ALL SELECT format('setting %s', s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()
  UNION ALL SELECT format('role %I', rolname) FROM pg_roles
  ORDER BY 1`
