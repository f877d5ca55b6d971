import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import pg from 'pg'
import { connectionOptions } from './connection.ts'
import { prepareOwner } from './owner.ts'

const migrationsDirectory = fileURLToPath(new URL('migrations', import.meta.url))
const migrationsTable = 'crossfade_mcp_schema_version'

export interface MigrateOptions {
  /** Default `up`. */
  readonly direction?: 'up' | 'down'
  /** The number of the last migration that is there afterwards. Default: all of them when going up, all but the last one there when going down. */
  readonly to?: number
  /** What to do when tables of the platform before shared instances hold rows: leave everything alone and reject (CF12503), or move them (010, 011). Default `refuse`. */
  readonly legacy?: 'refuse' | 'migrate'
}

/**
 * Brings the database to a version of its schema, as the role crossfade_mcp_owner, each migration in a transaction of its own. `adminUrl` is the URL of somebody
 * who may create roles and owns the database (or a superuser). Idempotent; safe when several processes do it at once. Rejects with CF12502 when the database can't
 * be reached, CF12503 when legacy tables stand in the way, CF12505 when a migration fails (nothing of that one is kept).
 */
export async function migratePlatform(adminUrl: string, options: MigrateOptions = {}): Promise<void> {
  const client = new pg.Client({ ...connectionOptions(adminUrl), application_name: 'crossfade mcp migrations' })
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (error) {
    await client.end().catch(() => undefined)
    throw fail('CF12502', { reason: reasonOf(error) }, error)
  }
  try {
    const direction = options.direction ?? 'up'
    await prepareOwner(client, { legacy: options.legacy ?? 'refuse', last: direction === 'up' ? options.to : 0 })
    await client.query('SET ROLE crossfade_mcp_owner')
    if (direction === 'up' && options.to === undefined && (await isUpToDate(client))) return
    // Loaded only where there is something to do: at most starts there is not.
    const { runner } = await import('node-pg-migrate')
    await runner({
      dbClient: client,
      dir: migrationsDirectory,
      direction,
      ...extent(direction, options.to),
      migrationsTable,
      checkOrder: true,
      advisoryLockMode: 'wait',
      logger: silent,
    })
  } catch (error) {
    throw error instanceof Failure ? error : fail('CF12505', { reason: reasonOf(error) }, error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Whether exactly the migrations of the directory have been run, in their order. Everything else is the runner's to judge. */
async function isUpToDate(client: pg.Client): Promise<boolean> {
  const { rows: found } = await client.query('SELECT to_regclass($1) IS NOT NULL AS there', [
    `public.${migrationsTable}`,
  ])
  if (!found[0].there) return false
  const { rows } = await client.query(`SELECT name FROM public.${migrationsTable} ORDER BY id`)
  const names = readdirSync(migrationsDirectory)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .sort()
  return rows.length === names.length && rows.every(({ name }, index) => name === names[index])
}

/** The runner counts by the numbers in front of file names: going up to and with `count`, going down from and with it. */
function extent(direction: 'up' | 'down', to: number | undefined): { timestamp?: boolean; count?: number } {
  if (to === undefined) return {}
  return { timestamp: true, count: direction === 'up' ? to : to + 1 }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }
