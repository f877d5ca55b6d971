import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { ClientBase } from 'pg'
import { address } from './inventory/scope.ts'
import { readInventory } from './inventory.ts'
import type { Inventory } from './inventory-types.ts'

/**
 * Notes in `crossfade.created_object` what `work` creates, in the client's open transaction, which must be REPEATABLE READ: then what others commit
 * meanwhile is not seen, and what is new is ours.
 */
export async function recordingCreated<T>(
  client: ClientBase,
  migration: MigrationId,
  work: () => Promise<T>,
): Promise<T> {
  const before = await objects(client)
  const result = await work()
  const made = [...(await objects(client))].filter(([object]) => !before.has(object)).map(([, row]) => row)
  await client.query(
    `INSERT INTO crossfade.created_object (migration, catalog, object, kind, identity)
     SELECT $1, made.catalog, made.object::oid, made.kind, made.identity
     FROM json_to_recordset($2::json) AS made(catalog text, object text, kind text, identity text)`,
    [migration, JSON.stringify(made)],
  )
  return result
}

/**
 * Drops what the migration created in the client's database and nothing else, in one transaction. Rejects with CF2208, having changed nothing, when
 * something that is not ours depends on it. Idempotent.
 */
export async function dropCreatedObjects(client: ClientBase, migration: MigrationId, shard: ShardId): Promise<void> {
  const inventory = await readInventory(client)
  await client.query('BEGIN')
  try {
    const created = await createdObjects(client, migration)
    const others = dependents(inventory, new Set(created.map((each) => `${each.catalog} ${each.object}`)))
    if (others.length > 0) throw fail('CF2208', { shard, others: others.slice(0, dependentsNamedMax).join(', ') })
    const schemas = created.filter((each) => each.kind === 'schema')
    for (const each of [...created.filter((each) => each.kind !== 'schema').reverse()])
      await drop(client, each, 'CASCADE')
    for (const each of schemas.reverse()) {
      await drop(client, each, 'RESTRICT').catch((error: unknown) => {
        throw fail(
          'CF2208',
          { shard, others: `other objects in the schema ${each.identity} (${reasonOf(error)})` },
          error,
        )
      })
    }
    await client.query('DELETE FROM crossfade.created_object WHERE migration = $1', [migration])
    await client.query('DELETE FROM crossfade.schema_work WHERE migration = $1', [migration])
    await client.query('DELETE FROM crossfade.created_schema WHERE migration = $1', [migration])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

interface CreatedObject {
  readonly catalog: string
  readonly object: string
  readonly kind: string
  readonly identity: string
}

/** What the migration created and is still there under the same name, oldest first. */
export async function createdObjects(client: ClientBase, migration: MigrationId): Promise<CreatedObject[]> {
  const { rows } = await client.query<CreatedObject>(
    `SELECT c.catalog, c.object::text AS object, c.kind, c.identity
     FROM crossfade.created_object c CROSS JOIN LATERAL pg_catalog.pg_identify_object(c.catalog::regclass, c.object, 0) AS now
     WHERE c.migration = $1 AND now.identity = c.identity ORDER BY c.ordinal`,
    [migration],
  )
  return rows
}

async function drop(client: ClientBase, object: CreatedObject, behaviour: 'CASCADE' | 'RESTRICT'): Promise<void> {
  const still = await client.query(
    'SELECT 1 FROM pg_catalog.pg_identify_object($1::regclass, $2::oid, 0) AS now WHERE now.identity = $3',
    [object.catalog, object.object, object.identity],
  )
  if (still.rows.length === 0) return
  const kind = dropWords[object.kind] ?? object.kind.toUpperCase()
  await client.query(`DROP ${kind} ${object.identity} ${behaviour}`)
}

/** Relations, routines and foreign keys that need what is about to go, and are not about to go themselves. */
function dependents(inventory: Inventory, ours: ReadonlySet<string>): string[] {
  const names = new Map<string, string>([
    ...inventory.tables.map((each): [string, string] => [each.address, `table ${tableKey(each.name)}`]),
    ...inventory.views.map((each): [string, string] => [each.address, `view ${tableKey(each.name)}`]),
    ...inventory.routines.map((each): [string, string] => [each.address, `${each.kind} ${each.schema}.${each.name}`]),
    ...inventory.types.map((each): [string, string] => [each.address, `type ${tableKey(each.name)}`]),
    ...inventory.others.map((each): [string, string] => [each.address, `${each.kind} ${each.identity}`]),
  ])
  const found = new Set<string>()
  for (const edge of inventory.dependencies) {
    const name = names.get(edge.object)
    if (name && ours.has(edge.needs) && !ours.has(edge.object)) found.add(name)
  }
  const ourTables = new Set(
    inventory.tables.filter((table) => ours.has(table.address)).map((table) => tableKey(table.name)),
  )
  for (const table of inventory.tables) {
    if (ours.has(table.address)) continue
    for (const constraint of table.constraints) {
      if (constraint.references && ourTables.has(tableKey(constraint.references.table)))
        found.add(`foreign key ${constraint.name} of ${tableKey(table.name)}`)
    }
  }
  return [...found].sort()
}

/** Every object of its own (no parts of others, no members of extensions) that users can have made. */
async function objects(client: ClientBase): Promise<Map<string, CreatedObject>> {
  const selects = catalogNames.map(
    ([catalog, condition]) =>
      `SELECT ${address(catalog, 'o.oid')} AS address, '${catalog}' AS catalog, o.oid FROM pg_catalog.${catalog} o
       WHERE o.oid >= 16384 AND ${condition} AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.${catalog}'::regclass AND d.objid = o.oid AND d.deptype IN ('e', 'i'))`,
  )
  const { rows } = await client.query<CreatedObject & { address: string }>(
    `SELECT o.address, o.catalog, o.oid::text AS object, i.type AS kind, i.identity
     FROM (${selects.join(' UNION ALL ')}) AS o CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.catalog::regclass, o.oid, 0) AS i
     WHERE i.identity IS NOT NULL ORDER BY o.oid`,
  )
  return new Map(rows.map(({ address, ...row }) => [address, row]))
}

const dependentsNamedMax = 5

const dropWords: Readonly<Record<string, string>> = {
  'composite type': 'TYPE',
  'statistics object': 'STATISTICS',
  'foreign-data wrapper': 'FOREIGN DATA WRAPPER',
}

const catalogNames: readonly (readonly [catalog: string, condition: string])[] = [
  ['pg_namespace', "o.nspname <> 'crossfade' AND o.nspname !~ '^pg_'"],
  ['pg_extension', 'true'],
  ['pg_collation', 'true'],
  [
    'pg_type',
    "(o.typrelid = 0 AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type e WHERE e.typarray = o.oid) OR EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c'))",
  ],
  ['pg_proc', 'true'],
  ['pg_class', "o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND o.relpersistence <> 't'"],
  ['pg_statistic_ext', 'true'],
  ['pg_operator', 'true'],
  ['pg_opfamily', 'true'],
  ['pg_opclass', 'true'],
  ['pg_cast', 'true'],
  ['pg_conversion', 'true'],
  ['pg_ts_config', 'true'],
  ['pg_ts_dict', 'true'],
  ['pg_ts_parser', 'true'],
  ['pg_ts_template', 'true'],
  ['pg_foreign_data_wrapper', 'true'],
  ['pg_foreign_server', 'true'],
  ['pg_event_trigger', 'true'],
  ['pg_language', 'true'],
  ['pg_transform', 'true'],
  ['pg_am', 'true'],
]
