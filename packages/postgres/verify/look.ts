import { createHash } from 'node:crypto'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { type Lsn, parseLsn } from '@crossfade/model/lsn.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { answering, type ComparedTable, columnSql } from './compared-table.ts'
import { fromSql, misplacedSql, rowHashSql, versionSql } from './look-sql.ts'

/** What every comparison is given: where to read, and how far the streams are. */
export interface Comparison {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  /** Lends a session that is in no transaction; every statement is a snapshot of its own. */
  read<T>(shard: ShardId, work: (client: ClientBase) => Promise<T>): Promise<T>
  /** How far the changes of a shard of the authoritative side are applied; null when no stream runs, so that nothing is to be waited for. */
  readonly applied: ((from: ShardId) => Promise<Lsn>) | null
  /** Changes flow both ways just now, so that a difference may be the lag of either direction. */
  readonly mixed?: boolean
}

/** Identity values as text, in key order. */
export type Key = readonly string[]

/** One row under a key, on one shard. */
export interface Occurrence {
  readonly shard: ShardId
  /** Equal for rows that print the same at both ends. */
  readonly hash: string
  /** Changes whenever the row is written. */
  readonly version: string
  readonly misplaced: boolean
}

/** Rows by the text of their keys. */
export type Seen = ReadonlyMap<string, readonly Occurrence[]>

/** Looks at the rows under given keys; the one of a table with a transform sees rows through it. */
export interface Looker {
  /** The rows of the side that answers. */
  authoritative(keys: readonly Key[]): Promise<Seen>
  /** The rows of the other side. */
  following(keys: readonly Key[]): Promise<Seen>
  /** How far the log of each shard of the side that answers has come: past all that an earlier look at it saw. Asked only where something differs, for most looks need it not. */
  positions(): Promise<ReadonlyMap<ShardId, Lsn>>
}

/** One string per key; values hold no NUL. */
export function keyText(key: Key): string {
  return key.length === 1 ? key[0]! : key.join('\0')
}

/** The key that `keyText` made the string of. */
export function keyOfText(text: string): Key {
  return text.split('\0')
}

/** Compares rows by hashes that the databases make. */
export function hashLooker(comparison: Comparison, table: ComparedTable, authority: Side): Looker {
  const follower = otherSide(authority)
  return {
    async authoritative(keys) {
      const found = await Promise.all(
        answering(table, authority).map((shard) =>
          comparison.read(shard, (client) => lookAt(client, table, authority, authority, shard, keys)),
        ),
      )
      return gather(found.flat())
    },
    async following(keys) {
      const found = await Promise.all(
        table.ends[follower].shards.map((shard) =>
          comparison.read(shard, (client) => lookAt(client, table, authority, follower, shard, keys)),
        ),
      )
      return gather(found.flat())
    },
    positions: () => currentPositions(comparison, answering(table, authority)),
  }
}

/** The end of the log: at or after the commit of everything that a look before it could see. */
export async function currentLsn(client: ClientBase): Promise<Lsn> {
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_catalog.pg_current_wal_insert_lsn()::text AS lsn')
  return parseLsn(rows[0]!.lsn)
}

/** The end of the log of each shard, read after everything that was looked at before. */
export async function currentPositions(
  comparison: Comparison,
  shards: readonly ShardId[],
): Promise<ReadonlyMap<ShardId, Lsn>> {
  return new Map(
    await Promise.all(shards.map(async (shard) => [shard, await comparison.read(shard, currentLsn)] as const)),
  )
}

/** The part of a statement that finds rows by keys: a join with the keys in `$1` … (one text array per key column), as `w`. */
export function wantedJoin(
  table: ComparedTable,
  side: Side,
): { readonly join: string; readonly names: readonly string[] } {
  const names = table.key.map((_, index) => `k${index + 1}`)
  const unnest = `unnest(${names.map((_, index) => `$${index + 1}::text[]`).join(', ')}) AS w(${names.join(', ')})`
  const on = table.key.map(
    (column, index) => `${columnSql(table, column, side)} = w.${names[index]}::${column.types[side]}`,
  )
  return { join: ` JOIN ${unnest} ON ${on.join(' AND ')}`, names: names.map((name) => `w.${name}`) }
}

/** Keys as the parameters of `wantedJoin`. */
export function keyParameters(table: ComparedTable, keys: readonly Key[]): string[][] {
  return table.key.map((_, index) => keys.map((key) => key[index]!))
}

type Found = Occurrence & { readonly key: string }

async function lookAt(
  client: ClientBase,
  table: ComparedTable,
  authority: Side,
  side: Side,
  shard: ShardId,
  keys: readonly Key[],
): Promise<Found[]> {
  if (keys.length === 0) return []
  const { rows } = await client.query<{ key: string[]; hash: string; version: string; misplaced: string }>({
    ...statementOf(table, authority, side, shard),
    values: keyParameters(table, keys),
  })
  return rows.map((row) => ({
    key: keyText(table.key.map((_, index) => (row as unknown as Record<string, string>)[`k${index + 1}`]!)),
    shard,
    hash: row.hash,
    version: row.version,
    misplaced: row.misplaced === 'true',
  }))
}

interface Statement {
  readonly name: string
  readonly text: string
}

const statements = new WeakMap<ComparedTable, Map<string, Statement>>()

/** The statement of a look, made once and prepared by each session once: it is asked for many times a second. */
function statementOf(table: ComparedTable, authority: Side, side: Side, shard: ShardId): Statement {
  let known = statements.get(table)
  if (!known) statements.set(table, (known = new Map()))
  const place = `${authority} ${side} ${shard}`
  let statement = known.get(place)
  if (!statement) {
    const wanted = wantedJoin(table, side)
    const misplaced = misplacedSql(table, authority, side, shard)
    const from = fromSql(table, side, null, `${wanted.join}${misplaced?.joins ?? ''}`)
    const text = `SELECT ${wanted.names.map((name, index) => `${name} AS k${index + 1}`).join(', ')}, (${rowHashSql(table, side)})::text AS hash, ${versionSql(table, side)} AS version,
      ${misplaced ? `(${misplaced.expression})::text` : `'false'`} AS misplaced ${from}`
    statement = { name: `crossfade_look_${createHash('sha1').update(text).digest('hex').slice(0, 32)}`, text }
    known.set(place, statement)
  }
  return statement
}

function gather(found: readonly Found[]): Seen {
  const byKey = new Map<string, Occurrence[]>()
  for (const each of found) {
    const before = byKey.get(each.key)
    if (before) before.push(each)
    else byKey.set(each.key, [each])
  }
  return byKey
}
