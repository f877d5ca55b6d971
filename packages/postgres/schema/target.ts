import type { ShardId } from '@crossfade/model/ids.ts'
import type { ClientBase } from 'pg'
import type { ScriptTarget } from './generate/script.ts'
import { readInventory } from './inventory.ts'

/** What DDL for a target depends on: what is there, and what the connected role may give away. */
export async function readTarget(client: ClientBase, shard: ShardId): Promise<ScriptTarget> {
  const inventory = await readInventory(client)
  const { rows } = await client.query<{ self: string; ownable: string }>(
    `SELECT current_user AS self, (SELECT json_agg(r.rolname) FROM pg_roles r WHERE pg_has_role(current_user, r.oid, 'USAGE'))::text AS ownable`,
  )
  return {
    shard,
    inventory,
    roles: new Set(inventory.roles),
    ownable: new Set(JSON.parse(rows[0]!.ownable) as string[]),
    self: rows[0]!.self,
  }
}
