import { fail } from '@crossfade/model/failure.ts'
import type { Epoch, MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { type Lsn, parseLsn } from '@crossfade/model/lsn.ts'
import type pg from 'pg'
import { codeOf } from '../connection/connection-failure.ts'
import { quoteLiteral, quoteTable } from '../connection/quote.ts'
import { armSql, type FencedTable, type FencedUnit, fenceStateSql, unarmedSql } from './fence-ddl.ts'
import type { FenceSite } from './fence-site.ts'

/** The lease under which fences are changed: the key of their epoch check. */
export const fenceLease = 'cutover'
/** Prefix of the logical message that a fence leaves in the log, so that a stream on an otherwise idle shard passes the fence at once. */
export const fenceMessagePrefix = 'crossfade.fence'
/** First try at all the locks; each later one waits twice as long. Below any sane deadlock_timeout, so that no client is ever picked as a deadlock's victim. */
const lockTryMs = 50
/** When our waiting session looks for a deadlock, and sends a blocking autovacuum away. */
const deadlockTimeoutMs = 20
/** How long opening may wait for another process that is changing the same fences. */
const openLockMsMax = 1_000

const insufficientPrivilege = '42501'

export interface FenceChange {
  readonly migration: MigrationId
  readonly epoch: Epoch
}

export interface ArmedFence {
  readonly lsn: Lsn
  /** Units that were open in this database before. */
  readonly added: readonly ShardId[]
}

/**
 * Runs everything of a fence but the commit: epoch check, functions, locks (writers in flight end first), triggers. The caller commits or rolls back.
 * `beforeLocks` is waited for when only the locks are left to do.
 * The returned position has every write that was let through before it. Rejects with CF5101 when the locks can't be had in time, CF5102 when stale.
 */
export async function armInTransaction(
  client: pg.Client,
  site: FenceSite,
  change: FenceChange & { readonly owner: string; readonly lockMsMax: number },
  beforeLocks: () => Promise<void> = async () => {},
): Promise<ArmedFence> {
  const { migration, epoch, owner } = change
  await client.query('BEGIN')
  await client.query(`SET LOCAL lock_timeout = ${change.lockMsMax}`)
  await client.query('SET LOCAL synchronous_commit = on')
  await lockFences(client, migration)
  await checkEpoch(client, site.shard, change)
  const before = await fencedUnits(client, migration)
  const added = site.units.filter((unit) => !before.some((each) => each.unit === unit))
  await client.query(
    `INSERT INTO crossfade.fence_unit (migration, unit, epoch, owner) SELECT $1, unit, $3, $4 FROM unnest($2::text[]) AS unit
     ON CONFLICT (migration, unit) DO UPDATE SET epoch = excluded.epoch, owner = excluded.owner`,
    [migration, site.units, epoch, owner],
  )
  await client.query(fenceStateSql(migration, site.rule, await fencedUnits(client, migration)))
  const open = added.length > 0 || (await unarmed(client, site)).length > 0
  await beforeLocks()
  if (open) {
    await gatherLocks(client, site, change.lockMsMax)
    // As a rule `preArm` has done it; left are tables that were too busy then, and partitions made since.
    const late = await unarmed(client, site)
    if (late.length > 0) {
      await client.query(late.map((ordinal) => armSql(migration, site.tables[ordinal]!, ordinal)).join('\n'))
    }
  }
  const { rows } = await client.query<{ lsn: string }>(
    `SELECT pg_catalog.pg_current_wal_insert_lsn()::text AS lsn, pg_catalog.pg_logical_emit_message(true, '${fenceMessagePrefix}', $1)::text AS emitted`,
    [migration],
  )
  return { lsn: parseLsn(rows[0]!.lsn), added }
}

/**
 * Opens units in one database, in one short transaction without a lock on any table. Returns whether nothing is fenced there any more.
 * Rejects with CF5102 when stale.
 */
export async function openUnits(
  client: pg.Client,
  site: FenceSite,
  units: readonly ShardId[],
  change: FenceChange,
): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('crossfade.fence_unit')`,
  )
  if (rows.length === 0) return true
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL lock_timeout = ${openLockMsMax}`)
    await lockFences(client, change.migration)
    await checkEpoch(client, site.shard, change)
    await client.query('DELETE FROM crossfade.fence_unit WHERE migration = $1 AND unit = ANY($2)', [
      change.migration,
      units,
    ])
    const left = await fencedUnits(client, change.migration)
    await client.query(fenceStateSql(change.migration, site.rule, left))
    await client.query('COMMIT')
    return left.length === 0
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

/** The places of the tables whose triggers are not all enabled. */
export async function unarmed(client: pg.Client, site: FenceSite): Promise<readonly number[]> {
  const { rows } = await client.query<{ ordinal: string }>(unarmedSql(site.tables))
  return rows.map((row) => Number(row.ordinal))
}

/** Units that are fenced in the client's database, oldest first. */
export async function fencedUnits(client: pg.Client, migration: MigrationId): Promise<readonly FencedUnit[]> {
  const { rows } = await client.query<{ unit: string; epoch: string; owner: string }>(
    'SELECT unit, epoch::text AS epoch, owner FROM crossfade.fence_unit WHERE migration = $1 ORDER BY fenced_at, unit',
    [migration],
  )
  return rows.map((row) => ({ unit: row.unit as ShardId, epoch: Number(row.epoch) as Epoch, owner: row.owner }))
}

/** One change of a migration's fences at a time in a database; the lock is not on anything that clients use. Kept until the transaction ends. */
export async function lockFences(client: pg.Client, migration: MigrationId): Promise<void> {
  await client.query(
    `SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('crossfade.fence ' || $1, 0))::text`,
    [migration],
  )
}

async function checkEpoch(client: pg.Client, shard: ShardId, { migration, epoch }: FenceChange): Promise<void> {
  const { rows } = await client.query(
    `INSERT INTO crossfade.lease_epoch AS held (migration, lease, epoch) VALUES ($1, $2, $3)
     ON CONFLICT (migration, lease) DO UPDATE SET epoch = excluded.epoch WHERE held.epoch <= excluded.epoch RETURNING epoch`,
    [migration, fenceLease, epoch],
  )
  if (rows.length === 0) throw fail('CF5102', { shard, epoch })
}

/**
 * Takes the lock that ends all writing on every table, within `totalMs`. A client whose transaction holds one table and waits for another that is ours already
 * would be a deadlock, so every try is short, gives back all it had, and the next begins with the table that was missing.
 */
async function gatherLocks(client: pg.Client, site: FenceSite, totalMs: number): Promise<void> {
  await mayCancelVacuum(client)
  const deadline = performance.now() + totalMs
  let order = site.tables
  for (let tryMs = lockTryMs; ; tryMs *= 2) {
    const left = Math.floor(deadline - performance.now())
    const waitMs = Math.max(1, Math.min(tryMs, left))
    await client.query(`SET LOCAL statement_timeout = ${waitMs}; SET LOCAL lock_timeout = ${waitMs}`)
    const missing = await tryLocks(client, order)
    if (missing === null) break
    if (performance.now() >= deadline)
      throw fail('CF5101', { shard: site.shard, table: missing, milliseconds: totalMs })
    const first = order.filter(({ table }) => quoteTable(table) === missing)
    order = [...first, ...order.filter((each) => !first.includes(each))]
  }
  await client.query('SET LOCAL statement_timeout = 0')
}

/** Locks all or none; returns the table that could not be had, or null. */
async function tryLocks(client: pg.Client, tables: readonly FencedTable[]): Promise<string | null> {
  const names = tables.map(({ table }) => quoteLiteral(quoteTable(table))).join(', ')
  // The block is a sub-transaction: on an exception its locks are given back, and the transaction goes on.
  await client.query(`DO $crossfade$
DECLARE name text;
BEGIN
  PERFORM set_config('crossfade.blocked', '', true);
  BEGIN
    FOREACH name IN ARRAY ARRAY[${names}]::text[] LOOP
      EXECUTE 'LOCK TABLE ' || name || ' IN SHARE ROW EXCLUSIVE MODE';
    END LOOP;
  EXCEPTION WHEN lock_not_available OR deadlock_detected OR query_canceled THEN
    PERFORM set_config('crossfade.blocked', name, true);
  END;
END $crossfade$`)
  const { rows } = await client.query<{ blocked: string }>(
    `SELECT current_setting('crossfade.blocked', true) AS blocked`,
  )
  return rows[0]?.blocked || null
}

/** A waiting session ends a blocking autovacuum after its own deadlock_timeout (1 s by default), which not every role may shorten. */
async function mayCancelVacuum(client: pg.Client): Promise<void> {
  await client.query('SAVEPOINT crossfade_setting')
  try {
    await client.query(`SET LOCAL deadlock_timeout = ${deadlockTimeoutMs}`)
  } catch (error) {
    if (codeOf(error) !== insufficientPrivilege) throw error
    await client.query('ROLLBACK TO SAVEPOINT crossfade_setting')
  }
}
