import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { streamName, streamNamePrefix } from '../changes/names.ts'
import { createPublication, dropPublication, publicationsNamed } from '../changes/publication.ts'
import { ensureReplicaIdentity, restoreReplicaIdentity } from '../changes/replica-identity.ts'
import { dropSlot, slotStatus, slotsNamed } from '../changes/slots.ts'
import { schemaExists } from './control-schema.ts'

/**
 * Makes a shard ready to be followed: replica identities, publication, and on the target the slot. A source's slot is created by the
 * opening of its snapshot, since only then copy and stream meet exactly. Idempotent. The control schema must be there.
 */
export async function createReplication(
  client: ClientBase,
  options: {
    readonly plan: ResolvedPlan
    readonly migration: MigrationId
    readonly side: Side
    readonly shard: ShardId
  },
): Promise<void> {
  const { plan, migration, side, shard } = options
  const name = streamName(
    migration,
    side,
    plan[side].shards.findIndex((each) => each.id === shard),
  )
  const leaves = await leavesOf(client)
  const logged = await loggedTables(client)
  const tables = plan.tables
    .filter((table) => logged.has(tableKey(table[side])))
    .map((table) => ({
      name: table[side],
      leaves: leaves.get(tableKey(table[side])) ?? [],
      identity:
        table.identity.kind === 'full' || side === 'source'
          ? table.identity
          : {
              kind: 'key' as const,
              columns: table.identity.columns.map(
                (column) => table.columns.find((each) => each.source === column)?.target ?? column,
              ),
            },
    }))
  await ensureReplicaIdentity(client, migration, tables)
  await createPublication(client, { shard, publication: name, tables: tables.map((table) => table.name) })
  if (side === 'target' && (await slotStatus(client, name)) === null) await createSlot(client, shard, name)
}

/** Drops every slot and publication of the migration in the database, and puts replica identities back. Idempotent. */
export async function dropReplication(client: ClientBase, migration: MigrationId, shard: ShardId): Promise<void> {
  const prefix = streamNamePrefix(migration)
  for (const { slot } of await slotsNamed(client, prefix)) await dropSlot(client, shard, slot)
  for (const publication of await publicationsNamed(client, prefix)) await dropPublication(client, publication)
  if (await schemaExists(client)) await restoreReplicaIdentity(client, migration)
}

/** Slots and publications of the migration that are still in the database. */
export async function replicationLeftovers(client: ClientBase, migration: MigrationId): Promise<string[]> {
  const prefix = streamNamePrefix(migration)
  return [
    ...(await slotsNamed(client, prefix)).map((status) => `slot ${status.slot}`),
    ...(await publicationsNamed(client, prefix)).map((name) => `publication ${name}`),
  ]
}

async function createSlot(client: ClientBase, shard: ShardId, slot: string): Promise<void> {
  try {
    await client.query(`SELECT pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')`, [slot])
  } catch (error) {
    const code = (error as { code?: string }).code
    if (code === duplicateObject) return
    if (code === configurationLimit) throw fail('CF3016', { shard, slot, reason: reasonOf(error) }, error)
    if (code === notInState) throw fail('CF3017', { shard, slot, reason: reasonOf(error) }, error)
    throw error
  }
}

/** Tables whose changes are in the log; a publication takes no others. */
async function loggedTables(client: ClientBase): Promise<Set<string>> {
  const { rows } = await client.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'`,
  )
  return new Set(rows.map(tableKey))
}

async function leavesOf(client: ClientBase): Promise<Map<string, TableName[]>> {
  const { rows } = await client.query<{ root_schema: string; root_name: string; schema: string; name: string }>(
    `SELECT rn.nspname AS root_schema, r.relname AS root_name, n.nspname AS schema, c.relname AS name
     FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
     CROSS JOIN LATERAL pg_partition_tree(r.oid) AS part
     JOIN pg_class c ON c.oid = part.relid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE r.relkind = 'p' AND NOT r.relispartition AND part.isleaf ORDER BY 1, 2, 3, 4`,
  )
  const leaves = new Map<string, TableName[]>()
  for (const row of rows) {
    const root = tableKey({ schema: row.root_schema, name: row.root_name })
    leaves.set(root, [...(leaves.get(root) ?? []), { schema: row.schema, name: row.name }])
  }
  return leaves
}

const duplicateObject = '42710'
const configurationLimit = '53400'
const notInState = '55000'
