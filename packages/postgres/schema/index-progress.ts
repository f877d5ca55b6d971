import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ClientBase } from 'pg'
import type { ShardPool } from '../connection/pool.ts'
import type { IndexBuild } from './generate/step.ts'

/**
 * Runs `work` on the client and reports how far the index build in it is, from another connection. Progress is best effort: when it can't be read,
 * the work goes on without it.
 */
export async function watchIndexBuild<T>(
  pool: ShardPool,
  client: ClientBase,
  build: IndexBuild | null,
  context: TaskContext,
  work: () => Promise<T>,
): Promise<T> {
  const { rows } = await client.query<{ pid: string }>('SELECT pg_backend_pid()::text AS pid')
  let working = true
  let wake = () => {}
  let timer: NodeJS.Timeout | undefined
  const watch = async () => {
    for (;;) {
      await new Promise<void>((resolve) => {
        wake = resolve
        timer = setTimeout(resolve, progressEveryMs)
      })
      if (!working) return
      const progress = await pool
        .withConnection((other) => readProgress(other, rows[0]!.pid), { signal: context.signal })
        .catch(() => undefined)
      if (progress && working) context.report({ ...progress, index: build?.name ?? progress.index })
    }
  }
  const watching = watch()
  try {
    return await work()
  } finally {
    working = false
    clearTimeout(timer)
    wake()
    await watching
  }
}

const progressEveryMs = 500

/** `done` of `total` are tuples while they are sorted in, blocks while the table is read. */
async function readProgress(client: ClientBase, pid: string) {
  const { rows } = await client.query<{ phase: string; done: string; total: string; index: string | null }>(
    `SELECT p.phase, CASE WHEN p.tuples_total > 0 THEN p.tuples_done ELSE p.blocks_done END::text AS done,
       CASE WHEN p.tuples_total > 0 THEN p.tuples_total ELSE p.blocks_total END::text AS total, i.relname AS index
     FROM pg_stat_progress_create_index p LEFT JOIN pg_class i ON i.oid = p.index_relid WHERE p.pid = $1`,
    [pid],
  )
  const row = rows[0]
  if (!row) return undefined
  return { phase: row.phase, done: Number(row.done), total: Number(row.total), index: row.index ?? null }
}
