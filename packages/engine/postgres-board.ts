import type { Json } from '@crossfade/tracks/contract/tasks.ts'
import { sql } from 'kysely'
import { type ControlDatabase, json } from './control-queries.ts'
import { type BoardKind, type Posted, type StatusBoard, topicOf } from './store.ts'

interface BoardRow {
  kind: string
  name: string
  body: object
  age: number
}

/** The status board. Ages are taken by the server's clock and counted back from the reader's, so that clocks need not agree. */
export function postgresBoard(control: ControlDatabase): StatusBoard {
  const { run, clock } = control
  const columns = sql`kind, name, body, (extract(epoch FROM clock_timestamp() - at) * 1000)::float8 AS age`

  function read(row: BoardRow): Posted {
    return { kind: row.kind as BoardKind, name: row.name, body: row.body as Json, at: clock.now() - row.age }
  }

  return {
    async put(migration, kind, name, body) {
      const topic = topicOf(kind)
      await run((db) =>
        sql`WITH put AS (INSERT INTO crossfade_control.board VALUES (${migration}, ${kind}, ${name}, ${json(body)}, clock_timestamp())
            ON CONFLICT (migration, kind, name) DO UPDATE SET body = excluded.body, at = excluded.at RETURNING 1)
          SELECT pg_notify('crossfade_' || ${topic}::text, ${migration}) FROM put WHERE ${topic}::text IS NOT NULL`.execute(
          db,
        ),
      )
    },
    async get(migration, kind, name) {
      const { rows } = await run((db) =>
        sql<BoardRow>`SELECT ${columns} FROM crossfade_control.board WHERE migration = ${migration} AND kind = ${kind} AND name = ${name}`.execute(
          db,
        ),
      )
      return rows[0] ? read(rows[0]) : null
    },
    async list(migration, kind) {
      const { rows } = await run((db) =>
        sql<BoardRow>`SELECT ${columns} FROM crossfade_control.board WHERE migration = ${migration} AND (${kind ?? null}::text IS NULL OR kind = ${kind ?? null})`.execute(
          db,
        ),
      )
      return rows.map(read)
    },
    async clear(migration, kind) {
      const topic = topicOf(kind)
      await run((db) =>
        sql`WITH gone AS (DELETE FROM crossfade_control.board WHERE migration = ${migration} AND kind = ${kind} RETURNING 1)
          SELECT pg_notify('crossfade_' || ${topic}::text, ${migration}) FROM (SELECT count(*) AS n FROM gone) AS counted WHERE n > 0 AND ${topic}::text IS NOT NULL`.execute(
          db,
        ),
      )
    },
  }
}
