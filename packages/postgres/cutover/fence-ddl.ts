import type { Epoch, MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { TableName } from '@crossfade/model/table-name.ts'
import { routeSql } from '@crossfade/routing/route-sql.ts'
import { keyExpressionSql } from '@crossfade/routing/table-key.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import { quoteLiteral, quoteTable } from '../connection/quote.ts'

/** SQLSTATE of every refusal by a fence; clients match it. */
export const fencedSqlState = 'CF001'
/** The row trigger: decides row by row. On a partitioned table its partitions get a clone, also those made later. */
export const rowTriggerName = 'crossfade_fence'
/** The statement trigger: refuses TRUNCATE, and statements that touch no row while everything here is fenced. */
export const statementTriggerName = 'crossfade_fence_statement'

/** One table of one database, with everything named as this database has it. */
export interface FencedTable {
  readonly table: TableName
  readonly route: TableRoute
}

/** One unit that is fenced in a database. */
export interface FencedUnit {
  readonly unit: ShardId
  readonly epoch: Epoch
  /** Who answers for its keys now, as the refused client is told. */
  readonly owner: string
}

/**
 * How a row's unit is found in one database. `everything`: whatever is here belongs to that unit (a source shard).
 * `byKey`: by the row's key and the topology of the source (a target shard). Tables whose rows have no key belong to `keyless`.
 */
export type UnitRule =
  | { readonly kind: 'everything'; readonly unit: ShardId }
  | {
      readonly kind: 'byKey'
      readonly topology: Topology
      readonly units: readonly ShardId[]
      readonly keyless: ShardId
    }

/** The table that remembers which units are fenced in this database; what is baked into the functions is made from it. */
export const fenceTableSql = `CREATE TABLE IF NOT EXISTS crossfade.fence_unit (
  migration text NOT NULL,
  unit text NOT NULL,
  epoch bigint NOT NULL,
  owner text NOT NULL,
  fenced_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (migration, unit)
)`

/** The triggers' functions of all tables in one database. They ask the state (`fenceStateSql`) what is fenced, and never change with it. */
export function fenceFunctionsSql(migration: MigrationId, tables: readonly FencedTable[], rule: UnitRule): string {
  return tables.map((table, ordinal) => tableFunctionsSql(migration, table, ordinal, rule)).join('\n')
}

/**
 * The function that says what is fenced in this database now, as a constant: what a fence changes, and all it changes. A function and not a row of a table, because every
 * transaction sees the catalog as it is, also one whose snapshot is older than the fence. Null: everything passes.
 */
export function fenceStateSql(migration: MigrationId, rule: UnitRule, fenced: readonly FencedUnit[]): string {
  const units = Object.fromEntries(fenced.map(({ unit, epoch, owner }) => [unit, { epoch, owner }]))
  const known = rule.kind === 'everything' ? [rule.unit] : rule.units
  const all = known.length > 0 && known.every((unit) => Object.hasOwn(units, unit))
  const first = fenced[0]?.unit ?? null
  const state = first === null ? 'NULL' : `${quoteLiteral(JSON.stringify({ all, first, units }))}::jsonb`
  return `CREATE OR REPLACE FUNCTION ${fenceStateName(migration)}() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $crossfade$
BEGIN
  RETURN ${state};
END $crossfade$;`
}

/** The name of that function, already quoted. */
export function fenceStateName(migration: MigrationId): string {
  return `crossfade."fence_state_${suffixOf(migration)}"`
}

/** The names of a table's two functions, already quoted. Stable for one plan: the ordinal is the table's place in it. */
export function fenceFunctionNames(
  migration: MigrationId,
  ordinal: number,
): { readonly row: string; readonly statement: string } {
  const suffix = `${suffixOf(migration)}_${ordinal}`
  return { row: `crossfade."fence_row_${suffix}"`, statement: `crossfade."fence_statement_${suffix}"` }
}

/**
 * Creates the triggers of a table where they are missing, disabled: on the table itself and on everything that inherits from it. Idempotent.
 * Takes a SHARE ROW EXCLUSIVE lock where one is missing; waits for it no longer than the session's `lock_timeout`.
 */
export function createTriggersSql(migration: MigrationId, table: FencedTable, ordinal: number): string {
  const names = fenceFunctionNames(migration, ordinal)
  return `DO $crossfade$
DECLARE member record;
BEGIN
  FOR member IN ${membersSql(table.table)} LOOP
    ${createMissing('row', names.row)}
    ${createMissing('statement', names.statement)}
  END LOOP;
END $crossfade$;`
}

/** Enables the triggers of a table in every session, replicas' too; creates those of partitions that were made since `createTriggersSql`. */
export function armSql(migration: MigrationId, table: FencedTable, ordinal: number): string {
  return `${createTriggersSql(migration, table, ordinal)}\n${switchTriggersSql(table, 'ENABLE ALWAYS', 'A')}`
}

/** Disables the triggers of a table, so that its writes cost what they did before. */
export function disarmSql(table: FencedTable): string {
  return switchTriggersSql(table, 'DISABLE', 'D')
}

/** Drops the triggers of a table, wherever they are. */
export function dropTriggersSql(table: FencedTable): string {
  return `DO $crossfade$
DECLARE member record;
BEGIN
  FOR member IN ${membersSql(table.table)} LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS ${statementTriggerName} ON %s', member.name);
    -- A clone on a partition goes with the trigger of its root.
    IF NOT member.cloned THEN EXECUTE format('DROP TRIGGER IF EXISTS ${rowTriggerName} ON %s', member.name); END IF;
  END LOOP;
END $crossfade$;`
}

/** The places in `tables` of those that have a member without both triggers enabled for all sessions: rows of one column, `ordinal`. */
export function unarmedSql(tables: readonly FencedTable[]): string {
  const names = tables.map(({ table }) => quoteLiteral(quoteTable(table))).join(', ')
  return `WITH RECURSIVE member AS (
      SELECT (t.place - 1)::text AS ordinal, c.oid, c.relkind FROM pg_catalog.unnest(ARRAY[${names}]::text[]) WITH ORDINALITY AS t(name, place)
        JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(t.name)
      UNION
      SELECT m.ordinal, c.oid, c.relkind FROM member m JOIN pg_catalog.pg_inherits i ON i.inhparent = m.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    ) SELECT DISTINCT m.ordinal FROM member m WHERE m.relkind IN ('r', 'p')
      AND (SELECT count(*) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = m.oid AND ${ours('t')} AND t.tgenabled = 'A') < 2`
}

function suffixOf(migration: MigrationId): string {
  return migration.replace(/^mig_/, '').replace(/[^a-z0-9_]/g, '_')
}

function tableFunctionsSql(migration: MigrationId, table: FencedTable, ordinal: number, rule: UnitRule): string {
  const names = fenceFunctionNames(migration, ordinal)
  const constant = constantUnit(table.route, rule)
  const refuse = refusal(migration)
  const row =
    constant === null
      ? byKeyBody(table.route, rule, refuse)
      : `unit := ${quoteLiteral(constant)};
  IF fenced -> 'units' ? unit THEN
    ${refuse}
  END IF;`
  // A statement that touches no row is refused where no row could be written: its client looks at the wrong database.
  const statement =
    constant === null
      ? `IF (fenced ->> 'all')::boolean OR TG_OP = 'TRUNCATE' THEN
    unit := fenced ->> 'first';
    ${refuse}
  END IF;`
      : row
  return `${functionSql(migration, names.row, row, 'coalesce(NEW, OLD)')}
${functionSql(migration, names.statement, statement, 'NULL')}`
}

/** SECURITY DEFINER because the row's key may lie in a parent that the writing role may not read. */
function functionSql(migration: MigrationId, name: string, body: string, passed: string): string {
  return `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $crossfade$
DECLARE
  unit text;
  fenced jsonb := ${fenceStateName(migration)}();
BEGIN
  IF fenced IS NULL OR pg_catalog.current_setting('crossfade.writer', true) = ${quoteLiteral(migration)} THEN RETURN ${passed}; END IF;
  ${body}
  RETURN ${passed};
END $crossfade$;`
}

function byKeyBody(route: TableRoute, rule: UnitRule, refuse: string): string {
  if (rule.kind !== 'byKey') return ''
  const unitOf = (row: 'OLD' | 'NEW') =>
    `unit := (SELECT ${routeSql(rule.topology, keyExpressionSql(route, 'crossfade_row'))} FROM (SELECT ${row}.*) AS crossfade_row);`
  // Where the key is in a parent that this very statement deletes or changes, the parent's own fence has decided about the cascade.
  const unknown =
    route.kind === 'parent'
      ? `(unit IS NULL AND NOT (TG_OP <> 'INSERT' AND pg_catalog.pg_trigger_depth() > 1))`
      : 'unit IS NULL'
  const check = (row: 'OLD' | 'NEW') => `${unitOf(row)}
    IF ${unknown} OR fenced -> 'units' ? unit THEN
      ${refuse}
    END IF;`
  return `IF TG_OP <> 'INSERT' THEN
    ${check('OLD')}
  END IF;
  IF TG_OP <> 'DELETE' THEN
    ${check('NEW')}
  END IF;`
}

/** A row whose unit nobody knows (a NULL key) is refused while anything is fenced; it is then reported for the first fenced unit. */
function refusal(migration: MigrationId): string {
  const entry = `(fenced -> 'units' -> coalesce(unit, fenced ->> 'first'))`
  return `RAISE EXCEPTION 'crossfade: writes to this key have moved to % (routing epoch %)', ${entry} ->> 'owner', ${entry} ->> 'epoch'
    USING ERRCODE = '${fencedSqlState}', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      DETAIL = jsonb_build_object('migration', ${quoteLiteral(migration)}, 'epoch', (${entry} ->> 'epoch')::bigint, 'unit', unit)::text,
      HINT = 'Read the new routing and send the write there.';`
}

/** The unit that all rows of a table belong to; null where it depends on the row. */
function constantUnit(route: TableRoute, rule: UnitRule): ShardId | null {
  if (rule.kind === 'everything') return rule.unit
  if (rule.topology.kind === 'single') return rule.topology.shard
  return route.kind === 'whole' || route.kind === 'reference' ? rule.keyless : null
}

/** A table and all that inherits from it, partitions or heirs; `cloned` where the row trigger comes from a partitioned parent. */
function membersSql(table: TableName): string {
  return `WITH RECURSIVE member AS (
      SELECT c.oid, c.relkind, false AS cloned FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass(${quoteLiteral(quoteTable(table))})
      UNION
      SELECT c.oid, c.relkind, c.relispartition FROM member m JOIN pg_catalog.pg_inherits i ON i.inhparent = m.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    ) SELECT oid, oid::pg_catalog.regclass::text AS name, cloned FROM member WHERE relkind IN ('r', 'p')`
}

function createMissing(level: 'row' | 'statement', functionName: string): string {
  const name = level === 'row' ? rowTriggerName : statementTriggerName
  const events = level === 'row' ? 'INSERT OR UPDATE OR DELETE' : 'INSERT OR UPDATE OR DELETE OR TRUNCATE'
  const create = `CREATE TRIGGER ${name} BEFORE ${events} ON %1$s FOR EACH ${level.toUpperCase()} EXECUTE FUNCTION ${functionName}()`
  return `IF ${level === 'row' ? 'NOT member.cloned AND ' : ''}NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = member.oid AND tgname = '${name}') THEN
      EXECUTE format(${quoteLiteral(create)}, member.name);
      EXECUTE format('ALTER TABLE %1$s DISABLE TRIGGER ${name}', member.name);
    END IF;`
}

function switchTriggersSql(table: FencedTable, action: 'ENABLE ALWAYS' | 'DISABLE', state: 'A' | 'D'): string {
  return `DO $crossfade$
DECLARE found record;
BEGIN
  FOR found IN SELECT m.name, t.tgname FROM (${membersSql(table.table)}) AS m JOIN pg_catalog.pg_trigger t ON t.tgrelid = m.oid
    WHERE ${ours('t')} AND t.tgenabled <> '${state}' LOOP
    EXECUTE format('ALTER TABLE %s ${action} TRIGGER %I', found.name, found.tgname);
  END LOOP;
END $crossfade$;`
}

function ours(alias: string): string {
  return `${alias}.tgname IN ('${rowTriggerName}', '${statementTriggerName}')`
}
