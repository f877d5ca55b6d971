import { fail } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { Infrastructure } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { writerSession } from '../connection/connect.ts'
import type { ShardPool } from '../connection/pool.ts'
import { conflictPolicy, retrying } from '../connection/retry.ts'
import type { SecretSources } from '../connection/secret.ts'
import { removeDuplicates } from '../snapshot/remove-duplicates.ts'
import { archiveDatabase, unarchiveDatabase } from './archive.ts'
import { backupDatabases } from './backup.ts'
import { compareSchema, sameViewOnTarget } from './compare.ts'
import { conflicts } from './conflicts.ts'
import { createControlSchema, raiseEpochFloor, removeControlSchema, schemaExists } from './control-schema.ts'
import { createdSchema, createTargetSchema, type SchemaToCreate } from './create-schema.ts'
import { dropCreatedObjects } from './created-objects.ts'
import { desiredSchema } from './desired.ts'
import { dumpedSchema } from './dump.ts'
import { type ScriptTarget, schemaScript } from './generate/script.ts'
import { readInventory } from './inventory.ts'
import { findPgDump } from './pg-dump.ts'
import { quietTriggers, restoreTriggers, withoutQuieting } from './quiet-triggers.ts'
import { createReplication, dropReplication, replicationLeftovers } from './replication.ts'
import { type ColumnName, carrySequenceValues } from './sequences.ts'
import { readTarget } from './target.ts'
import { listSchemaWork, runSchemaUnit } from './work.ts'

export interface InfrastructureOptions {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  pool(shard: ShardId): ShardPool
  readonly secrets?: SecretSources
  /** Removes the fences of the cutover on a side. */
  removeFences(side: Side): Promise<void>
  /** A pg_dump to use; null: never; undefined: one at least as new as the source is looked for. */
  readonly pgDump?: string | null
}

export interface PostgresInfrastructure extends Infrastructure {
  /** Sets the sequences of `to` past those of `from`; see `carrySequenceValues`. */
  carrySequences(from: Side, to: Side): Promise<void>
}

/** Schema, control schema, sequences and backup of one migration on PostgreSQL. Holds no state of its own. */
export function createInfrastructure(options: InfrastructureOptions): PostgresInfrastructure {
  const { plan, migration } = options
  const shardsOf = (side: Side) => plan[side].shards
  const on = <T>(shard: ShardId, work: (client: ClientBase) => Promise<T>) => options.pool(shard).withConnection(work)
  const each = <T>(side: Side, work: (client: ClientBase, shard: ShardId) => Promise<T>) =>
    Promise.all(shardsOf(side).map(({ id }) => on(id, (client) => work(client, id))))
  /** The schema comes from the first source shard; that the others have the same is what the doctor looks at. */
  const schemaShard = () => shardsOf('source')[0]!

  const wanted = async () => {
    const source = await on(schemaShard().id, async (client) =>
      withoutQuieting(client, migration, await readInventory(client)),
    )
    return desiredSchema(plan, source, schemaShard().id)
  }
  /** On the side to which changes are applied. */
  const quiet = (side: Side) =>
    each(side, async (client) => {
      if (writerSession(client)?.replicaRole === false)
        await quietShard(
          client,
          migration,
          plan.tables.map((table) => table[side]),
        )
    })

  return {
    async createControlSchema(side, floor) {
      // What an earlier plan archived may be a source once more, or the target of the way back by a new plan.
      await each(side, unarchiveDatabase)
      await each(side, createControlSchema)
      if (floor) await each(side, (client) => raiseEpochFloor(client, migration, floor))
    },

    async createSchema() {
      const made = await each('target', (client) => createdSchema(client, migration))
      if (made.every((one) => one !== null)) return distinct(made.flatMap((one) => one!.findings))
      const desired = await wanted()
      const dump =
        plan.schema.mode === 'create' && desired.mapping.identical && desired.mapping.complete
          ? await findPgDump(options.pgDump, desired.inventory.serverVersion)
          : null
      const findings: Finding[] = []
      for (const [index, { id }] of shardsOf('target').entries()) {
        const already = made[index]
        if (already) {
          findings.push(...already.findings)
          continue
        }
        const target = await on(id, (client) => readTarget(client, id))
        const schema = await schemaFor(target, desired, dump)
        findings.push(...(await on(id, (client) => createTargetSchema(client, migration, id, schema))))
      }
      return distinct(findings)
    },

    async schemaWork() {
      return (await each('target', (client, shard) => listSchemaWork(client, migration, shard))).flat()
    },

    async runSchemaWork(work, context) {
      const moved = work.phase === 'primary' && work.table ? tableKey(work.table) : null
      const table = plan.tables.find((candidate) => tableKey(candidate.target) === moved)
      if (table) await on(work.target, (client) => removeDuplicates(client, migration, plan, table))
      await runSchemaUnit(options.pool(work.target), migration, work, context)
    },

    async compareSchemas() {
      const desired = await wanted()
      const compared = await each('target', async (client, shard) => {
        const inventory = await withoutQuieting(client, migration, await readInventory(client))
        return compareSchema(desired, inventory, shard, plan.schema.mode, (expected, found) =>
          sameViewOnTarget(client, expected, found),
        )
      })
      return distinct(compared.flat())
    },

    async createSlots(side) {
      await quiet(otherSide(side))
      await each(side, (client, shard) => createReplication(client, { plan, migration, side, shard }))
    },
    async dropSlots(side) {
      await each(side, (client, shard) => dropReplication(client, migration, shard))
    },

    async removeAll(side) {
      await each(side, (client, shard) => dropReplication(client, migration, shard))
      await each(side, (client) => restoreTriggers(client, migration))
      await options.removeFences(side)
      await each(side, (client) => removeControlSchema(client, migration))
    },

    async leftovers(side) {
      const found = await each(side, async (client, shard) => [
        ...(await replicationLeftovers(client, migration)).map((name) => `${shard} ${name}`),
        ...(await ownLeftovers(client, migration)).map((name) => `${shard} ${name}`),
      ])
      return found.flat()
    },

    async dropCreatedSchema() {
      await each('target', async (client, shard) => {
        if (await schemaExists(client)) await dropCreatedObjects(client, migration, shard)
      })
    },

    async archiveSource() {
      if (plan.archive !== 'readonly') return
      await each('source', (client, shard) => archiveDatabase(client, shard))
    },

    backup: (context) => backupDatabases({ plan, migration, pool: options.pool, secrets: options.secrets, context }),

    carrySequences(from, to) {
      const shards = (side: Side) => shardsOf(side).map(({ id }) => sequenceShard(options.pool(id)))
      return carrySequenceValues(shards(from), shards(to), plan.cutover.sequenceMargin, columnNames(plan, from))
    },
  }

  async function schemaFor(
    target: ScriptTarget,
    desired: Awaited<ReturnType<typeof wanted>>,
    dump: string | null,
  ): Promise<SchemaToCreate> {
    if (plan.schema.mode === 'existing') return { way: 'existing', pre: [], units: [], findings: [] }
    const inTheWay = conflicts(desired, target.inventory)
    if (inTheWay.length > 0) {
      throw fail('CF2207', { shard: target.shard, objects: inTheWay.slice(0, conflictsNamedMax).join(', ') })
    }
    if (dump !== null) return dumpedSchema({ path: dump, secrets: options.secrets }, schemaShard(), desired, target)
    const script = schemaScript(desired, target)
    return {
      way: 'catalog',
      pre: script.pre,
      units: script.units,
      findings: [...desired.findings, ...script.findings],
    }
  }
}

/** In a transaction of its own that gives up quickly: waiting for a lock would make everybody else wait behind it. */
async function quietShard(client: ClientBase, migration: MigrationId, tables: readonly TableName[]): Promise<void> {
  await retrying(
    async () => {
      await client.query('BEGIN')
      try {
        await client.query(`SET LOCAL lock_timeout = ${quietLockMsMax}`)
        await quietTriggers(client, migration, tables)
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined)
        if ((error as { code?: string }).code !== lockNotAvailable) throw error
        throw fail('CF2222', { milliseconds: quietLockMsMax }, error)
      }
    },
    { policy: conflictPolicy },
  )
}

const quietLockMsMax = 200
const lockNotAvailable = '55P03'

function sequenceShard(pool: ShardPool) {
  return { id: pool.shard, withConnection: <T>(work: (client: ClientBase) => Promise<T>) => pool.withConnection(work) }
}

/** From a column of one side to the same one on the other, by the plan; leaves of partitioned tables keep their names. */
function columnNames(plan: ResolvedPlan, from: Side): ColumnName {
  const to = otherSide(from)
  const tables = new Map(plan.tables.map((table) => [tableKey(table[from]), table]))
  const leaves = new Map(plan.tables.flatMap((table) => table.leaves.map((leaf) => [tableKey(leaf), table] as const)))
  return (table, column) => {
    const planned = tables.get(tableKey(table)) ?? leaves.get(tableKey(table))
    const name = planned?.columns.find((each) => each[from] === column)?.[to]
    if (!planned || name === undefined) return null
    return { table: tables.has(tableKey(table)) ? planned[to] : table, column: name }
  }
}

/** Triggers, functions and rows of ours that a database still holds; the schema itself counts when no migration has anything in it. */
async function ownLeftovers(client: ClientBase, migration: MigrationId): Promise<string[]> {
  if (!(await schemaExists(client))) return []
  const { rows } = await client.query<{ name: string }>(
    `SELECT 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass AS name FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
       JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'crossfade' AND NOT t.tgisinternal
     UNION ALL SELECT 'table crossfade.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = 'crossfade' AND c.relkind = 'r'
     UNION ALL SELECT 'schema crossfade' FROM pg_namespace WHERE nspname = 'crossfade'`,
  )
  const others = await otherMigrations(client, migration)
  return others ? [] : rows.map((row) => row.name)
}

async function otherMigrations(client: ClientBase, migration: MigrationId): Promise<boolean> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE n.nspname = 'crossfade' AND c.relkind = 'r' AND a.attname = 'migration' AND NOT a.attisdropped`,
  )
  let others = false
  for (const { name } of rows) {
    const { rows: found } = await client.query(`SELECT migration FROM ${name} LIMIT 2`)
    if (found.some((row) => row.migration === migration)) return false
    others ||= found.length > 0
  }
  return others
}

function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((each) => [JSON.stringify([each.code, each.subject, each.message]), each])).values()]
}

const conflictsNamedMax = 5
