import pg from 'pg'
import { connectionOptions } from './connection.ts'

/** A statement of ours that takes so long is stuck, unless somebody says otherwise. */
const statementMsMax = 30_000
const idleTimeoutMs = 60_000

export interface PoolOptions {
  readonly applicationName: string
  readonly connectionsMax: number
  /** The server ends a statement that takes longer; a server that is silent for twice as long has its connection closed. Default: 30 s. */
  readonly statementMsMax?: number
}

/**
 * A pool of connections to the platform's database. 64-bit numbers arrive as numbers; connections that break are replaced at the next query, and
 * only a query under way rejects. TLS as `sslmode` and `CROSSFADE_MCP_DATABASE_CA` say (connection.ts). End it with `end()`.
 */
export function openPool(url: string, options: PoolOptions): pg.Pool {
  const statementMs = options.statementMsMax ?? statementMsMax
  const pool = new pg.Pool({
    ...connectionOptions(url),
    max: options.connectionsMax,
    application_name: options.applicationName,
    idleTimeoutMillis: idleTimeoutMs,
    statement_timeout: statementMs,
    // Of a network that swallows everything no statement timeout is heard: without this, such connections would fill the pool until TCP gives up.
    query_timeout: 2 * statementMs,
  })
  pool.on('error', () => undefined)
  // One that breaks in the middle of a query rejects that query; without a listener it would end the process as well.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/** Opens a pool for one piece of work, and ends it whatever becomes of that. */
export async function withPool<Result>(
  url: string,
  options: PoolOptions,
  work: (pool: pg.Pool) => Promise<Result>,
): Promise<Result> {
  const pool = openPool(url, options)
  try {
    return await work(pool)
  } finally {
    await pool.end()
  }
}
