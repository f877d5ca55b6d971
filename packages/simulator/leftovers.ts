import pg from 'pg'
import type { SimulatedSide } from './messaging-shards.ts'

/**
 * What of ours is still in a database, looked for without the engine's help: any slot, prepared transaction or invalid index at all, and
 * everything else by its name. Empty after `complete` and after an abort. Temporary tables go with their session, or, when the server was killed under it, as soon as
 * autovacuum comes by: PostgreSQL's own business. Reads only.
 */
export async function leftoversIn(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ what: string }>(leftoversSql)
    return rows.map(({ what }) => what)
  } finally {
    await client.end()
  }
}

/** The same in every shard of a side, each with the shard's name in front. */
export async function leftoversOn(side: SimulatedSide): Promise<string[]> {
  const found = await Promise.all(
    [...side.shards].map(async ([shard, { url }]) => (await leftoversIn(url)).map((what) => `${shard}: ${what}`)),
  )
  return found.flat()
}

const leftoversSql = `
  SELECT 'slot ' || slot_name AS what FROM pg_replication_slots WHERE database = current_database()
  UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname LIKE 'crossfade%'
  UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'crossfade%'
  UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname LIKE 'crossfade%'
  UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE proname LIKE 'crossfade%'
  UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger WHERE evtname LIKE 'crossfade%'
  UNION ALL SELECT 'table ' || relname FROM pg_class
   WHERE relkind IN ('r', 'p', 'i', 'S') AND relpersistence <> 't' AND relname LIKE '%crossfade%'
  UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = current_database()
  UNION ALL SELECT 'invalid index ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid`
