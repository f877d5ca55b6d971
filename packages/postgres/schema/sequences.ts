import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ClientBase } from 'pg'
import { quoteTable } from '../connection/quote.ts'

/** A database whose sequences are read or set. */
export interface SequenceShard {
  readonly id: ShardId
  withConnection<T>(work: (client: ClientBase) => Promise<T>): Promise<T>
}

/** What a column of one side is called on the other; null when it has no counterpart there. */
export type ColumnName = (
  table: TableName,
  column: string,
) => { readonly table: TableName; readonly column: string } | null

/**
 * Sets every sequence of `to` past all values that were handed out on any shard of `from`, plus a margin of `margin` values, so that what was
 * handed out and not yet seen, and what is cached in sessions, is not handed out again. Sequences of columns meet by their column, others by name.
 * Values only go forward in the sequence's own direction, so it may be called again at any time. A sequence that cycles starts over when it
 * reaches its end, as it would on its own.
 * Where `to` has several shards, each gets values of its own (see `interleave`), so that rows of two of them can meet on one shard of `from` again.
 * Rejects with CF2216 when a sequence that does not cycle cannot hold what was handed out; others may have been set then.
 */
export async function carrySequenceValues(
  from: readonly SequenceShard[],
  to: readonly SequenceShard[],
  margin: number,
  columnOnTo: ColumnName,
): Promise<void> {
  const statesOf = (shards: readonly SequenceShard[]) =>
    Promise.all(shards.map((shard) => shard.withConnection(readSequenceStates)))
  const [used, standing] = await Promise.all([statesOf(from), statesOf(to)])
  const wanted = new Map<string, bigint>()
  const unused = new Set<string>()
  for (const state of used.flat()) {
    if (!state.used) {
      for (const key of keysOnTo(state, columnOnTo)) unused.add(key)
      continue
    }
    for (const key of keysOnTo(state, columnOnTo)) {
      const before = wanted.get(key)
      const further = before === undefined || (state.increment > 0n ? state.value > before : state.value < before)
      if (further) wanted.set(key, state.value)
    }
  }
  const classes = interleave(standing, wanted, unused, BigInt(margin))
  await Promise.all(
    to.map((shard, ordinal) =>
      shard.withConnection((client) =>
        setSequences(client, shard.id, standing[ordinal]!, wanted, BigInt(margin), classes[ordinal]!),
      ),
    ),
  )
}

/** A column's sequence is found by the column, or by its name where the other side ties it to no column. */
function keysOnTo(state: SequenceState, columnOnTo: ColumnName): string[] {
  const byName = `sequence ${tableKey(state.name)}`
  if (!state.owner) return [byName]
  const column = columnOnTo(state.owner.table, state.owner.column)
  return column ? [columnKey(column), byName] : []
}

function columnKey(owner: { readonly table: TableName; readonly column: string }): string {
  return `column ${JSON.stringify([owner.table.schema, owner.table.name, owner.column])}`
}

export interface SequenceState {
  readonly name: TableName
  readonly owner: { readonly table: TableName; readonly column: string } | null
  readonly value: bigint
  /** False while no value was handed out. */
  readonly used: boolean
  readonly increment: bigint
  readonly minimum: bigint
  readonly maximum: bigint
  readonly cycle: boolean
}

/** Where every sequence stands. */
export async function readSequenceStates(client: ClientBase): Promise<SequenceState[]> {
  const { rows } = await client.query<Record<string, string | null>>(
    `SELECT n.nspname AS schema, c.relname AS name, coalesce(pg_sequence_last_value(c.oid), s.seqstart)::text AS value,
       (pg_sequence_last_value(c.oid) IS NOT NULL)::text AS used, s.seqincrement::text AS increment, s.seqmin::text AS minimum,
       s.seqmax::text AS maximum, s.seqcycle::text AS cycle, tn.nspname AS "tableSchema", t.relname AS "tableName", a.attname AS "column"
     FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
       AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
     LEFT JOIN pg_class t ON t.oid = d.refobjid
     LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
     LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
     WHERE c.relpersistence <> 't' AND n.nspname NOT IN ('crossfade', 'crossfade_control') AND n.nspname !~ '^pg_'`,
  )
  return rows.map((row) => ({
    name: { schema: row['schema']!, name: row['name']! },
    owner: row['column']
      ? { table: { schema: row['tableSchema']!, name: row['tableName']! }, column: row['column'] }
      : null,
    value: BigInt(row['value']!),
    used: row['used'] === 'true',
    increment: BigInt(row['increment']!),
    minimum: BigInt(row['minimum']!),
    maximum: BigInt(row['maximum']!),
    cycle: row['cycle'] === 'true',
  }))
}

async function setSequences(
  client: ClientBase,
  shard: ShardId,
  states: readonly SequenceState[],
  wanted: ReadonlyMap<string, bigint>,
  margin: bigint,
  classes: ReadonlyMap<string, SequenceClass>,
): Promise<void> {
  const settings: { readonly name: string; readonly value: string }[] = []
  const strides: string[] = []
  for (const state of states) {
    const own = classes.get(tableKey(state.name))
    const goal = goalOf(state, wanted)
    if (!own && goal === undefined) continue
    const value = own ? own.value : nextPosition(state, goal!, margin, shard)
    if (own && own.increment !== state.increment) {
      strides.push(`ALTER SEQUENCE ${quoteTable(state.name)} INCREMENT BY ${own.increment}`)
    }
    if (value !== null) settings.push({ name: quoteTable(state.name), value: String(value) })
  }
  if (strides.length > 0) await client.query(strides.join(';'))
  if (settings.length === 0) return
  // One statement for all of them: this runs while writes are held.
  await client.query(
    `SELECT setval(s.name::regclass, s.value) FROM json_to_recordset($1::json) AS s(name text, value bigint)`,
    [JSON.stringify(settings)],
  )
}

function goalOf(state: SequenceState, wanted: ReadonlyMap<string, bigint>): bigint | undefined {
  const byColumn = state.owner ? wanted.get(columnKey(state.owner)) : undefined
  return byColumn ?? wanted.get(`sequence ${tableKey(state.name)}`)
}

/** For a sequence that nobody used yet, the value before its first. */
function beforeFirst(state: SequenceState, unused: ReadonlySet<string>): bigint | undefined {
  const known = unused.has(`sequence ${tableKey(state.name)}`) || (state.owner && unused.has(columnKey(state.owner)))
  return known ? state.value - state.increment : undefined
}

interface SequenceClass {
  readonly value: bigint
  readonly increment: bigint
}

/**
 * Shards of one side must not hand out the same value: on the way back their rows may meet in one table. Each sequence that several shards have is
 * given steps of at least as many as there are shards, and every shard another remainder. Shards whose sequences are interleaved already (as sharded
 * systems often do it themselves) keep their steps and remainders. Sequences that cycle, or that would not fit, are left to their own values.
 * Gives, for each shard, the last value and the step of each sequence.
 */
function interleave(
  shards: readonly (readonly SequenceState[])[],
  wanted: ReadonlyMap<string, bigint>,
  unused: ReadonlySet<string>,
  margin: bigint,
): readonly ReadonlyMap<string, SequenceClass>[] {
  const classes = shards.map(() => new Map<string, SequenceClass>())
  if (shards.length === 1) return classes
  const count = BigInt(shards.length)
  for (const first of shards[0]!) {
    const key = tableKey(first.name)
    const states = shards.map((states) => states.find((state) => tableKey(state.name) === key))
    const goals = states.map((state) => state && (goalOf(state, wanted) ?? beforeFirst(state, unused)))
    if (states.some((state) => !state || state.cycle || state.increment <= 0n) || goals.includes(undefined)) continue
    const present = states as SequenceState[]
    const used = present.reduce((most, state) => (state.used && state.value > most ? state.value : most), goals[0]!)
    const apart = areApart(present)
    const step = apart ? present[0]!.increment : present[0]!.increment * count
    const base = ((used + margin) / step + 1n) * step
    for (const [ordinal, state] of present.entries()) {
      const value = base + (apart ? state.value % step : BigInt(ordinal))
      if (value <= state.maximum) classes[ordinal]!.set(key, { value, increment: step })
    }
  }
  return classes
}

/** Whether all shards take equal steps and start from different remainders. */
function areApart(states: readonly SequenceState[]): boolean {
  const step = states[0]!.increment
  return (
    states.every((state) => state.increment === step) &&
    new Set(states.map((state) => state.value % step)).size === states.length
  )
}

/** The value that the sequence is to have handed out last; null when it is past that already. */
function nextPosition(state: SequenceState, used: bigint, margin: bigint, shard: ShardId): bigint | null {
  const rising = state.increment > 0n
  const goal = used + margin * state.increment
  const limit = rising ? state.maximum : state.minimum
  const beyond = rising ? goal > limit : goal < limit
  if (beyond && !state.cycle) {
    // The margin is caution; the values themselves must fit.
    if (rising ? used > limit : used < limit) {
      throw fail('CF2216', { sequence: tableKey(state.name), shard: shard, value: used, limit })
    }
    return isAhead(state, limit) ? null : limit
  }
  if (state.cycle && hasPassed(state, used, margin)) return null
  if (beyond) {
    const start = rising ? state.minimum : state.maximum
    const span = (state.maximum - state.minimum) / abs(state.increment) + 1n
    const over = (abs(goal - limit) + abs(state.increment) - 1n) / abs(state.increment) - 1n
    return start + (over % span) * state.increment
  }
  return isAhead(state, goal) ? null : goal
}

function isAhead(state: SequenceState, goal: bigint): boolean {
  if (!state.used) return false
  return state.increment > 0n ? state.value >= goal : state.value <= goal
}

/** Whether a sequence that cycles stands past the goal already, seen from `used` over at most half of its round. */
function hasPassed(state: SequenceState, used: bigint, margin: bigint): boolean {
  if (!state.used) return false
  const span = (state.maximum - state.minimum) / abs(state.increment) + 1n
  const steps = ((((state.value - used) / state.increment) % span) + span) % span
  return steps >= margin && steps <= span / 2n
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value
}
