import { type Clock, systemClock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import { type Lsn, parseLsn } from '@crossfade/model/lsn.ts'
import type { ClientBase } from 'pg'
import { codeOf } from '../connection/connection-failure.ts'
import { quoteLiteral } from '../connection/quote.ts'

/** How long `dropSlot` waits for the slot's walsender to end. */
export const dropSlotMsMax = 30_000
const dropSlotPollMs = 50

export interface SlotStatus {
  readonly slot: string
  readonly database: string
  readonly active: boolean
  readonly activePid: number | null
  /** `reserved` and `extended`: all is there; `unreserved`: the next checkpoint may remove what it needs; `lost`: gone. Null before it is known. */
  readonly walStatus: 'reserved' | 'extended' | 'unreserved' | 'lost' | null
  readonly lost: boolean
  readonly restartLsn: Lsn | null
  readonly confirmedFlushLsn: Lsn | null
  /** Log that the server keeps because of the slot. */
  readonly retainedBytes: number
  /** How far the slot's reader is behind the server's log. */
  readonly lagBytes: number
  /** What may still be written before the slot is lost; null when max_slot_wal_keep_size sets no limit. */
  readonly safeBytes: number | null
}

/** Null when the server has no such slot. Works on standbys too. */
export async function slotStatus(client: ClientBase, slot: string): Promise<SlotStatus | null> {
  return (await readSlots(client, `slot_name = ${quoteLiteral(slot)}`))[0] ?? null
}

/** Every slot of the client's database whose name starts with `prefix`. */
export async function slotsNamed(client: ClientBase, prefix: string): Promise<readonly SlotStatus[]> {
  return readSlots(client, `starts_with(slot_name::text, ${quoteLiteral(prefix)}) AND database = current_database()`)
}

/**
 * Drops the slot, ending the walsender that uses it first. Idempotent. Without a superuser's rights it can only end walsenders of its own role.
 * Rejects with CF3014 when somebody goes on using it for `dropSlotMsMax`.
 */
export async function dropSlot(
  client: ClientBase,
  shard: string,
  slot: string,
  clock: Clock = systemClock,
): Promise<void> {
  const deadline = clock.now() + dropSlotMsMax
  for (;;) {
    const status = await slotStatus(client, slot)
    if (status === null) return
    if (status.activePid !== null) await endWalsender(client, status.activePid)
    try {
      await client.query('SELECT pg_catalog.pg_drop_replication_slot($1)', [slot])
      return
    } catch (error) {
      const code = codeOf(error)
      if (code === '42704') return
      if (code !== '55006') throw error
      if (clock.now() > deadline) throw fail('CF3014', { shard, slot, reason: (error as Error).message }, error)
    }
    await clock.sleep(dropSlotPollMs)
  }
}

async function endWalsender(client: ClientBase, pid: number): Promise<void> {
  try {
    await client.query('SELECT pg_catalog.pg_terminate_backend($1)', [pid])
  } catch (error) {
    // Another role's walsender: it is waited for.
    if (codeOf(error) !== '42501') throw error
  }
}

async function readSlots(client: ClientBase, condition: string): Promise<SlotStatus[]> {
  const { rows } = await client.query<Record<string, string | null>>(
    `SELECT slot_name, database, active, active_pid, wal_status, restart_lsn, confirmed_flush_lsn, safe_wal_size,
            coalesce(here.lsn - restart_lsn, 0) AS retained, coalesce(here.lsn - confirmed_flush_lsn, 0) AS lag
     FROM pg_catalog.pg_replication_slots,
          (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END AS lsn) AS here
     WHERE ${condition}
     ORDER BY slot_name`,
  )
  return rows.map((row) => ({
    slot: row['slot_name']!,
    database: row['database'] ?? '',
    active: isTrue(row['active']),
    activePid: numberOf(row['active_pid']),
    walStatus: row['wal_status'] as SlotStatus['walStatus'],
    lost: row['wal_status'] === 'lost',
    restartLsn: lsnOf(row['restart_lsn']),
    confirmedFlushLsn: lsnOf(row['confirmed_flush_lsn']),
    retainedBytes: Math.max(0, Number(row['retained'])),
    lagBytes: Math.max(0, Number(row['lag'])),
    safeBytes: numberOf(row['safe_wal_size']),
  }))
}

const isTrue = (text: unknown) => text === 't' || text === true
const numberOf = (text: string | null | undefined) => (text === null || text === undefined ? null : Number(text))
const lsnOf = (text: string | null | undefined) => (text === null || text === undefined ? null : parseLsn(text))
