import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { ClientBase } from 'pg'

/** True, spelled as nobody else would: the owner of a database may set no parameter of our own on it, so the value itself says that it is ours. */
const archived = 'tru'

/**
 * Makes a database refuse writes from sessions that begin from now on (`default_transaction_read_only`), in a way that tells a later plan that it may undo it.
 * Sessions of ours write all the same. Idempotent; undone by `unarchiveDatabase`. Rejects with CF2220 when the role does not own the database.
 */
export async function archiveDatabase(client: ClientBase, shard: ShardId): Promise<void> {
  await alterDatabase(client, shard, `SET default_transaction_read_only = '${archived}'`)
}

/** Opens a database again that `archiveDatabase` closed; does nothing for any other. Idempotent. Rejects with CF2220 when the role does not own it. */
export async function unarchiveDatabase(client: ClientBase, shard: ShardId): Promise<void> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
     WHERE d.datname = current_database() AND s.setrole = 0 AND 'default_transaction_read_only=${archived}' = ANY (s.setconfig)`,
  )
  if (rows.length > 0) await alterDatabase(client, shard, 'RESET default_transaction_read_only')
}

async function alterDatabase(client: ClientBase, shard: ShardId, change: string): Promise<void> {
  try {
    const { rows } = await client.query<{ name: string }>('SELECT quote_ident(current_database()) AS name')
    await client.query(`ALTER DATABASE ${rows[0]!.name} ${change}`)
  } catch (error) {
    if ((error as { code?: string }).code !== '42501') throw error
    const { rows } = await client.query<{ role: string }>('SELECT current_user AS role')
    throw fail('CF2220', { shard, role: rows[0]!.role, reason: reasonOf(error) }, error)
  }
}
