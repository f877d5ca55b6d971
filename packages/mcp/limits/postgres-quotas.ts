import { randomUUID } from 'node:crypto'
import type { Pool, QueryConfig } from 'pg'
import type { QuotaStore } from './quota-ledger.ts'

/** An answer that takes longer counts as lost: the uses are sent again with the same sequence. */
export const addMsMax = 10_000

/**
 * Quota counts in PostgreSQL, by `add_quota_use` of migration 018. `pool` is of the runtime role. Each store is a reporter of its own:
 * make one for each worker. Rejects with the driver's error; nothing is counted twice when the same sequence is added again.
 */
export function createQuotaStore(pool: Pool): QuotaStore {
  const reporter = randomUUID()
  return {
    async add(sequence, uses) {
      const rows = uses.map(({ scope, key, window, startMs, calls }) => ({
        scope,
        key,
        period: window,
        period_start: new Date(startMs).toISOString(),
        calls,
      }))
      const query: QueryConfig & { query_timeout: number } = {
        text: 'select total from add_quota_use($1, $2, $3::jsonb) order by "position"',
        values: [reporter, sequence, JSON.stringify(rows)],
        query_timeout: addMsMax,
      }
      const { rows: totals } = await pool.query<{ total: string | number }>(query)
      return totals.map(({ total }) => Number(total))
    },
  }
}
