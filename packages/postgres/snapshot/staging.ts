import type { ResolvedColumn, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import { writeChunkSql } from './read-chunk.ts'
import type { CopyFormat } from './split-rows.ts'

const stagingTable = 'crossfade_staging'

/**
 * Where a chunk's rows are loaded on one target: straight into the table, or through a temporary table that leaves out rows whose key is there already.
 * Such rows are newer or older states of the same row; the stream brings both to the same end.
 */
export class Staging {
  readonly #client: ClientBase
  readonly #table: ResolvedTable
  readonly #columns: readonly ResolvedColumn[]
  readonly #staged: boolean
  readonly copySql: string

  constructor(
    client: ClientBase,
    table: ResolvedTable,
    columns: readonly ResolvedColumn[],
    format: CopyFormat,
    staged: boolean,
  ) {
    this.#client = client
    this.#table = table
    this.#columns = columns
    this.#staged = staged
    this.copySql = writeChunkSql(table, columns, format, staged ? stagingTable : undefined)
  }

  /** Call it first, in the transaction of the copy. */
  async open(): Promise<void> {
    if (!this.#staged) return
    await this.#client.query(
      `CREATE TEMPORARY TABLE ${stagingTable} ON COMMIT DROP AS SELECT ${this.#names()} FROM ${quoteTable(this.#table.target)} WITH NO DATA`,
    )
  }

  /** Moves the rows from the temporary table into the real one; nothing to do without one. */
  async merge(): Promise<void> {
    if (!this.#staged) return
    await this.#client.query(
      `INSERT INTO ${quoteTable(this.#table.target)} (${this.#names()}) OVERRIDING SYSTEM VALUE
       SELECT ${this.#names()} FROM ${stagingTable} ON CONFLICT DO NOTHING`,
    )
  }

  #names(): string {
    return this.#columns.map((column) => quoteIdentifier(column.target)).join(', ')
  }
}
