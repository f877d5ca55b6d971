import { systemClock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { asLsn, formatLsn, type Lsn, minLsn, parseLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import type { ConnectionOptions } from '../connection/connect.ts'
import { quoteLiteral } from '../connection/quote.ts'
import { TransactionAssembler } from './assemble.ts'
import type { WalBlock } from './frames.ts'
import type { LogSpaceOptions } from './open-transaction-log.ts'
import type { PieceLimits } from './piece-cutter.ts'
import type { FollowedTable } from './relation-shapes.ts'
import { openReplication, type ReplicationConnection } from './replication-connection.ts'
import type { StreamEvent } from './transaction.ts'
import { type WalStatus, type WalStream, xLogHeaderBytes } from './wal-stream.ts'

const xLogData = 0x77
/** How often, and how many times, it is looked whether the reader before us has let go of the slot. */
const takeOverPollMs = 50
const takeOverLooksMax = 40

/** A table whose changes are followed. */
export interface ReadTable {
  readonly schema: string
  readonly name: string
  /** Its columns without generated ones, to notice changes that happened while nobody followed; null: not compared at the start. */
  readonly columns:
    | readonly { readonly name: string /** As `format_type` prints it. */; readonly type: string }[]
    | null
}

export interface ReadChangesOptions extends Pick<ConnectionOptions, 'shard' | 'secrets'> {
  readonly slot: string
  readonly publication: string
  /** What was applied; null: from where the slot stands. */
  readonly startAt: Lsn | null
  /** Fail with CF3020 when the slot stands past `startAt`. Only for callers that store every position before they acknowledge it. */
  readonly gapless?: boolean
  readonly migration: MigrationId
  /** End the walsender of a reader of ours that has the slot: whoever holds the lease is right. Default true; false gives CF3014 then. */
  readonly takeOver?: boolean
  readonly tables?: readonly ReadTable[]
  readonly binary?: boolean
  readonly streaming?: 'off' | 'on' | 'parallel'
  readonly twoPhase?: boolean
  readonly signal?: AbortSignal | undefined
  readonly limits?: Partial<PieceLimits> & {
    readonly bufferedBytesMax?: number
    readonly openTransactions?: LogSpaceOptions
  }
}

export interface ChangeStream extends AsyncIterable<StreamEvent> {
  /** How far the server has sent, whether or not it was taken. */
  readonly received: Lsn
  /** Tells the source what is durable (it may drop log before that) and what is applied. Never past a prepared transaction that is held here. */
  acknowledge(status: WalStatus): void
  /** Ends the stream as the protocol asks for. What `return` of the iterator does. Idempotent. */
  close(): Promise<void>
}

/**
 * Follows a slot: committed transactions in commit order, without those that this migration's appliers wrote. The connection is opened by the first `next`.
 * One iteration only; events are made only as they are taken. Rejects with CF3010–CF3022, CF2xxx, or the signal's reason; a failure
 * says whether to try again: with a new `readChanges` from the position that was applied.
 */
export function readChanges(options: ReadChangesOptions): ChangeStream {
  return new ChangeReader(options)
}

class ChangeReader implements ChangeStream, AsyncIterator<StreamEvent> {
  readonly #options: ReadChangesOptions
  #connection: ReplicationConnection | null = null
  #stream: WalStream | null = null
  #assembler: TransactionAssembler | null = null
  #block: WalBlock | null = null
  #frame = 0
  #status: WalStatus = { flushed: zeroLsn, applied: zeroLsn }
  #closing: Promise<void> | null = null

  constructor(options: ReadChangesOptions) {
    this.#options = options
  }

  get received(): Lsn {
    return this.#stream?.received ?? zeroLsn
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamEvent> {
    return this
  }

  acknowledge(status: WalStatus): void {
    this.#status = status
    this.#tellStatus()
  }

  /** Without a promise of its own for each event: most are there already. */
  next(): Promise<IteratorResult<StreamEvent>> {
    try {
      const event = this.#nextReady()
      return event === undefined ? this.#nextLater() : Promise.resolve({ value: event, done: false })
    } catch (error) {
      return this.#failed(error)
    }
  }

  async return(): Promise<IteratorResult<StreamEvent>> {
    await this.close()
    return { value: undefined, done: true }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #nextLater(): Promise<IteratorResult<StreamEvent>> {
    try {
      for (;;) {
        if (this.#closing !== null) return { value: undefined, done: true }
        this.#stream ??= await this.#open()
        if (this.#closing !== null) await this.#connection?.close()
        this.#block = await this.#stream.next()
        this.#frame = 0
        if (this.#block === null) return { value: undefined, done: true }
        const event = this.#nextReady()
        if (event !== undefined) return { value: event, done: false }
      }
    } catch (error) {
      return await this.#failed(error)
    }
  }

  #nextReady(): StreamEvent | undefined {
    const assembler = this.#assembler
    if (assembler === null) return undefined
    for (;;) {
      const event = assembler.take()
      if (event !== undefined) return event
      if (this.#block === null) return undefined
      const { bytes, frames } = this.#block
      if (this.#frame >= frames.length) {
        this.#block = null
        this.#tellStatus()
        assembler.endOfBlock()
        continue
      }
      const start = frames[this.#frame]!
      const end = frames[this.#frame + 1]!
      this.#frame += 2
      if (bytes[start] === xLogData) assembler.accept(bytes, start + xLogHeaderBytes, end)
      else assembler.keepalive(asLsn(bytes.readBigUInt64BE(start + 1)))
    }
  }

  async #open(): Promise<WalStream> {
    const { shard, secrets, signal, slot, publication, startAt, limits = {}, migration } = this.#options
    this.#connection = await openReplication({ shard, signal, purpose: 'follow', ...(secrets ? { secrets } : {}) })
    if (this.#options.takeOver ?? true) await endFormerReader(this.#connection, slot)
    const tables = await resolveTypes(this.#connection, this.#options.tables ?? [])
    if (this.#options.gapless && startAt !== null) await this.#checkGap(this.#connection, startAt)
    const { bufferedBytesMax, openTransactions, ...pieces } = limits
    this.#assembler = new TransactionAssembler({
      migration,
      tables,
      limits: pieces,
      ...(openTransactions ? { openTransactions } : {}),
    })
    return this.#connection.startReplication({
      slot,
      publication,
      startAt,
      binary: this.#options.binary ?? false,
      streaming: this.#options.streaming ?? 'off',
      twoPhase: this.#options.twoPhase ?? false,
      ...(bufferedBytesMax === undefined ? {} : { bufferedBytesMax }),
    })
  }

  async #checkGap(connection: ReplicationConnection, startAt: Lsn): Promise<void> {
    const { shard, slot } = this.#options
    const [row] = await connection.query(
      `SELECT confirmed_flush_lsn AS confirmed FROM pg_catalog.pg_replication_slots WHERE slot_name = ${quoteLiteral(slot)}`,
    )
    const confirmed = row?.['confirmed']
    if (confirmed && parseLsn(confirmed) > startAt) {
      throw fail('CF3020', { shard: shard.id, slot, confirmed, applied: formatLsn(startAt) })
    }
  }

  #tellStatus(): void {
    const bound = this.#assembler?.acknowledgeMax ?? null
    const { flushed, applied } = this.#status
    this.#stream?.setStatus(
      bound === null ? this.#status : { flushed: minLsn(flushed, bound), applied: minLsn(applied, bound) },
    )
  }

  async #failed(error: unknown): Promise<never> {
    await this.close()
    throw error
  }

  async #close(): Promise<void> {
    this.#block = null
    this.#assembler?.close()
    await this.#connection?.close()
  }
}

/**
 * The reader before us may be on a machine that vanished, which its server notices only after wal_sender_timeout. Readers that aren't ours are left alone;
 * and when the one that is doesn't end in time, START_REPLICATION says so.
 */
async function endFormerReader(connection: ReplicationConnection, slot: string): Promise<void> {
  for (let looks = 0; looks < takeOverLooksMax; looks++) {
    const ended = await connection.query(
      `SELECT pg_terminate_backend(a.pid) FROM pg_catalog.pg_replication_slots s JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
       WHERE s.slot_name = ${quoteLiteral(slot)} AND a.usename = current_user AND starts_with(a.application_name, 'crossfade ')`,
    )
    if (ended.length === 0) return
    await systemClock.sleep(takeOverPollMs)
  }
}

/** The types' numbers on that server, which is what the stream speaks of. */
async function resolveTypes(
  connection: ReplicationConnection,
  tables: readonly ReadTable[],
): Promise<readonly FollowedTable[]> {
  const names = [...new Set(tables.flatMap((table) => table.columns?.map((column) => column.type) ?? []))]
  const list = names.map(quoteLiteral).join(', ')
  const rows =
    names.length === 0
      ? []
      : await connection.query(`SELECT name, to_regtype(name)::oid AS oid FROM unnest(ARRAY[${list}]) AS name`)
  const oids = new Map(rows.map((row) => [row['name'], row['oid'] === null ? null : Number(row['oid'])]))
  return tables.map(({ schema, name, columns }) => ({
    schema,
    name,
    columns: columns?.map((column) => ({ name: column.name, typeOid: oids.get(column.type) ?? null })) ?? null,
  }))
}
