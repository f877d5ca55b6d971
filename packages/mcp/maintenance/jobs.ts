// What is done regularly, as data.
import type { Pool } from 'pg'
import { rollUpUsage } from '../usage/roll-up.ts'
import type { Period } from './periods.ts'

export interface Job {
  readonly name: string
  readonly period: Period
  /** Idempotent: it may run again after a run that was cut off, and twice at once in two processes for a moment. */
  readonly run: (pool: Pool, nowMs: number, signal: AbortSignal) => Promise<unknown>
}

export interface RetentionSettings {
  /** Partitions of usage that exist before their month begins. */
  readonly partitionMonthsAhead: number
  /** Single calls are kept for so many months. */
  readonly usageMonths: number
  /** Roll-ups of usage, health of services, closed alerts. */
  readonly rollupMonths: number
}

export const defaultRetention: RetentionSettings = { partitionMonthsAhead: 3, usageMonths: 6, rollupMonths: 24 }

const minuteMs = 60_000

/** Every job of the platform. Old usage goes monthly, expired key validations daily, as the schema document says. */
export function maintenanceJobs(retention: RetentionSettings = defaultRetention): readonly Job[] {
  const { partitionMonthsAhead, usageMonths, rollupMonths } = retention
  const at = (nowMs: number) => new Date(nowMs).toISOString()
  return [
    {
      name: 'partitions',
      period: { kind: 'daily', minute: 10 },
      run: (pool) => pool.query('select ensure_usage_partitions($1)', [partitionMonthsAhead]),
    },
    {
      name: 'roll-up',
      period: { kind: 'every', ms: 5 * minuteMs },
      run: (pool, nowMs, signal) => rollUpUsage(pool, nowMs, signal),
    },
    {
      name: 'old usage',
      period: { kind: 'monthly', minute: 0 },
      // What is dropped is rolled up first, also after a long absence.
      run: async (pool, nowMs, signal) => {
        await rollUpUsage(pool, nowMs, signal)
        await pool.query('select drop_old_usage($1)', [usageMonths])
      },
    },
    {
      name: 'expired key validations',
      period: { kind: 'daily', minute: 120 },
      run: (pool) => pool.query('select cleanup_validation_cache()'),
    },
    {
      name: 'expired authorizations',
      period: { kind: 'every', ms: 60 * minuteMs },
      run: (pool, nowMs) => pool.query('select drop_expired_authorizations($1)', [at(nowMs)]),
    },
    {
      name: 'old counts',
      period: { kind: 'every', ms: 60 * minuteMs },
      run: (pool, nowMs) => pool.query('select drop_old_counts($1)', [at(nowMs)]),
    },
    {
      name: 'old roll-ups',
      period: { kind: 'monthly', minute: 30 },
      run: (pool, nowMs) => pool.query('select drop_old_rollups($1, $2)', [at(nowMs), rollupMonths]),
    },
  ]
}
