import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { StreamEvent } from '../changes/transaction.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import { isTransient } from '../connection/transient.ts'
import type { DirectedTable, Direction } from './direction.ts'
import type { OriginReader } from './origin-reader.ts'
import { StepError } from './pipeline.ts'
import type { TargetSession } from './target-session.ts'

/** The tables have other columns now than this run was set up for; the next one will see them. */
export class DefinitionsChanged extends Error {
  override readonly name = 'DefinitionsChanged'
}

/** Everybody who reads the table waits behind an ALTER that waits. Past this the stream gives way, and tries again. */
const lockMsMax = 2_000

interface ColumnDefinition {
  readonly name: string
  readonly type: string
  readonly generated: boolean
  /** SQL; null when there is none. */
  readonly default: string | null
  /** Rows that were there before the column was added show its default, which therefore is one value for all of them. */
  readonly constantDefault: boolean
  readonly notNull: boolean
}

export interface DefinitionsContext {
  readonly plan: ResolvedPlan
  readonly direction: Direction
  readonly sessions: readonly TargetSession[]
  readonly origin: OriginReader
}

/**
 * The direction with the columns that were added on both sides since the plan was made; the direction itself where there are none, or where the plan does not
 * want them to be carried.
 */
export async function withAddedColumns({ plan, direction, sessions, origin }: DefinitionsContext): Promise<Direction> {
  if (plan.schema.ddl !== 'apply') return direction
  let changed = false
  const tables: DirectedTable[] = []
  for (const table of direction.tables) {
    const present = await columnsOf(origin, table.from)
    const added = present.filter(
      (column) =>
        !column.generated &&
        !table.columns.some((known) => known.from === column.name || known.to === column.name) &&
        sessions.every((session) => session.tables.get(table)?.columns.has(column.name)),
    )
    changed ||= added.length > 0
    const columns = added.map(({ name, type }) => ({
      from: name,
      to: name,
      inFrom: true,
      inTo: true,
      plan: { source: name, target: name, type, generated: false, identity: null },
    }))
    tables.push(added.length === 0 ? table : { ...table, columns: [...table.columns, ...columns] })
  }
  if (!changed) return direction
  return {
    ...direction,
    tables,
    byName: new Map(tables.map((table) => [tableKey(table.from), table])),
  }
}

/**
 * Carries an altered table over to the applied side: columns that were added or dropped, nothing else. Throws `DefinitionsChanged` when the stream must be set up anew, the
 * database's own error when it passes by itself (a lock that is not had within `lockMsMax`), and CF3203 where the plan does not want it, or it can't be derived what was
 * meant (a renamed column looks like one dropped and one added). Idempotent.
 */
export async function carryDefinitions(
  event: Extract<StreamEvent, { kind: 'relationChanged' }>,
  context: DefinitionsContext,
): Promise<void> {
  const { plan, direction, sessions, origin } = context
  const stop = (reason: string) =>
    fail('CF3203', {
      table: tableKey(event),
      shard: origin.shard.id,
      change: `${changeText(event.before, event.after)}${reason}`,
    })
  const table = direction.byName.get(tableKey(event))!
  if (plan.schema.ddl !== 'apply') throw stop('')
  const present = await columnsOf(origin, table.from)
  if (present.length === 0) throw stop(' (the table is gone)')
  const added = present.filter((column) => !table.columns.some((known) => known.from === column.name))
  const dropped = table.columns.filter((known) => known.inFrom && !present.some((column) => column.name === known.from))
  const retyped = present.filter((column) =>
    table.columns.some(
      (known) => direction.from === 'source' && known.from === column.name && known.plan.type !== column.type,
    ),
  )
  if (retyped.length > 0) throw stop(' (types are not carried over)')
  if (added.length > 0 && dropped.length > 0) throw stop(' (perhaps renamed)')
  if (dropped.some((column) => isNeeded(table, column.from))) throw stop(' (the plan needs that column)')
  if (added.some((column) => column.generated)) throw stop(' (generated columns are not carried over)')
  let altered = false
  for (const session of sessions) {
    const there = session.tables.get(table)?.columns ?? new Set()
    const actions = [
      ...added.filter((column) => !there.has(column.name)).map((column) => addSql(column, stop)),
      ...[...dropped.map((column) => column.to), ...forgotten(event, table, present, there)]
        .filter((name) => there.has(name))
        .map((name) => `DROP COLUMN IF EXISTS ${quoteIdentifier(name)}`),
    ]
    if (actions.length === 0) continue
    altered = true
    try {
      session.pipeline.execute('BEGIN')
      session.pipeline.execute(`SET LOCAL lock_timeout = ${lockMsMax}`)
      session.pipeline.execute(`ALTER TABLE ${quoteTable(table.to)} ${actions.join(', ')}`)
      await session.select('COMMIT', [])
    } catch (error) {
      const cause = error instanceof StepError ? error.cause : error
      if (isTransient(cause)) throw cause
      throw stop(` (${session.shard}: ${reasonOf(error)})`)
    }
  }
  if (altered || added.length > 0) throw new DefinitionsChanged(tableKey(event))
}

/** Columns that the stream saw dropped and that this run does not know, because they were added after the plan and are gone already. */
function forgotten(
  event: Extract<StreamEvent, { kind: 'relationChanged' }>,
  table: DirectedTable,
  present: readonly ColumnDefinition[],
  there: ReadonlySet<string>,
): string[] {
  const describes = (columns: readonly string[], name: string) =>
    columns.some((column) => column.startsWith(`${name} `))
  return [...there].filter(
    (name) =>
      describes(event.before, name) &&
      !describes(event.after, name) &&
      !present.some((column) => column.name === name) &&
      !table.columns.some((known) => known.to === name || known.from === name),
  )
}

/** `added note text, dropped total integer` */
export function changeText(before: readonly string[], after: readonly string[]): string {
  const added = after.filter((column) => !before.includes(column)).map((column) => `added ${column}`)
  const dropped = before.filter((column) => !after.includes(column)).map((column) => `dropped ${column}`)
  return [...added, ...dropped].join(', ') || 'its columns were put in another order'
}

function addSql(column: ColumnDefinition, stop: (reason: string) => Error): string {
  if (column.default !== null && !column.constantDefault) throw stop(' (its default gives each row another value)')
  const given = column.default === null ? '' : ` DEFAULT ${column.default}${column.notNull ? ' NOT NULL' : ''}`
  return `ADD COLUMN IF NOT EXISTS ${quoteIdentifier(column.name)} ${column.type}${given}`
}

function isNeeded(table: DirectedTable, column: string): boolean {
  const route = table.fromRoute
  const routed = (route.kind === 'column' || route.kind === 'parent') && route.column === column
  return routed || table.plan.where !== null || table.transform !== null || table.key.some((key) => key.from === column)
}

async function columnsOf(origin: OriginReader, table: TableName): Promise<ColumnDefinition[]> {
  const rows = await origin.select(columnsSql, [quoteTable(table)])
  return rows.map(([name, type, generated, expression, constant, notNull]) => ({
    name: name!,
    type: type!,
    generated: generated === 'true',
    default: expression!,
    constantDefault: constant === 'true',
    notNull: notNull === 'true',
  }))
}

const columnsSql = `
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (a.attgenerated <> '')::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid),
  (a.atthasmissing OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = a.attrelid AND c.relpages > 0))::text, a.attnotnull::text
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
