import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { parseLsn } from '@crossfade/model/lsn.ts'
import type { Observation } from '@crossfade/pipeline/data-plane.ts'
import type { ShardPool } from '../connection/pool.ts'

/** A probe that takes longer than this is cut off: it measures the live system, it must not burden it. */
const probeMsMax = 5_000

export interface ObservationOptions {
  readonly pool: (shard: ShardId) => ShardPool
  /** The slot that a stream of ours reads on the shard. */
  readonly slot: (shard: ShardId) => string
}

/** What gates, throttle and console look at. Each method is one short statement; nothing is changed. */
export function createObservation({ pool, slot }: ObservationOptions): Observation {
  return {
    async shardHealth(shard) {
      try {
        return await pool(shard).withConnection(async (client) => {
          const { rows } = await client.query<{
            active: string
            size: string
            slot_active: string | null
            status: string | null
            held: string | null
          }>(healthSql, [slot(shard)])
          const row = rows[0]!
          return {
            reachable: true,
            activeBackends: Number(row.active),
            sizeBytes: Number(row.size),
            walHeldBytes: Number(row.held ?? 0),
            slotActive: row.slot_active === null ? null : row.slot_active === 't',
            slotLost: row.status === 'lost',
          }
        })
      } catch {
        return { reachable: false, activeBackends: 0, sizeBytes: 0, walHeldBytes: 0, slotActive: null, slotLost: false }
      }
    },

    flushedLsn: (shard) =>
      pool(shard).withConnection(async (client) => {
        // Flushed, for a stream is sent nothing else: where nothing is written any more it never reaches the position of the next insert.
        const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn() AS lsn')
        return parseLsn(rows[0]!.lsn)
      }),

    probe: (shard, sql) =>
      pool(shard).withTransaction(
        async (client) => {
          await client.query(`SET LOCAL statement_timeout = ${probeMsMax}`)
          const started = performance.now()
          const result = await client.query({ text: sql, rowMode: 'array' }).catch((error: unknown) => {
            throw fail('CF2030', { shard, reason: error instanceof Error ? error.message : String(error) }, error)
          })
          const latencyMs = performance.now() - started
          const value = Number((result.rows[0] as unknown[] | undefined)?.[0])
          return { latencyMs, value: Number.isFinite(value) ? value : null }
        },
        { mode: 'READ ONLY' },
      ),
  }
}

/** Backends that work just now, ours and replication left out; and what our slot holds back. */
const healthSql = `
  SELECT (SELECT count(*) FROM pg_stat_activity
           WHERE datname = current_database() AND state = 'active' AND backend_type = 'client backend'
             AND application_name NOT LIKE 'crossfade %') AS active,
         pg_database_size(current_database()) AS size,
         s.active AS slot_active, s.wal_status AS status,
         CASE WHEN s.restart_lsn IS NULL THEN NULL ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn) END AS held
    FROM (SELECT 1) one LEFT JOIN pg_replication_slots s ON s.slot_name = $1`
