import type { SimulatedSide } from '@crossfade/simulator/messaging-shards.ts'
import pg from 'pg'

/**
 * What of ours is still in the databases of a side, looked for without the engine's help: slots, publications, schemas, triggers, functions.
 * Empty after `complete`.
 */
export async function findLeftovers(side: SimulatedSide): Promise<string[]> {
  const found = await Promise.all(
    [...side.shards].map(async ([shard, { url }]) => {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      try {
        const { rows } = await client.query<{ what: string }>(leftoversSql)
        return rows.map(({ what }) => `${shard}: ${what}`)
      } finally {
        await client.end()
      }
    }),
  )
  return found.flat()
}

const leftoversSql = `
  SELECT 'slot ' || slot_name AS what FROM pg_replication_slots WHERE slot_name LIKE 'crossfade%' AND database = current_database()
  UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname LIKE 'crossfade%'
  UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'crossfade%'
  UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname LIKE 'crossfade%'
  UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE proname LIKE 'crossfade%'`
