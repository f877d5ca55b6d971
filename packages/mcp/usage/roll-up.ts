import type { Pool } from 'pg'

/** An hour is rolled up this long after its end: most of its records have arrived then. Those that come later are rolled up with the next run. */
export const graceMs = 120_000
/** Hours of one transaction. */
export const hoursPerStep = 24

/**
 * Rolls up every hour that ended `graceMs` before `nowMs` and has records that no roll-up holds; returns how many hours that were. `pool` is of the keeper role.
 * Idempotent; what a killed run left is done by the next. Answers of usage/queries.ts are the same before, during and after.
 */
export async function rollUpUsage(pool: Pool, nowMs: number, signal?: AbortSignal): Promise<number> {
  // Claimed and committed first: see migration 017.
  await pool.query('select claim_usage_hours($1)', [new Date(nowMs - graceMs).toISOString()])
  for (let total = 0; ; ) {
    signal?.throwIfAborted()
    const { rows } = await pool.query<{ rolled: number }>('select roll_up_usage($1) as rolled', [hoursPerStep])
    const rolled = rows[0]?.rolled ?? 0
    total += rolled
    if (rolled < hoursPerStep) return total
  }
}
