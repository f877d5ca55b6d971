import { statfsSync } from 'node:fs'
import { systemClock } from '@crossfade/model/clock.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { parseLsn } from '@crossfade/model/lsn.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type {
  CatalogReader,
  CatalogSession,
  CatalogTable,
  DatabaseObjects,
  DirectoryEntry,
  ServerFacts,
  ShardAddress,
  WriteRate,
} from '@crossfade/pipeline/catalog.ts'
import pg from 'pg'
import { connect } from '../connection/connect.ts'
import { resolveSecret } from '../connection/secret.ts'
import {
  crossfadeMigrationsQuery,
  dataDirectoryQuery,
  objectsQuery,
  replicationMembershipQuery,
  serverQuery,
  setReplicationRoleQuery,
  tablesQuery,
  typesQuery,
  writeCountersQuery,
} from './catalog-queries.ts'
import { type CatalogType, extensionOf, isPortable, obstacleOf } from './catalog-types.ts'

/** A look at rows may take so long; what takes longer is left out and said so. */
const rowsTimeoutMs = 10_000
const pageBytes = 8192
const localHosts = ['localhost', '127.0.0.1', '::1', '']

/** Reads catalogs of real servers, on one connection for each session. */
export const postgresCatalogs: CatalogReader = {
  async open(shard) {
    const url = publicUrl(shard)
    const client = await connect({ shard: { id: shard.id, url, secret: shard.secret }, purpose: 'catalog' })
    await client.query(`SET search_path = ''`)
    return new PostgresCatalog(shard, url, client)
  },
}

/** The address without its password, also when a secret holds all of it. Throws CF1003, and CF2015 for what is no URL. */
function publicUrl(shard: ShardAddress): string {
  const whole = shard.secret?.holds === 'url' ? resolveSecret(shard.secret) : shard.url
  try {
    const url = new URL(whole!)
    // A password on the command line of `init` is used, and never kept.
    if (shard.secret === null) return whole!
    url.password = ''
    url.searchParams.delete('password')
    return url.href
  } catch {
    throw fail('CF2015', { shard: shard.id, reason: 'it is not a URL' })
  }
}

class PostgresCatalog implements CatalogSession {
  readonly shard: ShardAddress['id']
  readonly url: string
  readonly #client: pg.Client

  constructor(address: ShardAddress, url: string, client: pg.Client) {
    this.shard = address.id
    const shown = new URL(url)
    shown.password = ''
    shown.searchParams.delete('password')
    this.url = shown.href
    this.#client = client
  }

  async server(): Promise<ServerFacts> {
    const facts = await this.#json<ServerFacts & { readonly lsn: string }>(serverQuery)
    const isMember = await this.#value(replicationMembershipQuery)
    const setReplicationRole =
      facts.role.superuser || (await this.#value(setReplicationRoleQuery).catch(() => 'f')) === 't'
    return {
      ...facts,
      lsn: parseLsn(facts.lsn),
      diskFreeBytes: await this.#diskFree(),
      role: { ...facts.role, replication: facts.role.replication || isMember === 't', setReplicationRole },
    }
  }

  async tables(): Promise<readonly CatalogTable[]> {
    const types = new Map((await this.#json<readonly CatalogType[]>(typesQuery)).map((type) => [type.oid, type]))
    const raw = await this.#json<readonly RawTable[]>(tablesQuery)
    const children = new Map<string, RawTable[]>()
    for (const table of raw) {
      if (!table.isPartition) continue
      const parent = tableKey(table.parents[0]!)
      children.set(parent, [...(children.get(parent) ?? []), table])
    }
    return raw.map((table) => toCatalogTable(table, leavesOf(table, children), types))
  }

  async objects(): Promise<DatabaseObjects> {
    const objects = await this.#json<
      Omit<DatabaseObjects, 'sequences'> & { readonly sequences: readonly RawSequence[] }
    >(objectsQuery)
    const migrations = await this.#json<readonly string[]>(crossfadeMigrationsQuery).catch(() => [])
    return {
      ...objects,
      crossfadeMigrations: migrations,
      sequences: objects.sequences.map((sequence) => ({
        ...sequence,
        lastValue: sequence.lastValue === null ? null : BigInt(sequence.lastValue),
        maximum: BigInt(sequence.maximum),
        increment: BigInt(sequence.increment),
      })),
    }
  }

  async nullRows(table: TableName, column: string, limit: number): Promise<number | null> {
    const rows = `SELECT FROM ${quote(table)} WHERE ${pg.escapeIdentifier(column)} IS NULL LIMIT ${limit}`
    return this.#count(rows)
  }

  async orphanRows(
    table: TableName,
    column: string,
    parent: TableName,
    parentColumn: string,
    limit: number,
  ): Promise<number | null> {
    const [child, key] = [pg.escapeIdentifier(column), pg.escapeIdentifier(parentColumn)]
    return this.#count(
      `SELECT FROM ${quote(table)} c WHERE c.${child} IS NOT NULL
       AND NOT EXISTS (SELECT FROM ${quote(parent)} p WHERE p.${key} = c.${child}) LIMIT ${limit}`,
    )
  }

  async distinctKeys(table: TableName, column: string, limit: number): Promise<readonly string[] | null> {
    const name = pg.escapeIdentifier(column)
    const isIndexed = await this.#value(
      `SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
       WHERE i.indrelid = $1::regclass AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL)`,
      [quote(table), column],
    )
    // From one key to the next by the index: as many steps as there are keys, however many rows.
    const statement =
      isIndexed === 't'
        ? `WITH RECURSIVE keys AS (
             (SELECT ${name} AS key FROM ${quote(table)} WHERE ${name} IS NOT NULL ORDER BY ${name} LIMIT 1)
             UNION ALL
             SELECT (SELECT ${name} FROM ${quote(table)} WHERE ${name} > keys.key ORDER BY ${name} LIMIT 1) FROM keys WHERE keys.key IS NOT NULL
           ) SELECT key::text FROM keys WHERE key IS NOT NULL LIMIT ${limit}`
        : `SELECT DISTINCT ${name}::text FROM ${quote(table)} WHERE ${name} IS NOT NULL LIMIT ${limit}`
    const rows = await this.#rows(statement)
    return rows?.map(([key]) => key!) ?? null
  }

  async sampleKeys(table: TableName, columns: readonly string[], limit: number) {
    const names = columns.map((column) => pg.escapeIdentifier(column))
    const list = names.map((name) => `${name}::text`).join(', ')
    const half = Math.ceil(limit / 2)
    const end = (direction: string) =>
      `(SELECT ${list} FROM ${quote(table)} ORDER BY ${names.map((name) => `${name} ${direction}`).join(', ')} LIMIT ${half})`
    const rows = await this.#rows(`${end('ASC')} UNION ${end('DESC')}`)
    return rows as readonly (readonly string[])[] | null
  }

  async existingKeys(table: TableName, columns: readonly string[], keys: readonly (readonly string[])[]) {
    if (keys.length === 0) return []
    const typed = await this.#client.query<{ name: string; type: string }>(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute WHERE attrelid = $1::regclass AND attname = ANY($2)`,
      [quote(table), columns],
    )
    const types = new Map(typed.rows.map(({ name, type }) => [name, type]))
    const conditions = columns.map(
      (column, index) => `t.${pg.escapeIdentifier(column)} = k.c${index}::${types.get(column)}`,
    )
    const given = columns.map((_, index) => `$${index + 1}::text[]`).join(', ')
    const list = columns.map((_, index) => `k.c${index}`).join(', ')
    const rows = await this.#rows(
      `SELECT ${list} FROM unnest(${given}) AS k(${columns.map((_, index) => `c${index}`).join(', ')})
       WHERE EXISTS (SELECT FROM ${quote(table)} t WHERE ${conditions.join(' AND ')})`,
      columns.map((_, index) => keys.map((key) => key[index])),
    )
    return rows as readonly (readonly string[])[] | null
  }

  async directory(
    table: TableName,
    keyColumn: string,
    shardColumn: string,
    limit: number,
  ): Promise<readonly DirectoryEntry[]> {
    const [key, shard] = [pg.escapeIdentifier(keyColumn), pg.escapeIdentifier(shardColumn)]
    const details = { table: tableKey(table), shard: this.shard }
    let rows: readonly DirectoryEntry[]
    try {
      const statement = `SELECT ${key}::text AS key, ${shard}::text AS shard FROM ${quote(table)} ORDER BY 1 LIMIT ${limit + 1}`
      rows = (await this.#client.query<DirectoryEntry & pg.QueryResultRow>(statement)).rows
    } catch (error) {
      throw fail('CF1021', { ...details, reason: reasonOf(error) }, error)
    }
    if (rows.length > limit) throw fail('CF1021', { ...details, reason: `it lists more than ${limit} keys` })
    const empty = rows.find((row) => row.key === null || row.shard === null)
    if (empty) throw fail('CF1021', { ...details, reason: 'it has NULL as a key or a shard' })
    return rows
  }

  async checkCondition(table: TableName, condition: string): Promise<string | null> {
    await this.#client.query('BEGIN READ ONLY')
    try {
      // The extended protocol takes one statement only, so that nothing can follow the condition.
      await this.#client.query({
        text: `EXPLAIN SELECT FROM ${quote(table)} WHERE (${condition}\n)`,
        queryMode: 'extended',
      } as pg.QueryConfig)
      return null
    } catch (error) {
      return reasonOf(error)
    } finally {
      await this.#client.query('ROLLBACK')
    }
  }

  async writeRate(milliseconds: number): Promise<WriteRate> {
    const first = await this.#json<WriteCounters>(writeCountersQuery)
    await systemClock.sleep(milliseconds)
    const second = await this.#json<WriteCounters>(writeCountersQuery)
    const seconds = Math.max(0.001, (second.milliseconds - first.milliseconds) / 1000)
    return {
      rowsPerSecond: Math.max(0, Number(BigInt(second.rows) - BigInt(first.rows)) / seconds),
      walBytesPerSecond: Math.max(0, Number(BigInt(second.walBytes) - BigInt(first.walBytes)) / seconds),
    }
  }

  async close(): Promise<void> {
    await this.#client.end()
  }

  /** Only seen for a server on this machine whose settings the role may read. */
  async #diskFree(): Promise<number | null> {
    if (!localHosts.includes(new URL(this.url).hostname)) return null
    try {
      const { bavail, bsize } = statfsSync((await this.#value(dataDirectoryQuery))!)
      return bavail * bsize
    } catch {
      return null
    }
  }

  async #count(rows: string): Promise<number | null> {
    const result = await this.#rows(`SELECT count(*) FROM (${rows}) counted`)
    return result ? Number(result[0]![0]) : null
  }

  /** Null when it took too long or the role may not look. */
  async #rows(
    statement: string,
    values: readonly unknown[] = [],
  ): Promise<readonly (readonly (string | null)[])[] | null> {
    await this.#client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${rowsTimeoutMs}`)
    try {
      const { rows } = await this.#client.query({ text: statement, values: [...values], rowMode: 'array' })
      return rows as string[][]
    } catch (error) {
      const code = (error as { code?: string }).code
      if (code === '57014' || code === '42501') return null
      throw error
    } finally {
      await this.#client.query('ROLLBACK')
    }
  }

  async #json<Value>(statement: string): Promise<Value> {
    return JSON.parse((await this.#value(statement))!) as Value
  }

  async #value(statement: string, values: readonly unknown[] = []): Promise<string | null> {
    const { rows } = await this.#client.query({ text: statement, values: [...values], rowMode: 'array' })
    return (rows as (string | null)[][])[0]?.[0] ?? null
  }
}

interface WriteCounters {
  readonly walBytes: string
  readonly rows: string
  readonly milliseconds: number
}

type RawSequence = Omit<DatabaseObjects['sequences'][number], 'lastValue' | 'maximum' | 'increment'> & {
  readonly lastValue: string | null
  readonly maximum: string
  readonly increment: string
}

interface RawTable
  extends Omit<
    CatalogTable,
    | 'partitionOf'
    | 'leaves'
    | 'inherits'
    | 'columns'
    | 'primaryKey'
    | 'uniqueKeys'
    | 'replicaIdentity'
    | 'replicaIndex'
    | 'pages'
  > {
  readonly isPartition: boolean
  readonly parents: readonly TableName[]
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly typeOid: number
    readonly notNull: boolean
    readonly generated: '' | 's' | 'v'
    readonly identity: '' | 'a' | 'd'
  }[]
  readonly indexes: readonly {
    readonly name: string
    readonly primary: boolean
    readonly replica: boolean
    readonly immediate: boolean
    readonly columns: readonly string[] | null
    readonly whole: boolean
    readonly notNull: boolean
  }[]
  readonly replicaIdentity: 'd' | 'n' | 'f' | 'i'
}

const replicaIdentities = { d: 'default', n: 'nothing', f: 'full', i: 'index' } as const

function toCatalogTable(
  raw: RawTable,
  leaves: readonly RawTable[],
  types: ReadonlyMap<number, CatalogType>,
): CatalogTable {
  const { isPartition, parents, columns, indexes, replicaIdentity, ...plain } = raw
  const sized = raw.kind === 'partitioned' ? leaves : [raw]
  const sum = (of: (table: RawTable) => number) => sized.reduce((total, table) => total + of(table), 0)
  const usable = indexes.filter((index) => index.whole && index.notNull && index.columns)
  return {
    ...plain,
    partitionOf: isPartition ? parents[0]! : null,
    inherits: isPartition ? [] : parents,
    leaves: raw.kind === 'partitioned' ? leaves.map(({ name }) => name) : [],
    columns: columns.map((column) => ({
      name: column.name,
      type: column.type,
      notNull: column.notNull,
      generated: column.generated === 's' ? 'stored' : column.generated === 'v' ? 'virtual' : null,
      identity: column.identity === 'a' ? 'always' : column.identity === 'd' ? 'default' : null,
      portable: isPortable(column.typeOid, types),
      obstacle: obstacleOf(column.typeOid, types),
      extension: extensionOf(column.typeOid, types),
    })),
    primaryKey: indexes.find((index) => index.primary && index.immediate)?.columns ?? null,
    uniqueKeys: usable
      .filter((index) => !index.primary)
      .map((index) => ({ index: index.name, columns: index.columns! })),
    replicaIdentity: replicaIdentities[replicaIdentity],
    replicaIndex: indexes.find((index) => index.replica)?.name ?? null,
    rows:
      sized.some(({ rows }) => rows < 0) && sum(({ rows }) => Math.max(0, rows)) === 0
        ? -1
        : sum(({ rows }) => Math.max(0, rows)),
    heapBytes: sum(({ heapBytes }) => heapBytes),
    toastBytes: sum(({ toastBytes }) => toastBytes),
    indexBytes: sum(({ indexBytes }) => indexBytes),
    pages: Math.ceil(sum(({ heapBytes }) => heapBytes) / pageBytes),
  }
}

function leavesOf(table: RawTable, children: ReadonlyMap<string, readonly RawTable[]>): RawTable[] {
  const below = children.get(tableKey(table.name)) ?? []
  return below.flatMap((child) => (child.kind === 'partitioned' ? leavesOf(child, children) : [child]))
}

function quote(table: TableName): string {
  return `${pg.escapeIdentifier(table.schema)}.${pg.escapeIdentifier(table.name)}`
}
