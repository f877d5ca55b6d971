import type { Mismatch, VerificationReport } from '@crossfade/model/mismatch.ts'
import { sql } from 'kysely'
import { type ControlDatabase, json } from './control-queries.ts'
import type { ReportStore, SampleStore, WorkerStore } from './store.ts'

/** A worker that was not seen for so long is forgotten. */
const workerForgottenMs = 60_000

/** Verification reports and open mismatches in the control database. */
export function postgresReports(control: ControlDatabase): ReportStore {
  const { run } = control
  return {
    async put(migration, report, open) {
      await run((db) =>
        db.transaction().execute(async (tx) => {
          await sql`INSERT INTO crossfade_control.report (migration, id, body) VALUES (${migration}, ${report.id}, ${json(report)})
            ON CONFLICT (migration, id) DO UPDATE SET body = excluded.body`.execute(tx)
          await sql`DELETE FROM crossfade_control.mismatch WHERE migration = ${migration}`.execute(tx)
          await sql`INSERT INTO crossfade_control.mismatch SELECT ${migration}, n, e FROM jsonb_array_elements(${json(open)}::jsonb) WITH ORDINALITY AS a(e, n)`.execute(
            tx,
          )
        }),
      )
    },
    async list(migration, limit) {
      const rows = await run((db) =>
        db
          .selectFrom('crossfade_control.report')
          .select('body')
          .where('migration', '=', migration)
          .orderBy('ordinal', 'desc')
          .limit(limit)
          .execute(),
      )
      return rows.map((row) => row.body as unknown as VerificationReport)
    },
    async get(migration, id) {
      const row = await run((db) =>
        db
          .selectFrom('crossfade_control.report')
          .select('body')
          .where('migration', '=', migration)
          .where('id', '=', id)
          .executeTakeFirst(),
      )
      return (row?.body as VerificationReport | undefined) ?? null
    },
    async open(migration, limit) {
      const rows = await run((db) =>
        db
          .selectFrom('crossfade_control.mismatch')
          .select('body')
          .where('migration', '=', migration)
          .orderBy('ordinal')
          .limit(limit)
          .execute(),
      )
      return rows.map((row) => row.body as unknown as Mismatch)
    },
    async openCount(migration) {
      const row = await run((db) =>
        db
          .selectFrom('crossfade_control.mismatch')
          .select((eb) => eb.fn.countAll<number>().as('count'))
          .where('migration', '=', migration)
          .executeTakeFirstOrThrow(),
      )
      return row.count
    },
  }
}

/** Figures over time in the control database. */
export function postgresSamples(control: ControlDatabase): SampleStore {
  const { run } = control
  return {
    async add(migration, samples) {
      if (samples.length === 0) return
      await run((db) =>
        sql`INSERT INTO crossfade_control.sample SELECT ${migration}, name, to_timestamp(at / 1000.0), value
          FROM unnest(${samples.map((each) => each.name)}::text[], ${samples.map((each) => each.at)}::float8[], ${samples.map((each) => each.value)}::float8[]) AS s(name, at, value)`.execute(
          db,
        ),
      )
    },
    async read(migration, names, since, until) {
      const { rows } = await run((db) =>
        sql<{
          name: string
          at: number
          value: number
        }>`SELECT name, (extract(epoch FROM at) * 1000)::float8 AS at, value FROM crossfade_control.sample
          WHERE migration = ${migration} AND name = ANY (${names}) AND at BETWEEN to_timestamp(${since / 1000}) AND to_timestamp(${until / 1000}) ORDER BY at`.execute(
          db,
        ),
      )
      const series = new Map(names.map((name) => [name, { at: [] as number[], values: [] as number[] }]))
      for (const row of rows) {
        series.get(row.name)?.at.push(row.at)
        series.get(row.name)?.values.push(row.value)
      }
      return Object.fromEntries(series)
    },
    async prune(before) {
      await run((db) => sql`DELETE FROM crossfade_control.sample WHERE at < to_timestamp(${before / 1000})`.execute(db))
    },
  }
}

/** Processes that take work, in the control database, whose clock says when each was seen. */
export function postgresWorkers(control: ControlDatabase): WorkerStore {
  const { run, clock } = control
  return {
    async seen({ id, startedAt, memoryBytes }) {
      await run((db) =>
        sql`WITH gone AS (DELETE FROM crossfade_control.worker WHERE seen_at < clock_timestamp() - ${workerForgottenMs} * interval '1 ms' AND id <> ${id})
          INSERT INTO crossfade_control.worker VALUES (${id}, to_timestamp(${startedAt / 1000}), clock_timestamp(), ${memoryBytes})
          ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, memory_bytes = excluded.memory_bytes`.execute(db),
      )
    },
    async gone(id) {
      await run((db) => db.deleteFrom('crossfade_control.worker').where('id', '=', id).execute())
    },
    async list() {
      const { rows } = await run((db) =>
        sql<{
          id: string
          started_at: Date
          age: number
          memory_bytes: number
        }>`SELECT id, started_at, (extract(epoch FROM clock_timestamp() - seen_at) * 1000)::float8 AS age,
          memory_bytes FROM crossfade_control.worker ORDER BY started_at`.execute(db),
      )
      return rows.map((row) => ({
        id: row.id,
        startedAt: row.started_at.getTime(),
        seenAt: clock.now() - row.age,
        memoryBytes: row.memory_bytes,
      }))
    },
    async held() {
      const { rows } = await run((db) =>
        sql<{
          worker: string
          task: string
        }>`SELECT worker, name AS task FROM crossfade_control.task WHERE worker IS NOT NULL AND lease_until > clock_timestamp() ORDER BY ordinal`.execute(
          db,
        ),
      )
      return rows
    },
  }
}
