import { systemClock } from '@crossfade/model/clock.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type pg from 'pg'
import { quoteLiteral, quoteTable } from '../connection/quote.ts'
import type { FencedTable } from './fence-ddl.ts'

/** Characters of a statement that a line shows. */
const statementShownMax = 80

/**
 * What is older than `ageMsMax` on the client's database, one line each: open transactions of clients, prepared transactions, and, where the role may not
 * see others' transactions, sessions that have held a write lock on one of the tables for that long. Waits `ageMsMax` in the last case. (D12)
 */
export async function longTransactions(
  client: pg.Client,
  shard: ShardId,
  tables: readonly FencedTable[],
  ageMsMax: number,
): Promise<readonly string[]> {
  const open = await client.query<Transaction>(openSql, [ageMsMax])
  const prepared = await client.query<Transaction>(preparedSql, [ageMsMax])
  const hidden = await hiddenWriters(client, tables, ageMsMax)
  return [
    ...open.rows.map(
      (row) =>
        `${shard}: ${row.who} has had a transaction open for ${row.age_ms} ms (${row.state}): ${oneLine(row.statement)}`,
    ),
    ...prepared.rows.map(
      (row) => `${shard}: ${row.who} was prepared ${row.age_ms} ms ago and neither committed nor rolled back`,
    ),
    ...hidden.map((row) => `${shard}: ${row.who} has held a lock on ${row.statement} for more than ${ageMsMax} ms`),
  ]
}

interface Transaction {
  readonly who: string
  readonly age_ms: string
  readonly state: string
  readonly statement: string
}

/** Our own sessions and walsenders do not write as clients do. */
const openSql = `SELECT format('pid %s (%s)', pid, coalesce(nullif(application_name, ''), usename, 'unknown')) AS who,
    round(extract(epoch FROM clock_timestamp() - xact_start) * 1000)::text AS age_ms, coalesce(state, 'unknown') AS state, coalesce(query, '') AS statement
  FROM pg_catalog.pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND application_name NOT LIKE 'crossfade %'
    AND xact_start < clock_timestamp() - $1::float8 * interval '1 millisecond'
  ORDER BY xact_start`

const preparedSql = `SELECT format('the prepared transaction %L of %s', gid, owner) AS who,
    round(extract(epoch FROM clock_timestamp() - prepared) * 1000)::text AS age_ms, 'prepared' AS state, '' AS statement
  FROM pg_catalog.pg_prepared_xacts
  WHERE database = current_database() AND prepared < clock_timestamp() - $1::float8 * interval '1 millisecond'
  ORDER BY prepared`

/** A role without pg_read_all_stats sees other roles' locks, but not since when; who holds one before and after the wait is named. */
async function hiddenWriters(
  client: pg.Client,
  tables: readonly FencedTable[],
  ageMsMax: number,
): Promise<readonly Transaction[]> {
  const before = await lockHolders(client, tables)
  if (before.size === 0) return []
  await systemClock.sleep(ageMsMax)
  const after = await lockHolders(client, tables)
  return [...before].filter(([transaction]) => after.has(transaction)).map(([, row]) => row)
}

async function lockHolders(
  client: pg.Client,
  tables: readonly FencedTable[],
): Promise<ReadonlyMap<string, Transaction>> {
  const names = tables.map(({ table }) => quoteLiteral(quoteTable(table))).join(', ')
  if (names === '') return new Map()
  const { rows } = await client.query<Transaction & { transaction: string }>(
    `SELECT DISTINCT ON (l.virtualtransaction, l.pid) l.virtualtransaction || ' ' || l.pid AS transaction, format('pid %s (%s)', l.pid, a.usename) AS who,
       '' AS age_ms, '' AS state, l.relation::regclass::text AS statement
     FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
     WHERE l.locktype = 'relation' AND l.granted AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
       AND a.datname = current_database() AND a.xact_start IS NULL AND coalesce(a.application_name, '') NOT LIKE 'crossfade %'
       AND l.relation IN (SELECT to_regclass(name) FROM unnest(ARRAY[${names}]::text[]) AS name)`,
  )
  return new Map(rows.map((row) => [row.transaction, row]))
}

function oneLine(statement: string): string {
  const line = statement.replace(/\s+/g, ' ').trim()
  return line.length > statementShownMax ? `${line.slice(0, statementShownMax - 1)}…` : line
}
