import { fail } from '@crossfade/model/failure.ts'
import type { Epoch, MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { formatLsn, parseLsn } from '@crossfade/model/lsn.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import type { Client } from 'pg'
import { cutOff, writerSession } from '../connection/connect.ts'
import { type AppliedTable, readAppliedTables } from './applied-table.ts'
import type { NetRow } from './batch.ts'
import type { DirectedTable, Direction } from './direction.ts'
import type { Layout } from './layout.ts'
import { Pipeline, StepError, type StepResult } from './pipeline.ts'
import { type Position, startPosition } from './position.ts'
import type { TargetWork, Write } from './route-rows.ts'
import { TableWriter, type UpdateStatement } from './table-writer.ts'
import { addCountedRows, addKeyedRows, bulkRowsMin, type RowSink } from './write-rows.ts'

/** The prefix of the logical message by which the stream of the other direction knows our transactions. */
export const appliedMark = 'crossfade.applied'

export interface TargetSessionOptions {
  readonly direction: Direction
  readonly shard: ResolvedShard
  /** Names the stream in `applied_position`: the shard that is followed. */
  readonly stream: ShardId
  readonly lease: string
  readonly epoch: Epoch
}

/** An update that found no row. */
export interface MissingRow {
  readonly session: TargetSession
  readonly writer: TableWriter
  readonly write: Write
}

/**
 * One database of the applied side, as one stream writes to it. A transaction begins with the epoch check and our mark, takes rows, and ends with
 * the position that it brings the database to. Not reusable after an error that broke the connection.
 */
export class TargetSession {
  readonly shard: ShardId
  readonly client: Client
  readonly pipeline: Pipeline
  /** What is there, by the direction's tables. */
  tables: ReadonlyMap<DirectedTable, AppliedTable>
  /** As stored in the database. */
  position: Position
  readonly #options: TargetSessionOptions
  readonly #replicaRole: boolean
  readonly #writers = new Map<Layout, TableWriter>()
  readonly #stages = new Set<TableWriter>()
  #stagesAllowed = true
  #stageNumber = 0
  #open = false
  #used = new Set<TableWriter>()
  #looks: { readonly step: number; readonly look: (result: StepResult) => void }[] = []
  #missing: MissingRow[] = []
  #unfound: { readonly writer: TableWriter; readonly statement: UpdateStatement; readonly writes: readonly Write[] }[] =
    []

  constructor(
    options: TargetSessionOptions,
    client: Client,
    replicaRole: boolean,
    tables: ReadonlyMap<DirectedTable, AppliedTable>,
    position: Position,
  ) {
    this.#options = options
    this.#replicaRole = replicaRole
    this.shard = options.shard.id
    this.client = client
    this.pipeline = new Pipeline(client)
    this.tables = tables
    this.position = position
  }

  /** Whether rows must be written in the order in which they were written at the source. */
  get ordered(): boolean {
    for (const table of this.tables.values()) if (table.ordered) return true
    return false
  }

  /** Whether there are foreign keys or triggers by now that fire for this session. Free of cost where none ever does. */
  async lookForWatchers(): Promise<boolean> {
    if (this.#replicaRole) return false
    for (const table of (await readAppliedTables(this.client, [...this.tables.keys()], false)).values()) {
      if (table.ordered) return true
    }
    return false
  }

  get open(): boolean {
    return this.#open
  }

  /** The same tables with more columns. */
  redirect(before: Direction, after: Direction): void {
    if (before === after) return
    const tables = new Map<DirectedTable, AppliedTable>()
    before.tables.forEach((table, ordinal) => {
      const applied = this.tables.get(table)
      if (applied) tables.set(after.tables[ordinal]!, applied)
    })
    this.tables = tables
  }

  /** Throws CF3205 when the table is not there. */
  writer(layout: Layout): TableWriter {
    let writer = this.#writers.get(layout)
    if (!writer) {
      const applied = this.tables.get(layout.table)
      if (!applied) throw fail('CF3205', { table: tableKey(layout.table.to), shard: this.shard })
      writer = new TableWriter(layout, applied, ++this.#stageNumber)
      this.#writers.set(layout, writer)
    }
    return writer
  }

  /** Creates what `work` will need outside of the transaction, so that it outlives a rollback. */
  async prepare(work: TargetWork, tolerant: boolean): Promise<void> {
    for (const [layout, rows] of work.keyed) {
      const inserts = tolerant ? rows.inserts.length : 0
      if (rows.deletes.length + rows.updates.length + rows.puts.length + inserts >= bulkRowsMin)
        await this.prepareStage(this.writer(layout))
    }
    for (const [layout, writes] of work.counted) {
      if (writes.some((write) => write.count < 0)) await this.prepareStage(this.writer(layout))
    }
  }

  /** Undoes what came after a savepoint of the open transaction, after an error. */
  async rollbackTo(savepoint: string): Promise<void> {
    this.#looks = []
    this.#unfound = []
    this.#missing = []
    this.pipeline.clear()
    this.pipeline.execute(`ROLLBACK TO SAVEPOINT ${savepoint}`)
    await this.#run()
  }

  /** Adds the beginning of a transaction. */
  begin(): void {
    const { direction, lease, epoch } = this.#options
    this.#open = true
    this.#used = new Set()
    this.#missing = []
    this.pipeline.execute('BEGIN')
    this.expect(this.pipeline.execute(epochSql, [direction.migration, lease, String(epoch)]), (result) => {
      if (result.count !== 1) throw fail('CF6006', { lease })
    })
    this.pipeline.execute(markSql, [direction.migration])
    // Where a constraint may be checked at the end, rows may stand in each other's way until then, as they did at the source.
    this.pipeline.execute('SET CONSTRAINTS ALL DEFERRED')
  }

  /** Adds rows to the open transaction; `bulk` false keeps to single statements. */
  add(work: TargetWork, options: { readonly tolerant: boolean; readonly bulk: boolean }): void {
    for (const [layout, rows] of work.keyed) {
      const writer = this.writer(layout)
      const staging = options.bulk && this.#stages.has(writer)
      addKeyedRows(this.#sink(staging), writer, rows, options.tolerant)
    }
    for (const [layout, writes] of work.counted) addCountedRows(this.#sink(true), this.writer(layout), writes)
  }

  /** Adds a look at a step's result. */
  expect(step: number, look: (result: StepResult) => void): void {
    this.#looks.push({ step, look })
  }

  /**
   * Sends what was added. Resolves with the updates that found no row since `begin` or the last `flush`. Rejects with a `StepError` (the transaction is then
   * only good for `rollback`) or CF6006.
   */
  async flush(): Promise<MissingRow[]> {
    if (this.pipeline.length > 0) await this.#run()
    while (this.#unfound.length > 0) {
      const unfound = this.#unfound
      this.#unfound = []
      for (const { writer, statement, writes } of unfound) {
        this.expect(this.pipeline.execute(statement.missingSql), (result) => {
          for (const [ordinal] of result.rows) this.#miss(writer, writes[Number(ordinal)]!)
        })
      }
      await this.#run()
    }
    const missing = this.#missing
    this.#missing = []
    return missing
  }

  /** Stores the position and commits: rows and position together, durably. */
  async commit(position: Position): Promise<void> {
    this.#addPosition(position)
    this.pipeline.execute('COMMIT')
    await this.#run()
    this.#open = false
    this.position = position
  }

  /** A transaction of nothing but the position. */
  async advance(position: Position): Promise<void> {
    this.begin()
    await this.commit(position)
  }

  /** Undoes what was not committed. Never rejects: on a broken connection there is nothing to undo. */
  async rollback(): Promise<void> {
    this.#looks = []
    this.#unfound = []
    this.#missing = []
    this.#open = false
    this.pipeline.clear()
    this.pipeline.execute('ROLLBACK')
    await this.pipeline.run().catch(() => {})
  }

  /** The written columns of rows as text, by identity; in the same order, null for those that are not there. */
  async read(writer: TableWriter, rows: readonly Pick<NetRow, 'identity'>[]): Promise<((string | null)[] | null)[]> {
    const found: ((string | null)[] | null)[] = []
    for (const row of rows) {
      this.expect(writer.byKey(this.pipeline, writer.readSql, row.identity), (result) =>
        found.push(result.rows[0] ?? null),
      )
    }
    if (rows.length > 0) await this.#run()
    return found
  }

  /** Runs a query behind whatever was added before; its rows as text. */
  async select(sql: string, parameters: readonly (string | null)[]): Promise<(string | null)[][]> {
    let rows: (string | null)[][] = []
    this.expect(this.pipeline.execute(sql, parameters), (result) => {
      rows = result.rows
    })
    await this.#run()
    return rows
  }

  /** Drops the connection at once. */
  close(): void {
    cutOff(this.client)
  }

  async end(): Promise<void> {
    await this.client.end().catch(() => {})
  }

  async #run(): Promise<void> {
    const looks = this.#looks
    this.#looks = []
    const results = await this.pipeline.run().catch((error: StepError) => {
      error.shard = this.shard
      throw error
    })
    for (const { step, look } of looks) look(results[step]!)
  }

  #sink(staging: boolean): RowSink {
    return {
      pipeline: this.pipeline,
      staging,
      claimStage: (writer) => {
        if (this.#used.has(writer)) this.pipeline.execute(writer.clearStageSql)
        this.#used.add(writer)
      },
      expect: (step, look) => this.expect(step, look),
      missing: (writer, write) => this.#miss(writer, write),
      missingStaged: (writer, statement, writes) => this.#unfound.push({ writer, statement, writes }),
    }
  }

  #miss(writer: TableWriter, write: Write): void {
    if (!write.anywhere) this.#missing.push({ session: this, writer, write })
  }

  /** Creates the writer's stage, outside of a transaction; a role that may not create temporary tables does without, slower. */
  async prepareStage(writer: TableWriter): Promise<void> {
    if (!this.#stagesAllowed || this.#stages.has(writer)) return
    this.pipeline.execute(writer.createStageSql)
    try {
      await this.pipeline.run()
      this.#stages.add(writer)
    } catch (error) {
      if (!(error instanceof StepError) || error.code !== insufficientPrivilege || writer.layout.keyCells.length === 0)
        throw error
      this.#stagesAllowed = false
    }
  }

  #addPosition(position: Position): void {
    const { direction, stream, epoch } = this.#options
    this.pipeline.execute(positionSql, [
      direction.migration,
      stream,
      formatLsn(position.lsn),
      String(position.offset),
      String(epoch),
    ])
  }
}

/** Opens the session of one stream on one database. `connect` gives a connection that is set up as the migration's writer. */
export async function openTargetSession(
  options: TargetSessionOptions,
  connect: (shard: ResolvedShard) => Promise<Client>,
): Promise<TargetSession> {
  const client = await connect(options.shard)
  try {
    const replicaRole = writerSession(client)?.replicaRole ?? false
    const tables = await readAppliedTables(client, options.direction.tables, replicaRole)
    // Staged rows are few and the tables large: rows are always looked up by index, however little the server knows about the tables. Plans are
    // made once and the penalty for what is switched off would make the server compile each of them.
    await client.query('SET jit = off')
    await client.query('SET enable_hashjoin = off')
    await client.query('SET enable_mergejoin = off')
    await client.query('SET enable_seqscan = off')
    return new TargetSession(
      options,
      client,
      replicaRole,
      tables,
      await readPosition(client, options.direction.migration, options.stream),
    )
  } catch (error) {
    cutOff(client)
    throw error
  }
}

/** The stored position of a stream on one database of the applied side. */
export async function readPosition(
  client: Pick<Client, 'query'>,
  migration: MigrationId,
  stream: ShardId,
): Promise<Position> {
  const { rows } = await client.query<{ lsn: string; offset: string }>(
    'SELECT lsn::text AS lsn, "offset"::text AS offset FROM crossfade.applied_position WHERE migration = $1 AND stream = $2',
    [migration, stream],
  )
  const row = rows[0]
  return row ? { lsn: parseLsn(row.lsn), offset: Number(row.offset) } : startPosition
}

const insufficientPrivilege = '42501'
const epochSql = `INSERT INTO crossfade.lease_epoch AS held (migration, lease, epoch) VALUES ($1, $2, $3)
ON CONFLICT (migration, lease) DO UPDATE SET epoch = excluded.epoch WHERE held.epoch <= excluded.epoch`
const markSql = `SELECT pg_catalog.pg_logical_emit_message(true, '${appliedMark}', $1)`
const positionSql = `INSERT INTO crossfade.applied_position AS stored (migration, stream, lsn, "offset", epoch, at) VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (migration, stream) DO UPDATE SET lsn = excluded.lsn, "offset" = excluded."offset", epoch = excluded.epoch, at = excluded.at`
