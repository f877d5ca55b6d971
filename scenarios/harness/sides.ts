import pg from 'pg'

/**
 * Compares the rows of two sides without any code of the product: for every table the rows over all shards of a side as one multiset. Tables in `reference` (`schema.name`)
 * must be the same on every single shard. Gives one line for each table that differs.
 */
export async function sidesDiffer(
  a: readonly string[],
  b: readonly string[],
  reference: ReadonlySet<string> = new Set(),
): Promise<string[]> {
  const [left, right] = [await Promise.all(a.map(digests)), await Promise.all(b.map(digests))]
  const lines: string[] = []
  for (const table of new Set([...left, ...right].flatMap((shard) => [...shard.keys()]))) {
    if (reference.has(table)) {
      const all = [...left, ...right].map((shard) => text(shard.get(table)))
      if (new Set(all).size > 1) lines.push(`${table}: not the same on all shards: ${[...new Set(all)].join(' / ')}`)
      continue
    }
    const [x, y] = [text(sum(left, table)), text(sum(right, table))]
    if (x !== y) lines.push(`${table}: ${x} against ${y}`)
  }
  return lines
}

interface Digest {
  readonly rows: bigint
  readonly hash: bigint
}

function sum(shards: readonly ReadonlyMap<string, Digest>[], table: string): Digest {
  return shards.reduce(
    (total, shard) => {
      const one = shard.get(table)
      return one ? { rows: total.rows + one.rows, hash: total.hash + one.hash } : total
    },
    { rows: 0n, hash: 0n },
  )
}

function text(digest: Digest | undefined): string {
  return digest ? `${digest.rows} rows (${digest.hash})` : 'no table'
}

/** Number of rows, and the sum of a hash of each row as text, by table. */
async function digests(url: string): Promise<Map<string, Digest>> {
  const client = new pg.Client({ connectionString: url, options: '-c TimeZone=UTC -c extra_float_digits=3' })
  await client.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const { rows: tables } = await client.query<{ name: string; sql: string; columns: string[] }>(tablesSql)
    const found = new Map<string, Digest>()
    for (const table of tables) {
      const row = table.columns.map((column) => `coalesce(md5(${column}::text), '-')`).join(` || `) || `''`
      const { rows } = await client.query<{ rows: string; hash: string }>(
        `SELECT count(*) AS rows, coalesce(sum(hashtextextended(${row}, 11)::numeric), 0) AS hash FROM ${table.sql}`,
      )
      found.set(table.name, { rows: BigInt(rows[0]!.rows), hash: BigInt(rows[0]!.hash) })
    }
    return found
  } finally {
    await client.end()
  }
}

const tablesSql = `
  SELECT format('%s.%s', n.nspname, c.relname) AS name,
         format('%s %I.%I', CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY' END, n.nspname, c.relname) AS sql,
         array_agg(quote_ident(a.attname)::text ORDER BY a.attname) AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
   WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND a.attnum > 0 AND NOT a.attisdropped
     AND n.nspname !~ '^(pg_|crossfade)' AND n.nspname <> 'information_schema'
   GROUP BY 1, 2 ORDER BY 1`
