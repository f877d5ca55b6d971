import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import pg from 'pg'
import { parse } from 'pg-connection-string'
import { type ConnectionSubject, connectionFailure } from './connection-failure.ts'
import { processSecrets, resolveSecret, type SecretSources } from './secret.ts'
import { startupOptions } from './session-settings.ts'

/** How long opening a connection may take, name look-up, TLS and log-in included. */
export const connectTimeoutMs = 10_000
/** When the operating system starts to ask a silent server whether it is still there. */
const keepAliveDelayMs = 10_000
/** How often the server looks whether the client of a running statement is still there, so that a killed worker's locks go with it. */
const clientCheckInterval = '1s'

export interface ConnectionOptions {
  readonly shard: Pick<ResolvedShard, 'id' | 'url' | 'secret'>
  readonly secrets?: SecretSources
  /** What `pg_stat_activity` shows after `crossfade `, e.g. `apply`. */
  readonly purpose?: string
  /** Opens a walsender instead of an ordinary session. It takes SQL by the simple protocol only. */
  readonly replication?: boolean
  /** Marks the session as the migration's own (see `asWriter`). */
  readonly writer?: MigrationId
}

/** What is needed to open a connection, the password included: never log it. */
export interface ShardConnection {
  readonly config: pg.ClientConfig
  readonly subject: ConnectionSubject
}

/** Whether a writer's session fires neither ordinary triggers nor foreign keys (`session_replication_role = replica`). */
export interface WriterSession {
  readonly replicaRole: boolean
}

const writerSessions = new WeakMap<pg.ClientBase, WriterSession>()

/**
 * Opens a session on a shard: values come back as PostgreSQL's text (never as numbers or Dates), under fixed output settings.
 * Rejects with CF1003 (secret), CF2001 (unreachable, may be tried again) or CF2010–CF2015; none of them holds the password.
 * The caller ends the client, and must listen to its `error` event when it keeps it idle.
 */
export async function connect(options: ConnectionOptions): Promise<pg.Client> {
  const connection = shardConnection(options)
  const client = new pg.Client(connection.config)
  // A connection that breaks between two statements says so here; the next statement rejects, so nothing is hidden.
  client.on('error', () => {})
  try {
    await client.connect()
    if (!options.replication) await prepareSession(client, options.writer)
    return client
  } catch (error) {
    void client.end().catch(() => {})
    throw connectionFailure(connection.subject, error)
  }
}

/** Puts the plan's URL and the secret together. Throws CF1003 or CF2015. */
export function shardConnection(options: ConnectionOptions): ShardConnection {
  const { shard, secrets = processSecrets } = options
  const secret = shard.secret === null ? null : resolveSecret(shard.secret, secrets)
  const url = shard.secret?.holds === 'url' ? secret! : shard.url
  const address = parseUrl(shard.id, url)
  const password = (shard.secret?.holds === 'password' ? secret : null) || address.password || null
  const database = address.database || address.user || ''
  const config: pg.ClientConfig & { replication?: string } = {
    host: address.host || 'localhost',
    ...(address.port ? { port: Number(address.port) } : {}),
    ...(address.user ? { user: address.user } : {}),
    ...(database ? { database } : {}),
    ...(password === null ? {} : { password }),
    ...(address.ssl === undefined ? {} : { ssl: address.ssl as pg.ClientConfig['ssl'] }),
    ...(address.sslnegotiation ? { sslnegotiation: address.sslnegotiation } : {}),
    ...(options.replication ? { replication: 'database' } : {}),
    application_name: `crossfade ${options.purpose ?? 'session'}`,
    options:
      `${address.options ?? ''} ${startupOptions(options.writer ? { 'crossfade.writer': options.writer } : {})}`.trim(),
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    types: { getTypeParser: () => rawText } as unknown as pg.CustomTypesConfig,
  }
  return { config, subject: { shard: shard.id, user: address.user || 'the current user', database, password } }
}

/** What every new session is told after the start-up: best effort, since not every platform or role allows it. */
export async function prepareSession(client: pg.ClientBase, writer?: MigrationId): Promise<void> {
  await client.query(`SET client_connection_check_interval = '${clientCheckInterval}'`).catch(onlyIfStillConnected)
  if (writer !== undefined) await asWriter(client)
}

/** How the session of a writer was set up; undefined for a session that was not opened with `writer`. */
export function writerSession(client: pg.ClientBase): WriterSession | undefined {
  return writerSessions.get(client)
}

/** Drops the connection without a word to the server, which rolls back what was open. Whoever waits for a result gets an error. */
export function cutOff(client: pg.ClientBase): void {
  ;(client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
}

/**
 * Superusers, and roles that were granted it (15+), may switch ordinary triggers and foreign keys off for the session; others write in an order
 * that satisfies them. `crossfade.writer`, by which fences let the session pass, was set with the start-up message.
 */
async function asWriter(client: pg.ClientBase): Promise<void> {
  const replicaRole = await client.query('SET session_replication_role = replica').then(
    () => true,
    (error: unknown) => {
      onlyIfStillConnected(error)
      return false
    },
  )
  writerSessions.set(client, { replicaRole })
}

function onlyIfStillConnected(error: unknown): void {
  if (!(error instanceof pg.DatabaseError) || error.severity === 'FATAL') throw error
}

function parseUrl(shard: string, url: string): ReturnType<typeof parse> {
  try {
    if (!/^postgres(ql)?:\/\//.test(url)) throw new Error('it does not start with postgres://')
    // As libpq reads it: `require` encrypts without looking at the certificate, `verify-full` looks.
    const address = parse(url, { useLibpqCompat: true })
    if (address.port && !(Number(address.port) > 0 && Number(address.port) < 65_536))
      throw new Error('its port is not a number from 1 to 65535')
    // The parser leaves signs like %2F in a name as they are.
    const database = /^\w+:\/\/[^/?#]*\/([^?#]+)/.exec(url)?.[1]
    return database === undefined ? address : { ...address, database: decodeURIComponent(database) }
  } catch (error) {
    // Not kept as the cause: a parser's error carries what it could not parse, the password with it.
    const reason = error instanceof TypeError || error instanceof URIError ? 'it is not a URL' : reasonOf(error)
    throw fail('CF2015', { shard, reason })
  }
}

const rawText = (value: unknown) => value
