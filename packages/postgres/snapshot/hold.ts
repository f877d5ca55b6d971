import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { HeldSnapshot } from '@crossfade/pipeline/data-plane.ts'
import type { ReplicationConnection } from '../changes/replication-connection.ts'
import { quoteLiteral } from '../connection/quote.ts'

/** PostgreSQL cuts names after this many bytes. */
const nameBytesMax = 63

export interface HoldOptions {
  readonly shard: ShardId
  /** The stream's slot. */
  readonly slot: string
  /** Grows with every holder; makes the temporary slot's name and the snapshot's generation unique. */
  readonly epoch: number
  /** Will hold the snapshot and nothing else; it is closed by `close` and on failure. */
  readonly connection: ReplicationConnection
}

/**
 * Exports a snapshot that meets the stream exactly. When the slot is not there yet it is created with it (generation 1); otherwise a temporary slot beside it gives a later
 * snapshot, which needs one free replication slot. Waits until the transactions that are running on the server have ended.
 * Rejects with CF3013 when the slot's history is lost, and as `ReplicationConnection.createSlot` does.
 */
export async function holdSnapshot(options: HoldOptions): Promise<HeldSnapshot> {
  const { connection, shard } = options
  try {
    const exported = await exportSnapshot(options)
    const lost = connection.lost.catch((error: unknown) => {
      throw fail('CF3101', { snapshot: exported.name, shard, reason: reasonOf(error) }, error)
    })
    // Who does not look at it is told by the copy that can't import the snapshot.
    lost.catch(() => undefined)
    return { ...exported, lost, close: () => connection.close() }
  } catch (error) {
    await connection.close()
    throw error
  }
}

async function exportSnapshot(options: HoldOptions): Promise<Pick<HeldSnapshot, 'name' | 'lsn' | 'generation'>> {
  const { connection, slot, epoch } = options
  // A server that waits for old transactions would otherwise create the slot though nobody is there any more.
  await connection.query(`SET client_connection_check_interval = '1s'`).catch(ignoreRefusal)
  const create = async (name: string, temporary: boolean, generation: number) => {
    const created = await connection.createSlot({ slot: name, temporary, exportSnapshot: true })
    return { name: created.snapshotName!, lsn: created.consistentPoint, generation }
  }
  if (!(await slotExists(options))) {
    try {
      return await create(slot, false, 1)
    } catch (error) {
      const createdInBetween = error instanceof Failure && error.code === 'CF3021'
      if (!createdInBetween) throw error
    }
  }
  const suffix = `_copy_${epoch}`
  return create(`${slot.slice(0, nameBytesMax - suffix.length)}${suffix}`, true, Math.max(2, epoch + 1))
}

/** Throws CF3013 when the slot is there and useless. */
async function slotExists({ connection, slot, shard }: HoldOptions): Promise<boolean> {
  const [row] = await connection.query(
    `SELECT wal_status FROM pg_catalog.pg_replication_slots WHERE slot_name = ${quoteLiteral(slot)}`,
  )
  if (row?.['wal_status'] === 'lost') {
    throw fail('CF3013', { slot, shard, reason: 'its wal_status is lost' })
  }
  return row !== undefined
}

/** Not every platform has it; a broken connection shows at the next command. */
function ignoreRefusal(): undefined {
  return undefined
}
