import { fileURLToPath } from 'node:url'
import { type Clock, systemClock } from '@crossfade/model/clock.ts'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import { Kysely, PostgresDialect } from 'kysely'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import { type ControlDatabase, sqlState } from './control-queries.ts'
import type { ControlTables } from './control-tables.ts'
import { PostgresBell } from './postgres-bell.ts'
import { postgresBoard } from './postgres-board.ts'
import { postgresJournal, postgresMigrations } from './postgres-journal.ts'
import { postgresReports, postgresSamples, postgresWorkers } from './postgres-records.ts'
import { postgresTasks } from './postgres-tasks.ts'
import type { ControlStore } from './store.ts'

const connectTimeoutMs = 5_000
/** A control database that does not answer for so long counts as out of reach; shorter than a lease, so that nobody waits past the end of theirs. */
const statementTimeoutMs = 3_000
const connectionsMax = 10

/** Connects to the control database and brings its schema up to date (safe when several processes start at once). Rejects with CF6003 when it can't be reached. */
export async function openControlStore(url: string, clock: Clock = systemClock): Promise<ControlStore> {
  await migrate(url)
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementTimeoutMs,
    application_name: 'crossfade control',
    types: { getTypeParser: typeParser },
  })
  // A connection that breaks while idle is replaced at the next query.
  pool.on('error', () => undefined)
  // One that breaks in the middle of a query rejects that query; without a listener it would end the process as well.
  pool.on('connect', (client) => client.on('error', () => undefined))
  const db = new Kysely<ControlTables>({ dialect: new PostgresDialect({ pool }) })
  const control: ControlDatabase = { clock, run: (work) => work(db).catch(rethrow) }
  const bell = await PostgresBell.listen(url, clock)
  return {
    migrations: postgresMigrations(control),
    journal: postgresJournal(control),
    tasks: postgresTasks(control),
    board: postgresBoard(control),
    reports: postgresReports(control),
    samples: postgresSamples(control),
    workers: postgresWorkers(control),
    bell,
    async close() {
      await bell.close()
      await db.destroy()
    },
  }
}

async function migrate(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    application_name: 'crossfade control',
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('CREATE SCHEMA IF NOT EXISTS crossfade_control').catch(ignoreRace)
    await runner({
      dbClient: client,
      dir: fileURLToPath(new URL('migrations', import.meta.url)),
      direction: 'up',
      migrationsTable: 'schema_version',
      migrationsSchema: 'crossfade_control',
      checkOrder: true,
      advisoryLockMode: 'wait',
      logger: silent,
    })
  } catch (error) {
    throw fail('CF6003', { reason: reasonOf(error) }, error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Two processes that create the schema at once: one of them loses, and it is there. */
function ignoreRace(error: { code?: string }): void {
  if (error.code !== '23505' && error.code !== '42P06') throw error
}

function rethrow(error: unknown): never {
  if (error instanceof Failure || Object.values(sqlState).includes((error as { code: never }).code)) throw error
  throw fail('CF6003', { reason: reasonOf(error) }, error)
}

const int8Oid = 20

function typeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === int8Oid && format !== 'binary') return Number
  return pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown
}
