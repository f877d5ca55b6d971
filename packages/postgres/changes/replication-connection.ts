import type { Socket } from 'node:net'
import { type Failure, fail } from '@crossfade/model/failure.ts'
import { formatLsn, type Lsn, parseLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import type pg from 'pg'
import { type ConnectionOptions, connect, cutOff } from '../connection/connect.ts'
import { quoteIdentifier } from '../connection/quote.ts'
import { type ReplicationSubject, replicationFailure } from './replication-failure.ts'
import { WalStream } from './wal-stream.ts'

export interface ReplicationOptions extends Omit<ConnectionOptions, 'replication' | 'writer'> {
  /** When it aborts, the connection is cut at once; whatever waits rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface SystemIdentity {
  /** Differs between servers that were not copied from one another. */
  readonly systemId: string
  readonly timeline: number
  readonly lsn: Lsn
  readonly database: string
}

export interface NewSlot {
  readonly slot: string
  /** Goes away with the connection. */
  readonly temporary?: boolean
  /** Export a snapshot of the slot's consistent point. It can be imported until this connection is used again or closed. Default true. */
  readonly exportSnapshot?: boolean
  /** Decode prepared transactions when they are prepared (15+). */
  readonly twoPhase?: boolean
  /** Carried over to standbys (17+; left out before). */
  readonly failover?: boolean
}

export interface CreatedSlot {
  readonly slot: string
  /** Everything committed before it is in the snapshot; everything after it comes by the stream. */
  readonly consistentPoint: Lsn
  /** For `SET TRANSACTION SNAPSHOT`; null without export. */
  readonly snapshotName: string | null
}

export interface StartOptions {
  readonly slot: string
  readonly publication: string
  /** Changes of transactions that committed before it are not sent. The slot's own position when that is further, or when null. */
  readonly startAt: Lsn | null
  /** Cells in binary format where the type has one. */
  readonly binary: boolean
  /** `on`: open transactions that outgrow logical_decoding_work_mem are sent before they commit. `parallel` (16+) also says where they aborted. */
  readonly streaming: 'off' | 'on' | 'parallel'
  /** The slot was made with `twoPhase`. */
  readonly twoPhase?: boolean
  readonly bufferedBytesMax?: number
}

/** A walsender of one database. Commands one at a time; after `startReplication` only the stream may be used. */
export interface ReplicationConnection {
  /** As `server_version_num`, e.g. 160004. */
  readonly serverVersion: number
  /** Rejects when the connection dies; an exported snapshot is gone with it. Never resolves. */
  readonly lost: Promise<never>
  identify(): Promise<SystemIdentity>
  /** Not idempotent: rejects with CF3021 when the slot exists. CF3016: no free slot; CF3017: wal_level. */
  createSlot(options: NewSlot): Promise<CreatedSlot>
  /** Waits until nobody uses it. Idempotent. */
  dropSlot(slot: string): Promise<void>
  /** Rejects with CF3012 (slot gone), CF3013 (history lost), CF3014 (in use). */
  startReplication(options: StartOptions): Promise<WalStream>
  /** Any statement by the simple protocol; values come as text. */
  query(sql: string): Promise<readonly Record<string, string | null>[]>
  /** Idempotent; ends a running stream as the protocol asks for. */
  close(): Promise<void>
}

/** The newest protocol that each server speaks. */
function protocolVersion(serverVersion: number): number {
  if (serverVersion >= 160_000) return 4
  return serverVersion >= 150_000 ? 3 : 2
}

/** Opens a walsender connection. Rejects as `connect` does; CF2014 when the role lacks REPLICATION. */
export async function openReplication(options: ReplicationOptions): Promise<ReplicationConnection> {
  options.signal?.throwIfAborted()
  const client = await connect({ ...options, replication: true })
  const connection = new Walsender(client, options)
  try {
    await connection.prepare()
    return connection
  } catch (error) {
    await connection.close()
    throw error
  }
}

class Walsender implements ReplicationConnection {
  serverVersion = 0
  readonly lost: Promise<never>
  readonly #client: pg.Client
  readonly #shard: string
  readonly #signal: AbortSignal | undefined
  #walSenderTimeoutMs = 0
  #stream: WalStream | null = null
  #closing: Promise<void> | null = null

  constructor(client: pg.Client, options: ReplicationOptions) {
    this.#client = client
    this.#shard = options.shard.id
    this.#signal = options.signal
    this.lost = new Promise((_, reject) => {
      client.on('error', (error) => reject(this.#failure(error, '', '')))
      client.on('end', () => reject(fail('CF3011', { shard: this.#shard, reason: 'the connection was closed' })))
    })
    this.lost.catch(() => {})
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal?.aborted) this.#onAbort()
  }

  async prepare(): Promise<void> {
    const [row] = await this.query(
      "SELECT current_setting('server_version_num') AS version, setting AS timeout FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'",
    )
    this.serverVersion = Number(row!['version'])
    this.#walSenderTimeoutMs = Number(row!['timeout'])
  }

  async identify(): Promise<SystemIdentity> {
    const [row] = await this.query('IDENTIFY_SYSTEM')
    return {
      systemId: row!['systemid']!,
      timeline: Number(row!['timeline']),
      lsn: parseLsn(row!['xlogpos']!),
      database: row!['dbname'] ?? '',
    }
  }

  async createSlot(options: NewSlot): Promise<CreatedSlot> {
    const [row] = await this.#command(createSlotCommand(options, this.serverVersion), options.slot)
    return {
      slot: options.slot,
      consistentPoint: parseLsn(row!['consistent_point']!),
      snapshotName: row!['snapshot_name'] ?? null,
    }
  }

  async dropSlot(slot: string): Promise<void> {
    try {
      await this.#command(`DROP_REPLICATION_SLOT ${quoteIdentifier(slot)} WAIT`, slot)
    } catch (error) {
      if ((error as Failure).code !== 'CF3012') throw error
    }
  }

  async startReplication(options: StartOptions): Promise<WalStream> {
    const { slot, publication } = options
    this.#signal?.throwIfAborted()
    // From here on the socket is the stream's: pg's parser must not see another byte. It holds none, since the last command is answered.
    const socket = (this.#client as unknown as { connection: { stream: Socket } }).connection.stream
    socket.removeAllListeners('data')
    const stream = new WalStream(socket, {
      subject: this.#subject(slot, publication),
      walSenderTimeoutMs: this.#walSenderTimeoutMs,
      signal: this.#signal,
      ...(options.bufferedBytesMax === undefined ? {} : { bufferedBytesMax: options.bufferedBytesMax }),
    })
    this.#stream = stream
    socket.write(simpleQuery(startCommand(options, this.serverVersion)))
    await stream.started
    return stream
  }

  async query(sql: string): Promise<readonly Record<string, string | null>[]> {
    return this.#command(sql, '')
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (this.#stream !== null) await this.#stream.stop()
    else await this.#client.end().catch(() => {})
  }

  async #command(sql: string, slot: string): Promise<readonly Record<string, string | null>[]> {
    this.#signal?.throwIfAborted()
    try {
      return (await this.#client.query<Record<string, string | null>>(sql)).rows
    } catch (error) {
      if (this.#signal?.aborted) throw this.#signal.reason
      throw this.#failure(error, slot, '')
    }
  }

  #failure(error: unknown, slot: string, publication: string): Failure {
    return replicationFailure(this.#subject(slot, publication), error)
  }

  #subject(slot: string, publication: string): ReplicationSubject {
    return { shard: this.#shard, slot, publication, user: this.#client.user ?? '' }
  }

  readonly #onAbort = () => cutOff(this.#client)
}

function createSlotCommand(options: NewSlot, serverVersion: number): string {
  const { slot, temporary = false, exportSnapshot = true, twoPhase = false, failover = false } = options
  const start = `CREATE_REPLICATION_SLOT ${quoteIdentifier(slot)}${temporary ? ' TEMPORARY' : ''} LOGICAL pgoutput`
  if (serverVersion < 150_000) return `${start} ${exportSnapshot ? 'EXPORT_SNAPSHOT' : 'NOEXPORT_SNAPSHOT'}`
  const parts = [
    `SNAPSHOT '${exportSnapshot ? 'export' : 'nothing'}'`,
    ...(twoPhase ? ['TWO_PHASE'] : []),
    ...(failover && serverVersion >= 170_000 ? ['FAILOVER'] : []),
  ]
  return `${start} (${parts.join(', ')})`
}

function startCommand(options: StartOptions, serverVersion: number): string {
  const { slot, publication, startAt, binary, streaming, twoPhase = false } = options
  const settings: Record<string, string> = {
    proto_version: String(protocolVersion(serverVersion)),
    publication_names: quoteIdentifier(publication),
    binary: String(binary),
    messages: 'true',
    streaming: streaming === 'parallel' && serverVersion < 160_000 ? 'on' : streaming,
    ...(twoPhase && serverVersion >= 150_000 ? { two_phase: 'true' } : {}),
  }
  const list = Object.entries(settings).map(([name, value]) => `${name} '${value.replaceAll("'", "''")}'`)
  return `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL ${formatLsn(startAt ?? zeroLsn)} (${list.join(', ')})`
}

function simpleQuery(sql: string): Buffer {
  const text = Buffer.from(`${sql}\0`, 'utf8')
  const message = Buffer.alloc(5 + text.length)
  message[0] = 0x51
  message.writeUInt32BE(4 + text.length, 1)
  text.copy(message, 5)
  return message
}
