import pg from 'pg'

/**
 * Compares two databases without any code of the product: every table's rows as text, as multisets, and where its sequences stand. Gives one line for each table
 * that differs. `ignore` are tables (`schema.name`) that the plan leaves out.
 */
export async function differences(a: string, b: string, ignore: ReadonlySet<string> = new Set()): Promise<string[]> {
  const [left, right] = await Promise.all([contents(a), contents(b)])
  const lines: string[] = []
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    if (ignore.has(name)) continue
    const [x, y] = [left.get(name), right.get(name)]
    if (x === undefined || y === undefined) lines.push(`${name}: only on the ${x === undefined ? 'second' : 'first'}`)
    else if (x.digest !== y.digest)
      lines.push(`${name}: ${x.rows} rows against ${y.rows}${x.rows === y.rows ? ', with other values' : ''}`)
  }
  return lines
}

interface Content {
  readonly rows: number
  readonly digest: string
}

/** Every ordinary or partitioned table of the user, by name. Children by inheritance are read on their own. */
async function contents(url: string): Promise<Map<string, Content>> {
  const client = new pg.Client({
    connectionString: url,
    options: '-c TimeZone=UTC -c extra_float_digits=3 -c bytea_output=hex',
  })
  await client.connect()
  try {
    const { rows: tables } = await client.query<{ name: string; sql: string; columns: string[] }>(tablesSql)
    const found = new Map<string, Content>()
    for (const table of tables) {
      const row = table.columns.map((column) => `coalesce(${column}::text, E'\\\\N')`).join(` || E'\\t' || `) || `''`
      const { rows } = await client.query<{ rows: string; digest: string }>(
        `SELECT count(*) AS rows, coalesce(md5(string_agg(line, E'\\n' ORDER BY line COLLATE "C")), '') AS digest FROM (SELECT md5(${row}) AS line FROM ${table.sql}) each`,
      )
      found.set(table.name, { rows: Number(rows[0]!.rows), digest: rows[0]!.digest })
    }
    return found
  } finally {
    await client.end()
  }
}

const tablesSql = `
  SELECT format('%s.%s', n.nspname, c.relname) AS name,
         format('%s %I.%I', CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY' END, n.nspname, c.relname) AS sql,
         coalesce(array_agg(quote_ident(a.attname)::text ORDER BY a.attname) FILTER (WHERE a.attnum > 0 AND NOT a.attisdropped), '{}') AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid
   WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
     AND n.nspname !~ '^(pg_|crossfade)' AND n.nspname <> 'information_schema'
   GROUP BY 1, 2 ORDER BY 1`
