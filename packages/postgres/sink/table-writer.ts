import type { Tuple } from '../changes/message.ts'
import { unchangedCell } from '../changes/message.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'
import type { AppliedTable } from './applied-table.ts'
import type { DirectedColumn } from './direction.ts'
import type { Layout } from './layout.ts'
import type { Pipeline } from './pipeline.ts'
import type { WireWriter } from './wire-writer.ts'

/** What a staged row is for; updates that set only some of the columns have numbers of their own above these. */
export const stagedDelete = 0
export const stagedPut = 1
export const stagedUpdate = 2

/** How cells are written: COPY takes rows of one format. */
export type Format = 'binary' | 'text' | 'mixed'

/** A row in the applied side's column order, and where its cells are. */
export interface WrittenRow {
  readonly tuple: Tuple
  readonly cells: readonly number[]
}

/**
 * The statements that write rows of one layout to one table. SQL texts are made once; what differs between sessions (prepared, staged) is not kept here.
 * None of them relies on a unique index: an existing row is updated, a missing one inserted, so deferrable and missing constraints are no matter.
 */
export class TableWriter {
  readonly layout: Layout
  readonly applied: AppliedTable
  /** Written columns, with their place in `layout.columns`. */
  readonly columns: readonly DirectedColumn[]
  readonly places: readonly number[]
  /** The identity's cells in the stream's tuples are `layout.keyCells`; these are their places among `columns`. */
  readonly keyPlaces: readonly number[]
  /** Places among `columns` that an update sets. */
  readonly setPlaces: readonly number[]
  /** Some column can't be updated: a changed row is deleted and inserted again. */
  readonly rewritten: boolean
  readonly stage: string
  readonly createStageSql: string
  readonly copySql: { readonly binary: string; readonly text: string }
  readonly stageCopySql: { readonly binary: string; readonly text: string }
  readonly insertSql: string
  /** Inserts unless a row with that identity is there. */
  readonly insertMissingSql: string
  readonly deleteSql: string
  readonly existsSql: string
  readonly readSql: string
  readonly stagedDeleteSql: string
  readonly stagedPutUpdateSql: string | null
  readonly stagedPutDeleteSql: string
  readonly stagedPutInsertSql: string
  /** Deletes as many equal rows as a staged row says in `crossfade_row`; rows are equal when they print the same. */
  readonly stagedCountedDeleteSql: string
  readonly clearStageSql: string
  readonly #allPlaces: readonly number[]
  readonly #rekeySql: string
  readonly #target: string
  readonly #only: string
  readonly #updates = new Map<string, UpdateStatement>()

  constructor(layout: Layout, applied: AppliedTable, stageNumber: number) {
    this.layout = layout
    this.applied = applied
    const places = layout.columns
      .map((column, place) => ({ column, place }))
      .filter(({ column }) => applied.columns.has(column.to) && !applied.generated.has(column.to))
    this.columns = places.map(({ column }) => column)
    this.places = places.map(({ place }) => place)
    this.#allPlaces = this.columns.map((_, place) => place)
    const key = layout.table.key
    this.keyPlaces = key.map((column) => this.columns.findIndex((candidate) => candidate.to === column.to))
    const keyNames = new Set(key.map((column) => column.to))
    const set = this.columns.map((_, place) => place).filter((place) => !keyNames.has(this.columns[place]!.to))
    this.rewritten = set.some((place) => applied.alwaysIdentity.has(this.columns[place]!.to))
    this.setPlaces = set
    this.stage = `pg_temp.crossfade_stage_${stageNumber}`
    this.#target = quoteTable(layout.table.to)
    this.#only = applied.partitioned ? '' : 'ONLY '

    const names = this.columns.map((column) => quoteIdentifier(column.to))
    const list = names.join(', ')
    const parameters = names.map((_, index) => `$${index + 1}`).join(', ')
    const keys = key.map((column) => quoteIdentifier(column.to))
    const matchParameters = keys.map((name, index) => `t.${name} = $${index + 1}`).join(' AND ')
    const matchStage = keys.map((name) => `t.${name} = s.${name}`).join(' AND ')
    const from = `${this.#only}${this.#target} AS t`
    this.createStageSql = `CREATE TEMPORARY TABLE ${this.stage.replace('pg_temp.', '')} ON COMMIT DELETE ROWS AS SELECT 0::smallint AS crossfade_kind, 0::integer AS crossfade_row, ${list} FROM ${this.#target} WITH NO DATA`
    this.copySql = {
      binary: `COPY ${this.#target} (${list}) FROM STDIN (FORMAT binary)`,
      text: `COPY ${this.#target} (${list}) FROM STDIN`,
    }
    this.stageCopySql = {
      binary: `COPY ${this.stage} FROM STDIN (FORMAT binary)`,
      text: `COPY ${this.stage} FROM STDIN`,
    }
    this.insertSql =
      names.length === 0
        ? `INSERT INTO ${this.#target} DEFAULT VALUES`
        : `INSERT INTO ${this.#target} (${list}) OVERRIDING SYSTEM VALUE VALUES (${parameters})`
    const matchPlaces = keys.map((name, index) => `t.${name} = $${this.keyPlaces[index]! + 1}`).join(' AND ')
    this.insertMissingSql = `INSERT INTO ${this.#target} (${list}) OVERRIDING SYSTEM VALUE SELECT ${parameters} WHERE NOT EXISTS (SELECT 1 FROM ${from} WHERE ${matchPlaces})`
    const matchRekeyed = keys.map((name, index) => `t.${name} = $${names.length + index + 1}`).join(' AND ')
    this.#rekeySql = `UPDATE ${from} SET ${names.map((name, index) => `${name} = $${index + 1}`).join(', ')} WHERE ${matchRekeyed}`
    this.deleteSql = `DELETE FROM ${from} WHERE ${matchParameters}`
    this.existsSql = `SELECT 1 FROM ${from} WHERE ${matchParameters}`
    this.readSql = `SELECT ${list} FROM ${from} WHERE ${matchParameters}`
    this.stagedDeleteSql = `DELETE FROM ${from} USING ${this.stage} AS s WHERE s.crossfade_kind = ${stagedDelete} AND ${matchStage}`
    this.stagedPutUpdateSql =
      this.rewritten || set.length === 0
        ? null
        : `UPDATE ${from} SET ${this.#assignments(set, (name) => `s.${name}`)} FROM ${this.stage} AS s WHERE s.crossfade_kind = ${stagedPut} AND ${matchStage}`
    this.stagedPutDeleteSql = `DELETE FROM ${from} USING ${this.stage} AS s WHERE s.crossfade_kind = ${stagedPut} AND ${matchStage}`
    const whole = (alias: string) => `ROW(${names.map((name) => `${alias}.${name}`).join(', ')})::text`
    this.clearStageSql = `DELETE FROM ${this.stage}`
    this.stagedCountedDeleteSql = `DELETE FROM ${from} USING (SELECT t.tableoid AS part, t.ctid AS place, s.crossfade_row AS count, row_number() OVER (PARTITION BY s.ctid) AS nth FROM ${from} JOIN ${this.stage} AS s ON ${whole('t')} = ${whole('s')} WHERE s.crossfade_kind = ${stagedDelete}) AS m WHERE m.nth <= m.count AND t.tableoid = m.part AND t.ctid = m.place`
    this.stagedPutInsertSql = `INSERT INTO ${this.#target} (${list}) OVERRIDING SYSTEM VALUE SELECT ${names.map((name) => `s.${name}`).join(', ')} FROM ${this.stage} AS s WHERE s.crossfade_kind = ${stagedPut} AND NOT EXISTS (SELECT 1 FROM ${from} WHERE ${matchStage})`
  }

  /** The update that sets what was sent of this row. Null when that is nothing. */
  update(row: WrittenRow): UpdateStatement | null {
    let mask = ''
    for (const place of this.setPlaces) {
      if (row.tuple.lengths[row.cells[this.places[place]!]!] === unchangedCell) mask += `${place},`
    }
    const known = this.#updates.get(mask)
    if (known) return known.setPlaces.length === 0 ? null : known
    const made = this.#makeUpdate(mask)
    this.#updates.set(mask, made)
    return made.setPlaces.length === 0 ? null : made
  }

  /** Every update statement that was asked for so far. */
  updates(): Iterable<UpdateStatement> {
    return this.#updates.values()
  }

  /** Adds one execution of `insertSql`. */
  insertRow(pipeline: Pipeline, row: WrittenRow): number {
    return this.#bound(pipeline, this.insertSql, row, this.#allPlaces)
  }

  insertMissingRow(pipeline: Pipeline, row: WrittenRow): number {
    return this.#bound(pipeline, this.insertMissingSql, row, this.#allPlaces)
  }

  /** Adds a statement that stages one row whatever the formats of its cells. */
  stageSingle(pipeline: Pipeline, kind: number, ordinal: number, row: WrittenRow): number {
    const parameters = this.columns.map((_, index) => `$${index + 1}`)
    const sql = `INSERT INTO ${this.stage} VALUES (${[String(kind), String(ordinal), ...parameters].join(', ')})`
    return this.#bound(pipeline, sql, row, this.#allPlaces)
  }

  updateRow(pipeline: Pipeline, statement: UpdateStatement, row: WrittenRow): number {
    return this.#bound(pipeline, statement.sql, row, statement.parameterPlaces)
  }

  /** Adds an update that gives the row found under `identity` all values of `row`, its key too. Null where a key column can't be updated. */
  rekeyRow(pipeline: Pipeline, row: WrittenRow, identity: Tuple): number | null {
    if (this.columns.some((column) => this.applied.alwaysIdentity.has(column.to))) return null
    const { keyCells } = this.layout
    const count = this.columns.length
    const cellAt = (index: number) => row.cells[this.places[index]!]!
    const writer = pipeline.bind(this.#rekeySql, count + keyCells.length, (index) =>
      Boolean(index < count ? row.tuple.binary[cellAt(index)] : identity.binary[keyCells[index - count]!]),
    )
    for (let index = 0; index < count; index += 1) writer.sizedCell(row.tuple, cellAt(index))
    for (const cell of keyCells) writer.sizedCell(identity, cell)
    return pipeline.executeBound()
  }

  /** Adds a statement whose parameters are the identity, read from a tuple of the stream. */
  byKey(pipeline: Pipeline, sql: string, identity: Tuple): number {
    const cells = this.layout.keyCells
    const writer = pipeline.bind(sql, cells.length, (index) => Boolean(identity.binary[cells[index]!]))
    for (const cell of cells) writer.sizedCell(identity, cell)
    return pipeline.executeBound()
  }

  /** Whether all of the row's cells are in one format. A row without any value counts as text. */
  format(row: WrittenRow): Format {
    let format: 'binary' | 'text' | null = null
    const { tuple, cells } = row
    for (const place of this.places) {
      const cell = cells[place]!
      if (tuple.lengths[cell]! < 0) continue
      const own = tuple.binary[cell] ? 'binary' : 'text'
      if (format === null) format = own
      else if (format !== own) return 'mixed'
    }
    return format ?? 'text'
  }

  /** Writes the row as COPY into the table takes it. */
  copyRow(writer: WireWriter, row: WrittenRow, binary: boolean): void {
    const { places } = this
    if (binary) writer.int16(places.length)
    for (let index = 0; index < places.length; index += 1) {
      const cell = row.cells[places[index]!]!
      if (binary) writer.sizedCell(row.tuple, cell)
      else {
        if (index > 0) writer.byte(tab)
        writer.copyTextCell(row.tuple, cell)
      }
    }
    if (!binary) writer.byte(newline)
  }

  /** Writes the row as COPY into the stage takes it. */
  stageRow(writer: WireWriter, kind: number, ordinal: number, row: WrittenRow, binary: boolean): void {
    const { places } = this
    this.#stageHead(writer, kind, ordinal, binary)
    for (const place of places) {
      const cell = row.cells[place]!
      if (binary) writer.sizedCell(row.tuple, cell)
      else {
        writer.byte(tab)
        writer.copyTextCell(row.tuple, cell)
      }
    }
    if (!binary) writer.byte(newline)
  }

  /** Writes an identity as a row for the stage, all other columns null. */
  stageKey(writer: WireWriter, kind: number, ordinal: number, identity: Tuple, binary: boolean): void {
    this.#stageHead(writer, kind, ordinal, binary)
    const { keyCells } = this.layout
    for (let place = 0; place < this.columns.length; place += 1) {
      const index = this.keyPlaces.indexOf(place)
      const cell = index < 0 ? -1 : keyCells[index]!
      if (binary) {
        if (cell < 0) writer.int32(-1)
        else writer.sizedCell(identity, cell)
      } else {
        writer.byte(tab)
        if (cell < 0) writer.text('\\N')
        else writer.copyTextCell(identity, cell)
      }
    }
    if (!binary) writer.byte(newline)
  }

  #stageHead(writer: WireWriter, kind: number, ordinal: number, binary: boolean): void {
    if (binary) {
      writer.int16(this.places.length + 2)
      writer.int32(2)
      writer.int16(kind)
      writer.int32(4)
      writer.int32(ordinal)
    } else writer.text(`${kind}\t${ordinal}`)
  }

  #makeUpdate(mask: string): UpdateStatement {
    const unchanged = new Set(mask.split(',').filter(Boolean).map(Number))
    const setPlaces = this.setPlaces.filter((place) => !unchanged.has(place))
    const kind = stagedUpdate + this.#updates.size
    const keys = this.layout.table.key.map((column) => quoteIdentifier(column.to))
    const match = (value: (name: string, index: number) => string) =>
      keys.map((name, index) => `t.${name} = ${value(name, index)}`).join(' AND ')
    const from = `${this.#only}${this.#target} AS t`
    const staged = match((name) => `s.${name}`)
    return {
      kind,
      setPlaces,
      parameterPlaces: [...setPlaces, ...this.keyPlaces],
      sql: `UPDATE ${from} SET ${this.#assignments(setPlaces, (_, index) => `$${index + 1}`)} WHERE ${match((_, index) => `$${setPlaces.length + index + 1}`)}`,
      stagedSql: `UPDATE ${from} SET ${this.#assignments(setPlaces, (name) => `s.${name}`)} FROM ${this.stage} AS s WHERE s.crossfade_kind = ${kind} AND ${staged}`,
      missingSql: `SELECT s.crossfade_row FROM ${this.stage} AS s WHERE s.crossfade_kind = ${kind} AND NOT EXISTS (SELECT 1 FROM ${from} WHERE ${staged})`,
    }
  }

  #assignments(places: readonly number[], value: (name: string, index: number) => string): string {
    return places
      .map((place, index) => {
        const name = quoteIdentifier(this.columns[place]!.to)
        return `${name} = ${value(name, index)}`
      })
      .join(', ')
  }

  #bound(pipeline: Pipeline, sql: string, row: WrittenRow, places: readonly number[]): number {
    const cellAt = (index: number) => row.cells[this.places[places[index]!]!]!
    const writer = pipeline.bind(sql, places.length, (index) => Boolean(row.tuple.binary[cellAt(index)]))
    for (let index = 0; index < places.length; index += 1) writer.sizedCell(row.tuple, cellAt(index))
    return pipeline.executeBound()
  }
}

export interface UpdateStatement {
  /** What its rows are marked with in the stage. */
  readonly kind: number
  readonly setPlaces: readonly number[]
  readonly parameterPlaces: readonly number[]
  readonly sql: string
  readonly stagedSql: string
  /** The ordinals of staged rows that are not in the table. */
  readonly missingSql: string
}

/** What binary COPY begins with: signature, flags, header extension. */
export const binaryCopyHeader = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
/** And what it ends with. */
export const binaryCopyTrailer = Buffer.from([0xff, 0xff])

const tab = 0x09
const newline = 0x0a
