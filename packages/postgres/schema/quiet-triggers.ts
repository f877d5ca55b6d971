import type { MigrationId } from '@crossfade/model/ids.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ClientBase } from 'pg'
import { quoteIdentifier, quoteLiteral, quoteTable } from '../connection/quote.ts'
import { schemaExists } from './control-schema.ts'
import { tokenize } from './generate/sql-text.ts'
import type { Inventory, Trigger } from './inventory-types.ts'

/**
 * Keeps the users' triggers on the tables from firing for rows that the migration's own sessions write: their effects arrive as rows of their own, and a second
 * time would be once too often. Needed only where those sessions may not set `session_replication_role`. Each trigger gets one more condition, which looks
 * at `crossfade.writer`; for everybody else nothing changes. What it was is kept in `crossfade.quieted_trigger`, in the same transaction.
 * Idempotent. The client is in a transaction; the locks are those of CREATE TRIGGER.
 */
export async function quietTriggers(
  client: ClientBase,
  migration: MigrationId,
  tables: readonly TableName[],
): Promise<void> {
  await client.query(`SET LOCAL search_path = ''`)
  const wanted = new Set(tables.map(tableKey))
  for (const trigger of await userTriggers(client)) {
    if (!wanted.has(tableKey(trigger.root)) || trigger.definition.includes(writerSetting)) continue
    if (trigger.enabled !== 'O' && trigger.enabled !== 'A') continue
    const quiet = withCondition(
      trigger.definition,
      `current_setting('${writerSetting}', true) IS DISTINCT FROM ${quoteLiteral(migration)}`,
    )
    await client.query(
      `INSERT INTO crossfade.quieted_trigger (migration, table_schema, table_name, name, definition) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (migration, table_schema, table_name, name) DO UPDATE SET definition = excluded.definition`,
      [migration, trigger.table.schema, trigger.table.name, trigger.name, trigger.definition],
    )
    await replaceTrigger(client, trigger, quiet)
  }
}

/** Puts back what `quietTriggers` changed. Triggers that are gone are passed over. Idempotent; the client is not in a transaction. */
export async function restoreTriggers(client: ClientBase, migration: MigrationId): Promise<void> {
  if (!(await schemaExists(client))) return
  await client.query('BEGIN')
  try {
    const originals = await quieted(client, migration)
    for (const trigger of await userTriggers(client)) {
      const definition = originals.get(keyOf(trigger.table, trigger.name))
      if (definition !== undefined) await replaceTrigger(client, trigger, definition)
    }
    await client.query('DELETE FROM crossfade.quieted_trigger WHERE migration = $1', [migration])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** The inventory with its triggers as their owners know them, without the condition of `quietTriggers`. */
export async function withoutQuieting(
  client: ClientBase,
  migration: MigrationId,
  inventory: Inventory,
): Promise<Inventory> {
  if (!(await schemaExists(client))) return inventory
  const originals = await quieted(client, migration)
  if (originals.size === 0) return inventory
  const restore = (table: TableName) => (trigger: Trigger) => {
    const definition = originals.get(keyOf(table, trigger.name))
    return definition === undefined ? trigger : { ...trigger, definition }
  }
  return {
    ...inventory,
    tables: inventory.tables.map((table) => {
      if (!table.triggers.some((trigger) => trigger.definition.includes(writerSetting))) return table
      // Clones on partitions follow the trigger of the root.
      const own = table.triggers.map(restore(table.name))
      return { ...table, triggers: own.map((trigger) => (trigger.parent === null ? trigger : cloneOf(trigger))) }
    }),
  }
}

/** Adds a condition to what `pg_get_triggerdef` printed. */
export function withCondition(definition: string, condition: string): string {
  const tokens = tokenize(definition)
  let depth = 0
  let when = -1
  for (const [at, token] of tokens.entries()) {
    if (token.text === '(') depth += 1
    else if (token.text === ')') depth -= 1
    else if (depth === 0 && token.kind === 'identifier' && token.text === 'WHEN') when = at
    else if (depth === 0 && token.kind === 'identifier' && token.text === 'EXECUTE') {
      const text = (from: number, to: number) =>
        tokens
          .slice(from, to)
          .map((each) => each.text)
          .join('')
      if (when < 0) return `${text(0, at)}WHEN (${condition}) ${text(at, tokens.length)}`
      const before = text(when + 1, at).trim()
      return `${text(0, when)}WHEN ((${condition}) AND ${before}) ${text(at, tokens.length)}`
    }
  }
  return definition
}

interface UserTrigger {
  readonly table: TableName
  /** The table itself, or the partitioned table it is a part of. */
  readonly root: TableName
  readonly name: string
  readonly definition: string
  readonly enabled: string
}

const writerSetting = 'crossfade.writer'

/** Clones show the root's condition; only the name and state of them are compared. */
function cloneOf(trigger: Trigger): Trigger {
  const at = trigger.definition.indexOf(' WHEN (')
  const execute = trigger.definition.lastIndexOf(' EXECUTE ')
  if (at < 0 || !trigger.definition.includes(writerSetting)) return trigger
  const rest = /IS DISTINCT FROM '[^']*'::text\) AND (.*)\)\)$/s.exec(trigger.definition.slice(at + 1, execute))
  const when = rest ? ` WHEN (${rest[1]})` : ''
  return { ...trigger, definition: trigger.definition.slice(0, at) + when + trigger.definition.slice(execute) }
}

async function userTriggers(client: ClientBase): Promise<UserTrigger[]> {
  const { rows } = await client.query<Record<string, string>>(
    `SELECT n.nspname AS schema, c.relname AS "table", t.tgname AS name, pg_get_triggerdef(t.oid) AS definition, t.tgenabled::text AS enabled,
       rn.nspname AS root_schema, r.relname AS root_name
     FROM pg_trigger t
     JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace pn ON pn.oid = p.pronamespace
     JOIN pg_class r ON r.oid = CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END JOIN pg_namespace rn ON rn.oid = r.relnamespace
     WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND c.relkind IN ('r', 'p') AND pn.nspname <> 'crossfade'
     ORDER BY 1, 2, 3`,
  )
  return rows.map((row) => ({
    table: { schema: row['schema']!, name: row['table']! },
    root: { schema: row['root_schema']!, name: row['root_name']! },
    name: row['name']!,
    definition: row['definition']!,
    enabled: row['enabled']!,
  }))
}

/** What the changed triggers were. */
async function quieted(client: ClientBase, migration: MigrationId): Promise<Map<string, string>> {
  const { rows } = await client.query<Record<string, string>>(
    'SELECT table_schema, table_name, name, definition FROM crossfade.quieted_trigger WHERE migration = $1',
    [migration],
  )
  return new Map(
    rows.map((row) => [
      keyOf({ schema: row['table_schema']!, name: row['table_name']! }, row['name']!),
      row['definition']!,
    ]),
  )
}

async function replaceTrigger(client: ClientBase, trigger: UserTrigger, definition: string): Promise<void> {
  const table = quoteTable(trigger.table)
  const name = quoteIdentifier(trigger.name)
  if (definition.startsWith('CREATE CONSTRAINT TRIGGER')) {
    await client.query(`DROP TRIGGER ${name} ON ${table}`)
    await client.query(definition)
  } else {
    await client.query(definition.replace(/^CREATE TRIGGER/, 'CREATE OR REPLACE TRIGGER'))
  }
  // A replaced trigger is enabled the usual way again.
  const states: Record<string, string> = { A: 'ENABLE ALWAYS', D: 'DISABLE', R: 'ENABLE REPLICA' }
  const state = states[trigger.enabled]
  if (state) await client.query(`ALTER TABLE ${table} ${state} TRIGGER ${name}`)
}

function keyOf(table: TableName, name: string): string {
  return JSON.stringify([table.schema, table.name, name])
}
