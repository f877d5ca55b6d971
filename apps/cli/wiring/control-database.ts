import { startCluster } from '@crossfade/embedded/cluster.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import pg from 'pg'

/** Where the engine keeps its journal: a database of the user's, or one that Crossfade runs beside the working directory. */
export interface ControlDatabase {
  readonly url: string
  readonly embedded: boolean
  /** Lets go of it. The last process to do so stops an embedded server; its data stays. Idempotent. */
  release(): Promise<void>
}

export interface ControlOptions {
  /** From `--control` or CROSSFADE_CONTROL_URL; null uses the embedded one. */
  readonly url: string | null
  /** Home of the embedded one, `.crossfade/control` by default. */
  readonly directory: string
}

const databaseName = 'crossfade'
/** Everybody who uses an embedded control database holds this lock, shared, on a connection of its own; whoever gets it alone is the last. */
const presenceLock = 7_263_301

/**
 * Opens the control database. An embedded one is started when it does not run, and shared with every other Crossfade process of that directory.
 * Rejects with CF7004 when it can't be started, CF6003 when the given URL does not answer.
 */
export async function openControlDatabase(options: ControlOptions): Promise<ControlDatabase> {
  if (options.url !== null) return { url: options.url, embedded: false, release: async () => {} }
  const { directory } = options
  try {
    const cluster = await startCluster({
      version: 18,
      directory,
      ephemeral: false,
      settings: { shared_buffers: '64MB', max_connections: '200', wal_level: 'replica', max_wal_senders: '0' },
    })
    const presence = await joinIn(cluster.superuserUrl())
    const url = cluster.superuserUrl(databaseName)
    let released = false
    return {
      url,
      embedded: true,
      release: async () => {
        if (released) return
        released = true
        if (await isLast(presence)) await cluster.stop('fast')
        await presence.end().catch(() => {})
      },
    }
  } catch (error) {
    throw fail('CF7004', { directory, reason: reasonOf(error) }, error)
  }
}

/** Announces this process and makes the database when it is the first one ever. */
async function joinIn(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'crossfade presence' })
  client.on('error', () => {})
  await client.connect()
  await client.query('SELECT pg_advisory_lock_shared($1)', [presenceLock])
  const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [databaseName])
  if (rowCount === 0) {
    // Two first processes at once: one of them creates it.
    await client.query(`CREATE DATABASE ${databaseName}`).catch((error: unknown) => {
      if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
    })
  }
  return client
}

async function isLast(presence: pg.Client): Promise<boolean> {
  try {
    await presence.query('SELECT pg_advisory_unlock_shared($1)', [presenceLock])
    const { rows } = await presence.query<{ alone: boolean }>('SELECT pg_try_advisory_lock($1) AS alone', [presenceLock])
    return rows[0]!.alone
  } catch {
    return false
  }
}
