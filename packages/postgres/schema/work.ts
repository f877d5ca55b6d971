import { systemClock } from '@crossfade/model/clock.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { SchemaWork, TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ClientBase } from 'pg'
import type { ShardPool } from '../connection/pool.ts'
import { quoteTable } from '../connection/quote.ts'
import { checkEpoch } from '../snapshot/epoch-check.ts'
import { applyStatements, ddlSettings } from './apply-statements.ts'
import { recordingCreated } from './created-objects.ts'
import type { IndexBuild, WorkSteps } from './generate/step.ts'
import { watchIndexBuild } from './index-progress.ts'

/** Units of schema work kept in the target's database, in the order in which they may run, those that are done included. */
export async function listSchemaWork(
  client: ClientBase,
  migration: MigrationId,
  target: ShardId,
): Promise<SchemaWork[]> {
  const { rows } = await client.query<UnitRow>(`${unitsSql} WHERE migration = $1 ORDER BY ordinal`, [migration])
  return rows.map((row) => ({
    id: `${target} ${row.id}`,
    phase: row.phase,
    target,
    table: row.table_name === null ? null : { schema: row.table_schema!, name: row.table_name },
    description: row.description,
  }))
}

/**
 * Does one unit: builds its indexes (an invalid one, left by a build that was cut off, is dropped and built again), then runs its transactions, each of
 * which commits together with the note that it is done. Returns at once for a unit that is done. `afterFinal` runs in every transaction of the last
 * phase, after its statements. Rejects with CF2213 while another process is at it, CF2214 when the target does not know the unit, CF2215 when the
 * server refuses it.
 */
export async function runSchemaUnit(
  pool: ShardPool,
  migration: MigrationId,
  work: SchemaWork,
  context: TaskContext,
  afterFinal: (client: ClientBase) => Promise<void> = async () => {},
): Promise<void> {
  const id = work.id.slice(work.target.length + 1)
  await pool.withConnection(
    async (client) => {
      await holdUnit(client, migration, work, context.signal)
      try {
        const unit = await readUnit(client, migration, id, work)
        if (unit.done) return
        await checkEpoch(client, migration, context.lease, context.epoch)
        await prepareSession(client)
        for (const build of unit.steps.builds) {
          await watchIndexBuild(pool, client, build, context, () => buildIndex(client, build, work))
        }
        for (let at = unit.transactionsDone; at < unit.steps.transactions.length; at++) {
          context.report({ step: at + 1, steps: unit.steps.transactions.length, description: work.description })
          await watchIndexBuild(pool, client, null, context, () =>
            retried(() => runTransaction(client, migration, work, id, unit.steps, at, context, afterFinal)),
          )
        }
        await client.query('UPDATE crossfade.schema_work SET done = true WHERE migration = $1 AND id = $2', [
          migration,
          id,
        ])
      } finally {
        if (!context.signal.aborted) await releaseUnit(client, migration, work)
      }
    },
    { signal: context.signal },
  )
}

interface UnitRow {
  readonly id: string
  readonly phase: SchemaWork['phase']
  readonly table_schema: string | null
  readonly table_name: string | null
  readonly description: string
  readonly steps: string
  readonly transactions_done: string
  readonly done: string
}

interface Unit {
  readonly steps: WorkSteps
  readonly transactionsDone: number
  readonly done: boolean
}

const unitsSql = `SELECT id, phase, table_schema, table_name, description, steps::text AS steps, transactions_done::text AS transactions_done,
  done::text AS done FROM crossfade.schema_work`

async function readUnit(client: ClientBase, migration: MigrationId, id: string, work: SchemaWork): Promise<Unit> {
  const { rows } = await client.query<UnitRow>(`${unitsSql} WHERE migration = $1 AND id = $2`, [migration, id])
  const row = rows[0]
  if (!row) throw fail('CF2214', { work: id, shard: work.target })
  return {
    steps: JSON.parse(row.steps) as WorkSteps,
    transactionsDone: Number(row.transactions_done),
    done: row.done === 'true',
  }
}

/** A backend whose worker was killed still holds the unit until its server notices, about a second later. */
async function holdUnit(
  client: ClientBase,
  migration: MigrationId,
  work: SchemaWork,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 0; tries < holdTriesMax; tries++) {
    // Asked again and again rather than waited for: a waiting statement holds a snapshot, which a concurrent index build waits for in turn.
    const { rows } = await client.query<{ held: string }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0))::text AS held',
      [unitLock(migration, work)],
    )
    if (rows[0]!.held === 'true') return
    await systemClock.sleep(holdWaitMs)
    signal.throwIfAborted()
  }
  throw fail('CF2213', { work: work.description, shard: work.target })
}

async function releaseUnit(client: ClientBase, migration: MigrationId, work: SchemaWork): Promise<void> {
  await client
    .query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [unitLock(migration, work)])
    .catch(() => undefined)
}

function unitLock(migration: MigrationId, work: SchemaWork): string {
  return `crossfade schema work ${migration} ${work.id}`
}

/** Sorting in memory is what an index build spends its time on. */
async function prepareSession(client: ClientBase): Promise<void> {
  await client.query(
    `SELECT set_config('maintenance_work_mem', greatest(setting::bigint, ${maintenanceMemoryKib}) || 'kB', false)
     FROM pg_settings WHERE name = 'maintenance_work_mem'`,
  )
  await client.query(
    `SELECT set_config('max_parallel_maintenance_workers', greatest(setting::int, ${parallelWorkersMin})::text, false)
     FROM pg_settings WHERE name = 'max_parallel_maintenance_workers'`,
  )
}

async function buildIndex(client: ClientBase, build: IndexBuild, work: SchemaWork): Promise<void> {
  for (let tries = 1; ; tries++) {
    const state = await indexState(client, build)
    if (state === 'valid') return
    if (state === 'invalid') {
      await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${quoteTable(build)}`)
    }
    try {
      await client.query(`SET search_path = ''`)
      await client.query(
        (await isShort(client, build)) ? build.sql.replace('INDEX CONCURRENTLY ', 'INDEX ') : build.sql,
      )
      return
    } catch (error) {
      const code = (error as { code?: string }).code ?? ''
      if (tries >= buildTriesMax || !transientStates.has(code)) {
        if (code.length !== 5 || /^(08|57)/.test(code)) throw error
        throw fail(
          'CF2215',
          { shard: work.target, work: `index ${build.schema}.${build.name}`, reason: reasonOf(error) },
          error,
        )
      }
    } finally {
      await client.query('RESET search_path').catch(() => undefined)
    }
  }
}

/** Building beside writes reads the table twice and allows one build per table; where it takes seconds, the stream waits for it instead. */
async function isShort(client: ClientBase, build: IndexBuild): Promise<boolean> {
  const { rows } = await client.query<{ bytes: string }>(
    'SELECT pg_catalog.pg_table_size($1::regclass)::text AS bytes',
    [quoteTable(build.table)],
  )
  return Number(rows[0]?.bytes) <= blockingBuildBytesMax
}

async function indexState(client: ClientBase, build: IndexBuild): Promise<'valid' | 'invalid' | 'missing'> {
  const { rows } = await client.query<{ valid: string }>(
    `SELECT (x.indisvalid AND x.indisready)::text AS valid FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
     JOIN pg_namespace n ON n.oid = i.relnamespace WHERE n.nspname = $1 AND i.relname = $2`,
    [build.schema, build.name],
  )
  if (!rows[0]) return 'missing'
  return rows[0].valid === 'true' ? 'valid' : 'invalid'
}

async function runTransaction(
  client: ClientBase,
  migration: MigrationId,
  work: SchemaWork,
  id: string,
  steps: WorkSteps,
  at: number,
  context: TaskContext,
  afterFinal: (client: ClientBase) => Promise<void>,
): Promise<void> {
  // Only what belongs to no table has to be remembered; indexes, constraints and triggers go with their tables.
  const recorded = work.table === null
  await client.query(recorded ? 'BEGIN ISOLATION LEVEL REPEATABLE READ' : 'BEGIN')
  try {
    await client.query(ddlSettings)
    await checkEpoch(client, migration, context.lease, context.epoch)
    const apply = () => applyStatements(client, steps.transactions[at]!, { shard: work.target, code: 'CF2215' })
    const findings = recorded ? await recordingCreated(client, migration, apply) : await apply()
    if (work.phase === 'final') await afterFinal(client)
    await client.query(
      `UPDATE crossfade.schema_work SET transactions_done = $3, findings = findings || $4::jsonb WHERE migration = $1 AND id = $2`,
      [migration, id, at + 1, JSON.stringify(findings)],
    )
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

async function retried(work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries >= buildTriesMax || !transientStates.has((error as { code?: string }).code ?? '')) throw error
    }
  }
}

/** 1 GiB sorts about ten million rows in memory; 256 MiB is safe beside other builds. */
const maintenanceMemoryKib = 262_144
const parallelWorkersMin = 2
/** An index over so much is built in a few seconds. */
const blockingBuildBytesMax = 512 * 1024 * 1024
const holdWaitMs = 250
const holdTriesMax = 40
const buildTriesMax = 4

/** Unique violation (two batches of the stream may pass each other), deadlock, serialization failure, lock not available. */
const transientStates = new Set(['23505', '40P01', '40001', '55P03'])
