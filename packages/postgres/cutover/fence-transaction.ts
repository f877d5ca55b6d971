import { fail } from '@crossfade/model/failure.ts'
import type { Epoch, MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { type Lsn, parseLsn } from '@crossfade/model/lsn.ts'
import type pg from 'pg'
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
 * `beforeLocks` is waited for when only the locks are left to do. Writers wait while this runs, so it takes few round trips.
 * The returned position has every write that was let through before it. Rejects with CF5101 when the locks can't be had in time, CF5102 when stale.
 */
export async function armInTransaction(
  client: pg.Client,
  site: FenceSite,
  change: FenceChange & { readonly owner: string; readonly lockMsMax: number },
  beforeLocks: () => Promise<void> = async () => {},
): Promise<ArmedFence> {
  const { migration, epoch, owner } = change
  const begun = await queries(client, [
    'BEGIN',
    `SET LOCAL lock_timeout = ${change.lockMsMax}`,
    'SET LOCAL synchronous_commit = on',
    mayCancelVacuumSql,
    lockFencesSql(migration),
    epochSql(change),
    fencedUnitsSql(migration),
    unarmedSql(site.tables),
  ])
  if (begun.at(-3)!.length === 0) throw fail('CF5102', { shard: site.shard, epoch })
  const before = readUnits(begun.at(-2)!)
  const added = site.units.filter((unit) => !before.some((each) => each.unit === unit))
  const fenced = [
    ...before.map((each) => (site.units.includes(each.unit) ? { unit: each.unit, epoch, owner } : each)),
    ...added.toSorted().map((unit) => ({ unit, epoch, owner })),
  ]
  const units = site.units.map(
    (unit) => `(${quoteLiteral(migration)}, ${quoteLiteral(unit)}, ${epoch}, ${quoteLiteral(owner)})`,
  )
  await queries(client, [
    `INSERT INTO crossfade.fence_unit (migration, unit, epoch, owner) VALUES ${units.join(', ')}
     ON CONFLICT (migration, unit) DO UPDATE SET epoch = excluded.epoch, owner = excluded.owner`,
    fenceStateSql(migration, site.rule, fenced),
  ])
  const open = added.length > 0 || begun.at(-1)!.length > 0
  await beforeLocks()
  if (!open) return { lsn: await markPosition(client, migration), added }
  const { unarmed: late, lsn } = await gatherLocks(client, site, migration, change.lockMsMax)
  // As a rule `preArm` has done it; left are tables that were too busy then, and partitions made since.
  if (late.length === 0) return { lsn, added }
  await client.query(late.map((ordinal) => armSql(migration, site.tables[ordinal]!, ordinal)).join('\n'))
  return { lsn: await markPosition(client, migration), added }
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
  try {
    const answers = await queries(client, [
      'BEGIN',
      `SET LOCAL lock_timeout = ${openLockMsMax}`,
      lockFencesSql(change.migration),
      epochSql(change),
      fencedUnitsSql(change.migration),
    ])
    if (answers.at(-2)!.length === 0) throw fail('CF5102', { shard: site.shard, epoch: change.epoch })
    const left = readUnits(answers.at(-1)!).filter(({ unit }) => !units.includes(unit))
    await queries(client, [
      `DELETE FROM crossfade.fence_unit WHERE migration = ${quoteLiteral(change.migration)} AND unit IN (${units.map(quoteLiteral).join(', ')})`,
      fenceStateSql(change.migration, site.rule, left),
      'COMMIT',
    ])
    return left.length === 0
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

/** The places of the tables whose triggers are not all enabled. */
export async function unarmed(client: pg.Client, site: FenceSite): Promise<readonly number[]> {
  const [rows] = await queries(client, [unarmedSql(site.tables)])
  return readOrdinals(rows!)
}

/** Units that are fenced in the client's database, oldest first. */
export async function fencedUnits(client: pg.Client, migration: MigrationId): Promise<readonly FencedUnit[]> {
  const [rows] = await queries(client, [fencedUnitsSql(migration)])
  return readUnits(rows!)
}

/** One change of a migration's fences at a time in a database; the lock is not on anything that clients use. Kept until the transaction ends. */
export async function lockFences(client: pg.Client, migration: MigrationId): Promise<void> {
  await client.query(lockFencesSql(migration))
}

/** Leaves the mark in the log that a stream on an otherwise idle shard passes the fence by. The position has all that was written before. */
async function markPosition(client: pg.Client, migration: MigrationId): Promise<Lsn> {
  const [rows] = await queries(client, [markSql(migration)])
  return parseLsn(rows![0]!['lsn']!)
}

/**
 * Takes the lock that ends all writing on every table, within `totalMs`. A client whose transaction holds one table and waits for another that is ours already
 * would be a deadlock, so every try is short, gives back all it had, and the next begins with the table that was missing.
 */
async function gatherLocks(
  client: pg.Client,
  site: FenceSite,
  migration: MigrationId,
  totalMs: number,
): Promise<{ readonly unarmed: readonly number[]; readonly lsn: Lsn }> {
  const deadline = performance.now() + totalMs
  let order = site.tables
  for (let tryMs = lockTryMs; ; tryMs *= 2) {
    const left = Math.floor(deadline - performance.now())
    const waitMs = Math.max(1, Math.min(tryMs, left))
    const answers = await queries(client, [
      `SET LOCAL statement_timeout = ${waitMs}`,
      `SET LOCAL lock_timeout = ${waitMs}`,
      tryLocksSql(order),
      'SET LOCAL statement_timeout = 0',
      `SELECT current_setting('crossfade.blocked', true) AS blocked`,
      unarmedSql(site.tables),
      markSql(migration),
    ])
    const missing = answers.at(-3)![0]!['blocked']
    if (!missing) return { unarmed: readOrdinals(answers.at(-2)!), lsn: parseLsn(answers.at(-1)![0]!['lsn']!) }
    if (performance.now() >= deadline)
      throw fail('CF5101', { shard: site.shard, table: missing, milliseconds: totalMs })
    const first = order.filter(({ table }) => quoteTable(table) === missing)
    order = [...first, ...order.filter((each) => !first.includes(each))]
  }
}

/** Locks all or none; `crossfade.blocked` is the table that could not be had, or empty. */
function tryLocksSql(tables: readonly FencedTable[]): string {
  const names = tables.map(({ table }) => quoteLiteral(quoteTable(table))).join(', ')
  // The block is a sub-transaction: on an exception its locks are given back, and the transaction goes on.
  return `DO $crossfade$
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
END $crossfade$`
}

/** A waiting session ends a blocking autovacuum after its own deadlock_timeout (1 s by default), which not every role may shorten. */
const mayCancelVacuumSql = `DO $crossfade$ BEGIN
  PERFORM set_config('deadlock_timeout', '${deadlockTimeoutMs}', true);
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $crossfade$`

function lockFencesSql(migration: MigrationId): string {
  return `SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(${quoteLiteral(`crossfade.fence ${migration}`)}, 0))::text`
}

/** No row: somebody has a higher epoch. */
function epochSql({ migration, epoch }: FenceChange): string {
  return `INSERT INTO crossfade.lease_epoch AS held (migration, lease, epoch) VALUES (${quoteLiteral(migration)}, '${fenceLease}', ${epoch})
     ON CONFLICT (migration, lease) DO UPDATE SET epoch = excluded.epoch WHERE held.epoch <= excluded.epoch RETURNING epoch::text`
}

function fencedUnitsSql(migration: MigrationId): string {
  return `SELECT unit, epoch::text AS epoch, owner FROM crossfade.fence_unit WHERE migration = ${quoteLiteral(migration)} ORDER BY fenced_at, unit`
}

function markSql(migration: MigrationId): string {
  return `SELECT pg_catalog.pg_current_wal_insert_lsn()::text AS lsn, pg_catalog.pg_logical_emit_message(true, '${fenceMessagePrefix}', ${quoteLiteral(migration)})::text AS emitted`
}

type Rows = readonly Readonly<Record<string, string>>[]

/** Several statements in one round trip; the rows of each. */
async function queries(client: pg.Client, statements: readonly string[]): Promise<readonly Rows[]> {
  const results = (await client.query(statements.join(';\n'))) as pg.QueryResult | pg.QueryResult[]
  return [results].flat().map((result) => result.rows as Rows)
}

function readUnits(rows: Rows): readonly FencedUnit[] {
  return rows.map((row) => ({
    unit: row['unit'] as ShardId,
    epoch: Number(row['epoch']) as Epoch,
    owner: row['owner']!,
  }))
}

function readOrdinals(rows: Rows): readonly number[] {
  return rows.map((row) => Number(row['ordinal']))
}
