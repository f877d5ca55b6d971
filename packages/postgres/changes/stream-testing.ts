// For tests on real servers: records what a slot sends, decoded, and follows slots.

import type { PostgresVersion } from '@crossfade/embedded/binaries.ts'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import { asMigrationId, asShardId } from '@crossfade/model/ids.ts'
import type pg from 'pg'
import { connect } from '../connection/connect.ts'
import { PgoutputDecoder } from './decode.ts'
import { cellsOf } from './encoder-testing.ts'
import type { PgoutputMessage, Tuple } from './message.ts'
import { type ChangeStream, type ReadChangesOptions, readChanges } from './read.ts'
import { openReplication, type StartOptions } from './replication-connection.ts'
import type { StreamEvent } from './transaction.ts'
import { xLogHeaderBytes } from './wal-stream.ts'

export const migration = asMigrationId('mig_0123456789ab')

/** A server with one publication `p` for all tables and one slot `s`. */
export interface StreamServer {
  readonly cluster: Cluster
  readonly shard: ReadChangesOptions['shard']
  /** An ordinary session; a new one after `reconnect`. */
  readonly sql: pg.Client
  reconnect(): Promise<void>
  /** The messages of everything that `script` does, in order. */
  record(script: string | readonly string[], options?: Partial<StartOptions>): Promise<PgoutputMessage[]>
  follow(options?: Partial<ReadChangesOptions>): ChangeStream
  createSlot(slot?: string, options?: { readonly twoPhase?: boolean }): Promise<void>
  close(): Promise<void>
}

export async function startStreamServer(
  version: PostgresVersion,
  settings: Record<string, string> = {},
): Promise<StreamServer> {
  const cluster = await startCluster({ version, settings })
  const shard = { id: asShardId('source/a'), url: cluster.superuserUrl(), secret: null }
  let sql = await connect({ shard, purpose: 'test' })
  await sql.query('CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root = true)')
  let recordings = 0
  const createSlot = async (slot = 's', options: { readonly twoPhase?: boolean } = {}) => {
    const replication = await openReplication({ shard })
    await replication.createSlot({ slot, ...options })
    await replication.close()
  }
  return {
    cluster,
    shard,
    get sql() {
      return sql
    },
    async reconnect() {
      await sql.end()
      sql = await connect({ shard, purpose: 'test' })
    },
    createSlot,
    async record(script, options = {}) {
      recordings += 1
      const slot = `recording_${recordings}`
      await createSlot(slot, { twoPhase: options.twoPhase ?? false })
      for (const statement of typeof script === 'string' ? [script] : script) await sql.query(statement)
      await sql.query("SELECT pg_logical_emit_message(false, 'end of recording', '')")
      const replication = await openReplication({ shard })
      try {
        const stream = await replication.startReplication({
          slot,
          publication: 'p',
          startAt: null,
          binary: false,
          streaming: 'off',
          ...options,
        })
        const decoder = new PgoutputDecoder()
        const messages: PgoutputMessage[] = []
        for (;;) {
          const block = await stream.next()
          if (block === null) return messages
          for (let i = 0; i < block.frames.length; i += 2) {
            const start = block.frames[i]!
            if (block.bytes[start] !== 0x77) continue
            const message = decoder.decode(block.bytes, start + xLogHeaderBytes, block.frames[i + 1])
            if (message.tag === 'message' && message.prefix === 'end of recording') return messages
            messages.push(message)
          }
        }
      } finally {
        await replication.close()
        await replication.lost.catch(() => {})
        await sql.query(`SELECT pg_drop_replication_slot('${slot}')`)
      }
    },
    follow: (options = {}) => readChanges({ shard, slot: 's', publication: 'p', startAt: null, migration, ...options }),
    async close() {
      await sql.end()
      await cluster.destroy()
    },
  }
}

/** A tuple's cells as text; `<unchanged>` where none was sent, `0x…` for a binary one. */
export function textOf(tuple: Tuple): (string | null)[] {
  return cellsOf(tuple).map((cell) => {
    if (cell === null) return null
    if (cell === 'unchanged') return '<unchanged>'
    return 'text' in cell ? cell.text.toString() : `0x${cell.binary.toString('hex')}`
  })
}

/** The first cells of the rows in the events. */
export function idsOf(events: readonly StreamEvent[]): string[] {
  return events.flatMap((event) =>
    event.kind === 'piece' ? event.piece.rows.map((row) => ('after' in row ? textOf(row.after)[0]! : row.tag)) : [],
  )
}

/** Takes events until the predicate holds for one, which is the last given. */
export async function takeUntil(
  stream: AsyncIterable<StreamEvent>,
  predicate: (event: StreamEvent) => boolean,
): Promise<StreamEvent[]> {
  const events: StreamEvent[] = []
  const iterator = stream[Symbol.asyncIterator]()
  for (;;) {
    const { value, done } = await iterator.next()
    if (done) return events
    events.push(value)
    if (predicate(value)) return events
  }
}

/** Waits until the condition holds; the test runner's own limit ends it otherwise. */
export async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await systemClock.sleep(20)
}
