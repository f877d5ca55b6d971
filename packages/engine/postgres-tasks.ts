import { fail } from '@crossfade/model/failure.ts'
import { asMigrationId, type MigrationId } from '@crossfade/model/ids.ts'
import type { Json, Progress, Task, TaskFilter } from '@crossfade/tracks/contract/tasks.ts'
import { type RawBuilder, type Selectable, sql } from 'kysely'
import { type ControlDatabase, json } from './control-queries.ts'
import type { TaskRow } from './control-tables.ts'
import {
  type Claim,
  kindsThatRest,
  type Lease,
  type TaskStore,
  type TaskTotals,
  type Work,
  type WorkKind,
} from './store.ts'

/** The task queue: SKIP LOCKED claims, a lease with an epoch on every task, by the server's clock alone. */
export function postgresTasks(control: ControlDatabase): TaskStore {
  const { run } = control

  /** Ends the holding of a task: forgotten when it was cancelled, else changed. False when the lease is stale. */
  async function end(claim: Claim, change: RawBuilder<unknown>): Promise<boolean> {
    const mine = sql`t.migration = ${claim.migration} AND t.name = ${claim.task} AND t.epoch = ${claim.epoch} AND t.worker IS NOT NULL`
    const { rows } = await run((db) =>
      sql<{
        ended: number
      }>`WITH gone AS (DELETE FROM crossfade_control.task t WHERE ${mine} AND t.state = 'cancelled' RETURNING 1),
        changed AS (UPDATE crossfade_control.task t SET worker = NULL, lease_until = NULL, ${change} WHERE ${mine} AND t.state = 'running' RETURNING 1)
        SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM changed) AS ended, pg_notify('crossfade_work', ${claim.migration})`.execute(
        db,
      ),
    )
    return rows[0]!.ended > 0
  }

  return {
    async add(migration, tasks, lease) {
      if (tasks.length === 0) return
      const { rows } = await run((db) =>
        sql<Held>`WITH held AS MATERIALIZED (${heldStill(lease)}),
            added AS (INSERT INTO crossfade_control.task (migration, name, kind, payload)
              SELECT ${migration}, e->>'name', e->>'kind', e->'payload' FROM jsonb_array_elements(${json(tasks)}::jsonb) WITH ORDINALITY AS a(e, n)
              WHERE EXISTS (SELECT FROM held) ORDER BY n ON CONFLICT (migration, name) DO NOTHING RETURNING 1)
          SELECT (SELECT count(*) FROM held) AS held, pg_notify('crossfade_work', ${migration}) FROM (SELECT count(*) FROM added) AS counted`.execute(
          db,
        ),
      )
      refuseStale(rows, lease)
    },
    async list(migration, filter = {}) {
      const { rows } = await run((db) =>
        sql<
          Selectable<TaskRow>
        >`SELECT * FROM crossfade_control.task t WHERE ${matches(migration, filter)} ORDER BY t.ordinal`.execute(db),
      )
      return rows.map(readWork) as readonly Task[]
    },
    async unfinished(migration, filter) {
      const { rows } = await run((db) =>
        sql<{
          count: number
        }>`SELECT count(*) FROM crossfade_control.task t WHERE ${matches(migration, filter)} AND t.state <> 'done'`.execute(
          db,
        ),
      )
      return rows[0]!.count
    },
    async totals(migration, kind) {
      const { rows } = await run((db) =>
        sql<TaskTotals>`SELECT count(*) FILTER (WHERE state = 'done') AS done, count(*) AS total,
            coalesce(sum(rows), 0)::float8 AS "rowsDone", coalesce(sum(CASE state WHEN 'done' THEN rows ELSE greatest(rows, rows_estimated) END), 0)::float8 AS "rowsTotal",
            coalesce(sum(bytes), 0)::float8 AS "bytesDone", coalesce(sum(CASE state WHEN 'done' THEN bytes ELSE greatest(bytes, bytes_estimated) END), 0)::float8 AS "bytesTotal"
          FROM (SELECT state, coalesce(result->>'rows', progress->>'rows', '0')::float8 AS rows, coalesce(result->>'bytes', progress->>'bytes', '0')::float8 AS bytes,
              coalesce(payload->>'estimatedRows', '0')::float8 AS rows_estimated, coalesce(payload->>'estimatedBytes', '0')::float8 AS bytes_estimated
            FROM crossfade_control.task WHERE migration = ${migration} AND kind = ${kind}) AS t`.execute(db),
      )
      return rows[0]!
    },
    async cancel(migration, filter, lease) {
      const { rows } = await run((db) =>
        sql<Held>`WITH held AS MATERIALIZED (${heldStill(lease)}),
            changed AS (UPDATE crossfade_control.task t SET state = 'cancelled'
              WHERE ${matches(migration, filter)} AND t.state NOT IN ('done', 'cancelled') AND EXISTS (SELECT FROM held) RETURNING 1)
          SELECT (SELECT count(*) FROM held) AS held, CASE WHEN n > 0 THEN pg_notify('crossfade_work', ${migration}) END
          FROM (SELECT count(*) AS n FROM changed) AS counted`.execute(db),
      )
      refuseStale(rows, lease)
    },
    async remove(migration, filter, lease) {
      const { rows } = await run((db) =>
        sql<Held>`WITH held AS MATERIALIZED (${heldStill(lease)}),
            gone AS (DELETE FROM crossfade_control.task t WHERE ${matches(migration, filter)} AND t.state <> 'waiting'
              AND (t.worker IS NULL OR t.lease_until <= clock_timestamp()) AND EXISTS (SELECT FROM held))
          SELECT count(*) AS held FROM held`.execute(db),
      )
      refuseStale(rows, lease)
    },
    async newEpoch() {
      const { rows } = await run((db) =>
        sql<{ epoch: number }>`SELECT nextval('crossfade_control.epoch') AS epoch`.execute(db),
      )
      return rows[0]!.epoch
    },
    async revive(migration) {
      await run((db) =>
        sql`WITH changed AS (UPDATE crossfade_control.task t SET state = 'waiting', attempts = 0, failure = NULL, finished_at = NULL, not_before = '-infinity'
            WHERE t.migration = ${migration} AND t.state = 'failed' RETURNING 1)
          SELECT pg_notify('crossfade_work', ${migration}) FROM (SELECT count(*) AS n FROM changed) AS counted WHERE n > 0`.execute(
          db,
        ),
      )
    },
    async claim(worker, free, leaseMs) {
      const wanted = Object.entries(free).filter(([, places]) => (places ?? 0) > 0)
      if (wanted.length === 0) return []
      const { rows } = await run((db) =>
        sql<Selectable<TaskRow>>`UPDATE crossfade_control.task t
          SET state = 'running', worker = ${worker}, epoch = nextval('crossfade_control.epoch'), lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms',
            progress = '{}', started_at = clock_timestamp(), finished_at = NULL
          FROM unnest(${wanted.map(([kind]) => kind)}::text[], ${wanted.map(([, places]) => places)}::int[]) AS want(kind, places)
          CROSS JOIN LATERAL (
            SELECT c.migration, c.name FROM crossfade_control.task c JOIN crossfade_control.migration m ON m.id = c.migration
            WHERE c.kind = want.kind
              AND ((c.state = 'waiting' AND c.not_before <= clock_timestamp()) OR (c.state = 'running' AND c.lease_until <= clock_timestamp()))
              AND NOT (m.paused AND c.kind = ANY (${kindsThatRest}::text[]))
            ORDER BY c.ordinal LIMIT want.places FOR UPDATE OF c SKIP LOCKED
          ) AS found
          WHERE t.migration = found.migration AND t.name = found.name RETURNING t.*`.execute(db),
      )
      return rows.map(readWork)
    },
    async renew(claims: readonly (Claim & { readonly progress: Progress | null })[], leaseMs) {
      if (claims.length === 0) return { lost: [], cancelled: [] }
      const { rows } = await run((db) =>
        sql<{ migration: string; name: string; epoch: number; state: string }>`WITH renewed AS (
            UPDATE crossfade_control.task t SET lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms', progress = coalesce(h.progress, t.progress)
            FROM unnest(${claims.map((each) => each.migration)}::text[], ${claims.map((each) => each.task)}::text[], ${claims.map((each) => each.epoch)}::bigint[],
              ${claims.map((each) => (each.progress ? json(each.progress) : null))}::jsonb[]) AS h(migration, name, epoch, progress)
            WHERE t.migration = h.migration AND t.name = h.name AND t.epoch = h.epoch AND t.worker IS NOT NULL
            RETURNING t.migration, t.name, t.epoch, t.state, t.kind, h.progress AS told),
          rung AS (SELECT pg_notify('crossfade_work', migration) FROM renewed WHERE kind = 'stream' AND told IS NOT NULL)
          SELECT r.migration, r.name, r.epoch, r.state, (SELECT count(*) FROM rung) FROM renewed r`.execute(db),
      )
      const found = new Map(rows.map((row) => [`${row.migration} ${row.name} ${row.epoch}`, row.state]))
      const stateOf = (claim: Claim) => found.get(`${claim.migration} ${claim.task} ${claim.epoch}`)
      return {
        lost: claims.filter((claim) => stateOf(claim) === undefined),
        cancelled: claims.filter((claim) => stateOf(claim) === 'cancelled'),
      }
    },
    finish: (claim, result) =>
      end(
        claim,
        sql`state = 'done', result = ${result === null ? null : json(result)}::jsonb, finished_at = clock_timestamp(), attempts = t.attempts + 1, failure = NULL`,
      ),
    fail: (claim, failure, attempts, retryInMs) =>
      retryInMs === null
        ? end(
            claim,
            sql`state = 'failed', failure = ${json(failure)}::jsonb, progress = '{}', attempts = ${attempts}, finished_at = clock_timestamp()`,
          )
        : end(
            claim,
            sql`state = 'waiting', failure = ${json(failure)}::jsonb, progress = '{}', attempts = ${attempts}, not_before = clock_timestamp() + ${retryInMs} * interval '1 ms'`,
          ),
    release: (claim, retryInMs) =>
      end(
        claim,
        sql`state = 'waiting', progress = '{}', not_before = clock_timestamp() + ${retryInMs} * interval '1 ms'`,
      ),
  }
}

interface Held {
  readonly held: number
}

/** One row when the lease is held, and for as long as the statement takes; also without a lease. */
function heldStill(lease: Lease | undefined): RawBuilder<unknown> {
  if (!lease) return sql`SELECT 1`
  return sql`SELECT 1 FROM crossfade_control.task h WHERE h.migration = ${lease.migration} AND h.name = ${lease.task}
    AND h.epoch = ${lease.epoch} AND h.worker IS NOT NULL FOR SHARE`
}

function refuseStale(rows: readonly Held[], lease: Lease | undefined): void {
  if (rows[0]!.held === 0) throw fail('CF6006', { lease: lease?.task })
}

function matches(migration: MigrationId, filter: TaskFilter): RawBuilder<unknown> {
  return sql`t.migration = ${migration} AND t.kind <> 'reconcile'
    AND (${filter.kind ?? null}::text IS NULL OR t.kind = ${filter.kind ?? null})
    AND (${filter.names ?? null}::text[] IS NULL OR t.name = ANY (${filter.names ?? null}))
    AND (${filter.prefix ?? null}::text IS NULL OR starts_with(t.name, ${filter.prefix ?? null}))
    AND (${filter.states ?? null}::text[] IS NULL OR t.state = ANY (${filter.states ?? null}))`
}

function readWork(row: Selectable<TaskRow>): Work {
  return {
    migration: asMigrationId(row.migration),
    name: row.name,
    kind: row.kind as WorkKind,
    payload: row.payload,
    state: row.state,
    worker: row.worker,
    epoch: row.epoch,
    attempts: row.attempts,
    progress: row.progress as Progress,
    result: row.result as Json | null,
    failure: row.failure,
    startedAt: row.started_at?.getTime() ?? null,
    finishedAt: row.finished_at?.getTime() ?? null,
    notBefore: timeOf(row.not_before),
  }
}

/** `-infinity` arrives as a number: whenever. */
function timeOf(value: Date | number): number {
  return value instanceof Date ? value.getTime() : 0
}
