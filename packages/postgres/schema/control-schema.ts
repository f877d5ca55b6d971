import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { EpochFloor } from '@crossfade/pipeline/data-plane.ts'
import type { ClientBase } from 'pg'

/**
 * Creates the schema `crossfade` with its tables in the client's database. Idempotent, and safe when several processes do it at once.
 * Where everything exists already no privilege beyond USAGE is needed; otherwise the role needs CREATE on the database.
 * The client must not be in a transaction. Rejects with CF2201 when the role may not create it.
 */
export async function createControlSchema(client: ClientBase, shard: ShardId): Promise<void> {
  if (await isCurrent(client)) return
  await client.query('BEGIN')
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${controlSchemaLock})`)
    if (!(await schemaExists(client))) await client.query('CREATE SCHEMA crossfade')
    await client.query(controlTables)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    if ((error as { code?: string }).code !== insufficientPrivilege) throw error
    const { rows } = await client.query<{ database: string; role: string }>(
      'SELECT current_database() AS database, current_user AS role',
    )
    throw fail('CF2201', { shard, ...rows[0], reason: reasonOf(error) }, error)
  }
}

/** Refuses epochs below the floor in the client's database from now on. A floor that is there is never lowered. Idempotent. */
export async function raiseEpochFloor(client: ClientBase, migration: MigrationId, floor: EpochFloor): Promise<void> {
  await client.query(
    `INSERT INTO crossfade.epoch_floor AS stored VALUES ($1, $2, $3) ON CONFLICT (migration)
     DO UPDATE SET lease = greatest(stored.lease, excluded.lease), routing = greatest(stored.routing, excluded.routing)`,
    [migration, floor.lease, floor.routing],
  )
}

/** Whether the schema `crossfade` is in the client's database. */
export async function schemaExists(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query(`SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'crossfade'`)
  return rows.length > 0
}

/**
 * Forgets one migration, and drops the schema `crossfade` with all that is in it when no other migration has anything there.
 * Triggers that call functions of the schema go with it. Idempotent.
 */
export async function removeControlSchema(client: ClientBase, migration: MigrationId): Promise<void> {
  if (!(await schemaExists(client))) return
  await client.query('BEGIN')
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${controlSchemaLock})`)
    const present = await client.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = 'crossfade' AND c.relname = ANY($1)`,
      [migrationTables],
    )
    let others = false
    for (const { name } of present.rows) {
      await client.query(`DELETE FROM crossfade.${name} WHERE migration = $1`, [migration])
      const { rows } = await client.query(`SELECT 1 FROM crossfade.${name} LIMIT 1`)
      others ||= rows.length > 0
    }
    if (!others) await client.query('DROP SCHEMA IF EXISTS crossfade CASCADE')
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** True when every table is there, so that a role without CREATE on the database can go on with what its administrator made. */
async function isCurrent(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ count: string }>(
    `SELECT count(*) AS count FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'crossfade' AND c.relkind = 'r' AND c.relname = ANY($1)`,
    [migrationTables],
  )
  return Number(rows[0]!.count) === migrationTables.length
}

/** SQLSTATE insufficient_privilege. */
const insufficientPrivilege = '42501'
/** Key of the advisory lock under which the schema is made and removed: the bytes of `cfschema`. */
const controlSchemaLock = '7163371193127463265'

const migrationTables = [
  'lease_epoch',
  'epoch_floor',
  'chunk_done',
  'applied_position',
  'created_object',
  'created_schema',
  'schema_work',
  'remembered_identity',
  'quieted_trigger',
]

const controlTables = `
CREATE TABLE IF NOT EXISTS crossfade.lease_epoch (
  migration text NOT NULL,
  lease text NOT NULL,
  epoch bigint NOT NULL,
  PRIMARY KEY (migration, lease)
);
CREATE TABLE IF NOT EXISTS crossfade.epoch_floor (
  migration text PRIMARY KEY,
  lease bigint NOT NULL,
  routing bigint NOT NULL
);
CREATE OR REPLACE FUNCTION crossfade.refuse_low_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM crossfade.epoch_floor AS f
             WHERE f.migration = NEW.migration AND NEW.epoch < CASE NEW.lease WHEN 'cutover' THEN f.routing ELSE f.lease END) THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER refuse_low_epoch BEFORE INSERT ON crossfade.lease_epoch
  FOR EACH ROW EXECUTE FUNCTION crossfade.refuse_low_epoch();
ALTER TABLE crossfade.lease_epoch ENABLE ALWAYS TRIGGER refuse_low_epoch;
CREATE TABLE IF NOT EXISTS crossfade.chunk_done (
  migration text NOT NULL,
  chunk_id text NOT NULL,
  epoch bigint NOT NULL,
  rows bigint NOT NULL,
  bytes bigint NOT NULL,
  snapshot_lsn pg_lsn NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (migration, chunk_id)
);
CREATE TABLE IF NOT EXISTS crossfade.applied_position (
  migration text NOT NULL,
  stream text NOT NULL,
  lsn pg_lsn NOT NULL,
  "offset" bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (migration, stream)
);
CREATE TABLE IF NOT EXISTS crossfade.created_object (
  migration text NOT NULL,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  catalog text NOT NULL,
  object oid NOT NULL,
  kind text NOT NULL,
  identity text NOT NULL,
  PRIMARY KEY (migration, ordinal)
);
CREATE TABLE IF NOT EXISTS crossfade.created_schema (
  migration text PRIMARY KEY,
  way text NOT NULL,
  findings jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS crossfade.schema_work (
  migration text NOT NULL,
  id text NOT NULL,
  ordinal integer NOT NULL,
  phase text NOT NULL,
  table_schema text,
  table_name text,
  description text NOT NULL,
  steps jsonb NOT NULL,
  transactions_done integer NOT NULL DEFAULT 0,
  done boolean NOT NULL DEFAULT false,
  findings jsonb NOT NULL DEFAULT '[]',
  PRIMARY KEY (migration, id)
);
CREATE TABLE IF NOT EXISTS crossfade.remembered_identity (
  migration text NOT NULL,
  table_schema text NOT NULL,
  table_name text NOT NULL,
  setting text NOT NULL,
  PRIMARY KEY (migration, table_schema, table_name)
);
CREATE TABLE IF NOT EXISTS crossfade.quieted_trigger (
  migration text NOT NULL,
  table_schema text NOT NULL,
  table_name text NOT NULL,
  name text NOT NULL,
  definition text NOT NULL,
  PRIMARY KEY (migration, table_schema, table_name, name)
);
`
