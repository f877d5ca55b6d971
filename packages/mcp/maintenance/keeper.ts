import { type Clock, systemClock } from '@crossfade/model/clock.ts'
import { reasonOf } from '@crossfade/model/failure.ts'
import type { Pool } from 'pg'
import { type Job, maintenanceJobs } from './jobs.ts'
import { lead, locks } from './leader.ts'
import { latestDueMs, nextDueMs } from './periods.ts'

/** A job that failed is tried again after this. */
export const retryMs = 5 * 60_000
/** Longest sleep: another process may have changed what is due. */
export const lookMsMax = 15 * 60_000
const troubleCharactersMax = 300

export interface KeeperOptions {
  /** Of the keeper role. Takes one connection while this process does the work. */
  readonly pool: Pool
  readonly jobs?: readonly Job[]
  readonly clock?: Clock
  /** Told of a job that failed, or that what is due can't be found out; it is tried again. */
  readonly onTrouble?: (job: string, reason: string) => void
}

/**
 * Does the regular work of the platform in one process of all that run a keeper. A job is due by the calendar; one that was missed, however often, is done once and at once when
 * somebody is there to do it. When jobs ran is in maintenance_jobs, what they did in retention_runs. Never rejects.
 */
export function startKeeper(options: KeeperOptions): { readonly leads: boolean; close(): Promise<void> } {
  return lead({
    pool: options.pool,
    lock: locks.keeper,
    work: (signal) => runJobs(options, signal),
    onTrouble: (error) => options.onTrouble?.('what is due', reasonOf(error)),
  })
}

/** Does what is due until the signal is aborted. Rejects when the database can't say what was done before. */
export async function runJobs(options: KeeperOptions, signal: AbortSignal): Promise<void> {
  const { pool, jobs = maintenanceJobs(), clock = systemClock } = options
  const finished = await readFinished(pool)
  const notBefore = new Map<string, number>()
  while (!signal.aborted) {
    let wakeMs = clock.now() + lookMsMax
    for (const job of jobs) {
      const now = clock.now()
      const doneMs = finished.get(job.name) ?? Number.NEGATIVE_INFINITY
      // What was done in the future was done by a clock that was wrong, and is done again by one that is right.
      const isDone = doneMs <= now && doneMs >= latestDueMs(job.period, now)
      const rests = (notBefore.get(job.name) ?? 0) > now
      if (!isDone && !rests && !signal.aborted) {
        const trouble = await runJob(pool, job, now, signal)
        if (trouble === null) {
          finished.set(job.name, now)
          notBefore.delete(job.name)
        } else {
          notBefore.set(job.name, now + retryMs)
          if (!signal.aborted) options.onTrouble?.(job.name, trouble)
        }
      }
      const dueMs = nextDueMs(job.period, now)
      wakeMs = Math.min(wakeMs, Math.max(notBefore.get(job.name) ?? dueMs, now + 1), dueMs)
    }
    await clock.sleep(Math.max(1, wakeMs - clock.now()), signal).catch(() => undefined)
  }
}

async function readFinished(pool: Pool): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ job: string; at: number }>(
    'select job, extract(epoch from finished_at)::float8 * 1000 as at from maintenance_jobs where finished_at is not null',
  )
  return new Map(rows.map(({ job, at }) => [job, at]))
}

/** Null, or why it failed. */
async function runJob(pool: Pool, job: Job, nowMs: number, signal: AbortSignal): Promise<string | null> {
  const at = new Date(nowMs).toISOString()
  try {
    await pool.query(
      `insert into maintenance_jobs as j (job, started_at) values ($1, $2)
       on conflict (job) do update set started_at = excluded.started_at`,
      [job.name, at],
    )
    await job.run(pool, nowMs, signal)
    await pool.query('update maintenance_jobs set finished_at = $2, trouble = null where job = $1', [job.name, at])
    return null
  } catch (error) {
    const reason = reasonOf(error).slice(0, troubleCharactersMax)
    await pool
      .query('update maintenance_jobs set trouble = $2 where job = $1', [job.name, reason])
      .catch(() => undefined)
    return reason
  }
}
