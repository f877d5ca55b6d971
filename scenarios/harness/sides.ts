import pg from 'pg'

/** Tables by `schema.name`. */
interface Particular {
  /** The same on every single shard of both sides. */
  readonly reference?: ReadonlySet<string>
  /** Left out of the comparison, as the plan leaves them out. */
  readonly ignored?: ReadonlySet<string>
}

const none: ReadonlySet<string> = new Set()

/**
 * Compares the rows of two sides, each given by the addresses of its shards, without any code of the product: for every table the rows over all shards of a side as
 * one multiset. Gives one line for each table that differs or that a side lacks.
 */
export async function sidesDiffer(
  a: readonly string[],
  b: readonly string[],
  { reference = none, ignored = none }: Particular = {},
): Promise<string[]> {
  const [left, right] = await Promise.all([Promise.all(a.map(digests)), Promise.all(b.map(digests))])
  const lines: string[] = []
  for (const table of new Set([...left, ...right].flatMap((shard) => [...shard.keys()]))) {
    if (ignored.has(table)) continue
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

/** Over all shards that have the table; undefined when none has. */
function sum(shards: readonly ReadonlyMap<string, Digest>[], table: string): Digest | undefined {
  const found = shards.flatMap((shard) => shard.get(table) ?? [])
  if (found.length === 0) return undefined
  return found.reduce((total, one) => ({ rows: total.rows + one.rows, hash: total.hash + one.hash }))
}

function text(digest: Digest | undefined): string {
  return digest ? `${digest.rows} rows (${digest.hash})` : 'no table'
}

/** Number of rows, and the sum of a hash of each row as text, of every ordinary or partitioned table of the user, by name. Children by inheritance are read on their own. */
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
        `SELECT count(*) AS rows, coalesce(sum(hashtextextended((${row}) COLLATE "C", 11)::numeric), 0) AS hash FROM ${table.sql}`,
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
         coalesce(array_agg(quote_ident(a.attname)::text ORDER BY a.attname) FILTER (WHERE a.attnum > 0 AND NOT a.attisdropped), '{}') AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid
   WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
     AND n.nspname !~ '^(pg_|crossfade)' AND n.nspname <> 'information_schema'
   GROUP BY 1, 2 ORDER BY 1`
