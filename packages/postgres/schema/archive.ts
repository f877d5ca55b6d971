import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { ClientBase } from 'pg'

/**
 * Makes a database refuse writes from sessions that begin from now on (`default_transaction_read_only`), marked among the settings as ours so that a later
 * plan may undo it. Sessions of ours write all the same. Idempotent; undone by `unarchiveDatabase`. Rejects with CF2220 when the role does not own the
 * database.
 */
export async function archiveDatabase(client: ClientBase, shard: ShardId): Promise<void> {
  await alterDatabase(client, shard, ['SET default_transaction_read_only = on', "SET crossfade.archived = 'on'"])
}

/** Opens a database again that `archiveDatabase` closed; does nothing for any other. Idempotent. */
export async function unarchiveDatabase(client: ClientBase, shard: ShardId): Promise<void> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
     WHERE d.datname = current_database() AND s.setrole = 0 AND 'crossfade.archived=on' = ANY (s.setconfig)`,
  )
  if (rows.length === 0) return
  await alterDatabase(client, shard, ['RESET default_transaction_read_only', 'RESET crossfade.archived'])
}

async function alterDatabase(client: ClientBase, shard: ShardId, changes: readonly string[]): Promise<void> {
  try {
    const { rows } = await client.query<{ name: string; role: string }>(
      'SELECT quote_ident(current_database()) AS name, current_user AS role',
    )
    await client.query('BEGIN')
    for (const change of changes) await client.query(`ALTER DATABASE ${rows[0]!.name} ${change}`)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    if ((error as { code?: string }).code !== '42501') throw error
    const { rows } = await client.query<{ role: string }>('SELECT current_user AS role')
    throw fail('CF2220', { shard, role: rows[0]!.role, reason: reasonOf(error) }, error)
  }
}
