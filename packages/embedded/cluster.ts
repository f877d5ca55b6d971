// Real PostgreSQL servers started from a Node program: for the embedded control database, the simulator and the tests.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'
import pg from 'pg'
import { type Binaries, binariesOf, type PostgresVersion } from './binaries.ts'
import { reapAbandonedClusters, recordOwner, tieToThisProcess } from './owner.ts'
import { baseDirectory, isReachable, runAs } from './places.ts'
import { dataDirectoryOf, removeHome, runningPostmaster, startPostmaster } from './postmaster.ts'
import { childrenOf, isAlive, sendSignal, waitForEnd } from './processes.ts'
import { configurationFile } from './settings.ts'
import { createDataDirectory, createDataDirectoryElsewhere, writeFileOwnedBy } from './template.ts'

const loopback = '127.0.0.1'
/** Below the kernel's ephemeral range, so that no outgoing connection takes the port of a cluster that is restarting. */
const portMin = 21_000
const portMax = 31_999
/** Another process may take a port between our look and the server's start. */
const portTriesMax = 20
/** A fast stop waits for replication clients to confirm what they received; past this the stop becomes immediate. */
const stopTimeoutMs = 30_000

const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const
export type StopMode = keyof typeof stopSignals

export interface ClusterOptions {
  version: PostgresVersion
  /** The cluster's home; created when missing, used again when it holds a cluster. Default: a fresh temporary one. */
  directory?: string
  /** Default: a free one, kept over restarts of the same `Cluster`. */
  port?: number
  /** Entries of postgresql.conf over the defaults in settings.ts. */
  settings?: Record<string, string>
  superuser?: string
  /** When given, connections need a password (scram-sha-256) and this is the superuser's. Default: all are trusted. */
  password?: string
  /**
   * Stopped and removed when this process ends, however it ends, and fast rather than safe against a machine crash.
   * Default: true without a `directory`, false with one.
   */
  ephemeral?: boolean
}

export interface RoleOptions {
  password?: string
  login?: boolean
  superuser?: boolean
  replication?: boolean
  createDatabase?: boolean
  createRole?: boolean
  bypassRowSecurity?: boolean
  memberOf?: string[]
}

export interface Cluster {
  readonly version: PostgresVersion
  readonly host: string
  readonly port: number
  readonly directory: string
  readonly superuser: string
  superuserUrl(database?: string): string
  /** The URL of a database as another role. */
  url(options: { database?: string; user: string; password?: string }): string
  /** Creates a database and returns the superuser's URL of it. Fails when it exists. */
  createDatabase(name: string, options?: { owner?: string }): Promise<string>
  dropDatabase(name: string): Promise<void>
  /** Creates a role that may log in. Fails when it exists. */
  createRole(name: string, options?: RoleOptions): Promise<void>
  /** Starts the server again on the same port. Idempotent. */
  start(): Promise<void>
  /** Stops the server, keeping the data. Idempotent. A stop that takes over 30 s becomes immediate. */
  stop(mode?: StopMode): Promise<void>
  /** SIGKILL to the server and all its backends, as a crash would. Committed data is recovered by `start`. Idempotent. */
  kill(): Promise<void>
  /** Stops the server and removes its directory. Idempotent. */
  destroy(): Promise<void>
  running(): boolean
  /** The server's pid; undefined when it does not run. */
  pid(): number | undefined
}

/**
 * Starts a cluster, creating it when its directory holds none, and resolves when it accepts connections. When the
 * directory's server is already running (started by another process) that server is used.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  reapAbandonedClusters()
  const binaries = binariesOf(options.version)
  const ephemeral = options.ephemeral ?? options.directory === undefined
  const home = makeHome(options.directory)
  recordOwner(home, ephemeral)
  try {
    prepareDataDirectory(home, binaries, options, ephemeral)
  } catch (error) {
    if (ephemeral) removeHome(home)
    throw error
  }
  const release = ephemeral ? tieToThisProcess(home) : () => {}
  const cluster = new EmbeddedCluster(home, binaries, options, release)
  try {
    await cluster.start()
  } catch (error) {
    if (ephemeral) await cluster.destroy()
    throw error
  }
  return cluster
}

class EmbeddedCluster implements Cluster {
  readonly version: PostgresVersion
  readonly host = loopback
  readonly directory: string
  readonly superuser: string
  readonly #binaries: Binaries
  readonly #password: string | undefined
  readonly #release: () => void
  #port: number | undefined

  constructor(home: string, binaries: Binaries, options: ClusterOptions, release: () => void) {
    this.version = options.version
    this.directory = home
    this.superuser = options.superuser ?? 'postgres'
    this.#password = options.password
    this.#binaries = binaries
    this.#release = release
    this.#port = options.port
  }

  get port(): number {
    if (this.#port === undefined) throw fail('CF9001', { reason: 'the port of a cluster is asked before its start' })
    return this.#port
  }

  superuserUrl(database = 'postgres'): string {
    return this.url({
      database,
      user: this.superuser,
      ...(this.#password === undefined ? {} : { password: this.#password }),
    })
  }

  url(options: { database?: string; user: string; password?: string }): string {
    const password = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}`
    const database = encodeURIComponent(options.database ?? 'postgres')
    return `postgres://${encodeURIComponent(options.user)}${password}@${loopback}:${this.port}/${database}`
  }

  async createDatabase(name: string, options: { owner?: string } = {}): Promise<string> {
    const owner = options.owner === undefined ? '' : ` OWNER ${pg.escapeIdentifier(options.owner)}`
    await this.#execute(`CREATE DATABASE ${pg.escapeIdentifier(name)}${owner}`)
    return this.superuserUrl(name)
  }

  async dropDatabase(name: string): Promise<void> {
    await this.#execute(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`)
  }

  async createRole(name: string, options: RoleOptions = {}): Promise<void> {
    const attributes = [
      options.login === false ? 'NOLOGIN' : 'LOGIN',
      options.superuser ? 'SUPERUSER' : '',
      options.replication ? 'REPLICATION' : '',
      options.createDatabase ? 'CREATEDB' : '',
      options.createRole ? 'CREATEROLE' : '',
      options.bypassRowSecurity ? 'BYPASSRLS' : '',
      options.password === undefined ? '' : `PASSWORD ${pg.escapeLiteral(options.password)}`,
      options.memberOf?.length ? `IN ROLE ${options.memberOf.map((role) => pg.escapeIdentifier(role)).join(', ')}` : '',
    ]
    await this.#execute(`CREATE ROLE ${pg.escapeIdentifier(name)} ${attributes.filter(Boolean).join(' ')}`)
  }

  async start(): Promise<void> {
    const fixed = this.#port
    let log = ''
    for (let tries = 0; tries < portTriesMax; tries++) {
      const running = runningPostmaster(this.directory)
      if (running?.ready) {
        this.#port = running.port
        return
      }
      const port = fixed ?? (await freePort())
      const outcome = await startPostmaster(this.#binaries.postgres, this.directory, port)
      if (outcome.started) {
        this.#port = port
        return
      }
      log = outcome.log
      // Lost a race for the port, or another process is starting this very cluster: look again.
      const lostRace =
        log.includes('postmaster.pid" already exists') ||
        (fixed === undefined && log.includes('Address already in use'))
      if (!lostRace) break
    }
    throw fail('CF8002', { version: this.version, directory: this.directory, reason: log })
  }

  async stop(mode: StopMode = 'fast'): Promise<void> {
    const pid = this.pid()
    if (pid === undefined) return
    sendSignal(pid, stopSignals[mode])
    if (await waitForEnd(pid, stopTimeoutMs)) return
    sendSignal(pid, 'SIGQUIT')
    if (await waitForEnd(pid, stopTimeoutMs)) return
    await this.kill()
  }

  async kill(): Promise<void> {
    const pid = this.pid()
    if (pid === undefined) return
    // Held still first, so that it forks no backend between the look and the kill.
    sendSignal(pid, 'SIGSTOP')
    // It last: a backend that sees it gone ends in order, and takes its temporary tables along.
    const processes = [...childrenOf(pid), pid]
    for (const each of processes) sendSignal(each, 'SIGKILL')
    for (const each of processes) await waitForEnd(each, stopTimeoutMs)
  }

  async destroy(): Promise<void> {
    await this.stop('immediate')
    this.#release()
    removeHome(this.directory)
  }

  running(): boolean {
    return this.pid() !== undefined
  }

  pid(): number | undefined {
    const pid = runningPostmaster(this.directory)?.pid
    return pid !== undefined && isAlive(pid) ? pid : undefined
  }

  async #execute(statement: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.superuserUrl() })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
}

function makeHome(directory: string | undefined): string {
  if (directory === undefined) {
    const home = mkdtempSync(join(baseDirectory(), 'clusters', 'pg-'))
    chmodSync(home, 0o711)
    return home
  }
  const home = resolve(directory)
  mkdirSync(home, { recursive: true, mode: 0o711 })
  return home
}

function prepareDataDirectory(home: string, binaries: Binaries, options: ClusterOptions, ephemeral: boolean): void {
  const data = dataDirectoryOf(home)
  if (!existsSync(data)) {
    const cluster = { binaries, superuser: options.superuser ?? 'postgres', password: options.password }
    if (isReachable(home, runAs())) createDataDirectory(data, cluster)
    else createDataDirectoryElsewhere(data, cluster)
  }
  const found = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()
  if (found !== String(options.version)) {
    throw fail('CF8004', { directory: home, found, version: options.version })
  }
  if (runningPostmaster(home) === undefined) {
    writeFileOwnedBy(join(data, 'postgresql.conf'), configurationFile(ephemeral, options.settings ?? {}), runAs())
  }
}

/** A port on which nothing listens at this moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin))
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const server = createServer()
    server.once('error', () => settle(false))
    server.listen(port, loopback, () => server.close(() => settle(true)))
  })
}
