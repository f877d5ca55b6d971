import { type Clock, systemClock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { TableIdentity } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { codeOf } from '../connection/connection-failure.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import { conflictPolicy, retrying } from '../connection/retry.ts'

/** Changing it takes the table's strongest lock for a moment; waiting for that lock would make everybody else wait behind us. */
export const identityLockMsMax = 200

export interface IdentifiedTable {
  readonly name: TableName
  readonly identity: TableIdentity
  /** Leaf partitions; a partition's own identity decides what is logged for it. */
  readonly leaves: readonly TableName[]
}

/**
 * Makes updates and deletes of the tables carry what identifies the row: FULL where there is no key, the key's index where it isn't the primary key.
 * What was set before is remembered in `crossfade.remembered_identity` (the control schema must exist), in the same transaction. Idempotent.
 * The client must not be in a transaction. Rejects with CF3024 when the lock can't be had or no index fits the key.
 */
export async function ensureReplicaIdentity(
  client: ClientBase,
  migration: MigrationId,
  tables: readonly IdentifiedTable[],
  clock: Clock = systemClock,
): Promise<void> {
  for (const table of tables) {
    for (const name of [table.name, ...table.leaves.filter((leaf) => tableKey(leaf) !== tableKey(table.name))]) {
      const current = await readIdentity(client, name)
      const wanted = await wantedSetting(client, name, table.identity, current)
      if (wanted === null) continue
      await change(client, name, wanted, clock, {
        sql: `INSERT INTO crossfade.remembered_identity (migration, table_schema, table_name, setting) VALUES ($1, $2, $3, $4)
              ON CONFLICT (migration, table_schema, table_name) DO NOTHING`,
        values: [migration, name.schema, name.name, current.setting],
      })
    }
  }
}

/** Puts back what `ensureReplicaIdentity` changed. Tables and indexes that are gone are passed over. Idempotent. */
export async function restoreReplicaIdentity(
  client: ClientBase,
  migration: MigrationId,
  clock: Clock = systemClock,
): Promise<void> {
  const { rows } = await client.query<{ schema: string; name: string; setting: string; exists: string }>(
    `SELECT table_schema AS schema, table_name AS name, setting,
            (to_regclass(format('%I.%I', table_schema, table_name)) IS NOT NULL)::int::text AS exists
     FROM crossfade.remembered_identity WHERE migration = $1 ORDER BY 1, 2`,
    [migration],
  )
  for (const { schema, name, setting, exists } of rows) {
    const forget = {
      sql: 'DELETE FROM crossfade.remembered_identity WHERE migration = $1 AND table_schema = $2 AND table_name = $3',
      values: [migration, schema, name],
    }
    const restorable =
      exists === '1' && (!setting.startsWith('index ') || (await hasIndex(client, { schema, name }, setting.slice(6))))
    if (restorable) await change(client, { schema, name }, setting, clock, forget)
    else await client.query(forget.sql, forget.values)
  }
}

/** `default`, `nothing`, `full`, or `index NAME`: what is remembered, and what follows REPLICA IDENTITY but for the quoting. */
type Setting = string

interface CurrentIdentity {
  readonly setting: Setting
  /** Columns that are logged of an old row, null for all of them. */
  readonly columns: readonly string[] | null
}

async function readIdentity(client: ClientBase, table: TableName): Promise<CurrentIdentity> {
  const { rows } = await client.query<{ letter: string; index: string | null; columns: string }>(
    `SELECT c.relreplident AS letter,
            (SELECT x.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
             WHERE i.indrelid = c.oid AND i.indisreplident) AS index,
            (SELECT coalesce(json_agg(a.attname), '[]')::text FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
             WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END) AS columns
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2`,
    [table.schema, table.name],
  )
  const row = rows[0]
  if (row === undefined) throw fail('CF3024', { table: tableKey(table), reason: 'the table does not exist' })
  const setting = { d: 'default', n: 'nothing', f: 'full' }[row.letter] ?? `index ${row.index}`
  return { setting, columns: row.letter === 'f' ? null : (JSON.parse(row.columns) as string[]) }
}

/** What must be set; null when what is set will do. */
async function wantedSetting(
  client: ClientBase,
  table: TableName,
  identity: TableIdentity,
  current: CurrentIdentity,
): Promise<Setting | null> {
  if (current.columns === null) return null
  if (identity.kind === 'full') return 'full'
  const wanted = new Set(identity.columns)
  const logged = new Set(current.columns)
  if (identity.columns.every((column) => logged.has(column))) return null
  const { rows } = await client.query<{ name: string; primary: string; columns: string }>(
    `SELECT x.relname AS name, i.indisprimary::int::text AS primary, json_agg(a.attname)::text AS columns
     FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
     JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
     WHERE i.indrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND i.indisunique AND i.indimmediate AND i.indisvalid
       AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = i.indnatts
     GROUP BY 1, 2, x.oid HAVING bool_and(a.attnotnull) ORDER BY 2 DESC, 1`,
    [table.schema, table.name],
  )
  const fitting = rows.find((row) => {
    const columns = JSON.parse(row.columns) as string[]
    return columns.length === wanted.size && columns.every((column) => wanted.has(column))
  })
  if (fitting === undefined) {
    throw fail('CF3024', {
      table: tableKey(table),
      reason: `no unique index over ${identity.columns.join(', ')} can be its replica identity`,
    })
  }
  return fitting.primary === '1' ? 'default' : `index ${fitting.name}`
}

async function hasIndex(client: ClientBase, table: TableName, index: string): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
     WHERE i.indrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND x.relname = $3`,
    [table.schema, table.name, index],
  )
  return rows.length > 0
}

async function change(
  client: ClientBase,
  table: TableName,
  setting: Setting,
  clock: Clock,
  note: { sql: string; values: string[] },
): Promise<void> {
  const target = setting.startsWith('index ')
    ? `USING INDEX ${quoteIdentifier(setting.slice(6))}`
    : setting.toUpperCase()
  const attempt = async () => {
    await client.query('BEGIN')
    try {
      await client.query(`SET LOCAL lock_timeout = ${identityLockMsMax}`)
      await client.query(`ALTER TABLE ONLY ${quoteTable(table)} REPLICA IDENTITY ${target}`)
      await client.query(note.sql, note.values)
      await client.query('COMMIT')
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {})
      if (codeOf(error) === '55P03')
        throw fail('CF3025', { table: tableKey(table), milliseconds: identityLockMsMax }, error)
      throw error
    }
  }
  await retrying(attempt, { policy: conflictPolicy, clock })
}
