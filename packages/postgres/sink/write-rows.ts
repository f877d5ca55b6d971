import type { Tuple } from '../changes/message.ts'
import type { NetRow } from './batch.ts'
import type { Pipeline, StepResult } from './pipeline.ts'
import type { CountedWrite, KeyedWork, Write } from './route-rows.ts'
import {
  binaryCopyHeader,
  binaryCopyTrailer,
  type Format,
  stagedDelete,
  stagedPut,
  type TableWriter,
  type UpdateStatement,
  type WrittenRow,
} from './table-writer.ts'
import type { WireWriter } from './wire-writer.ts'

/** From this many rows on COPY beats single statements. */
export const bulkRowsMin = 40

/** What a session lends while statements are added for it. */
export interface RowSink {
  readonly pipeline: Pipeline
  /** Whether the writer's stage may be used; it was created before. */
  readonly staging: boolean
  /** Empties the stage first where it was used in this transaction before. */
  claimStage(writer: TableWriter): void
  /** Looks at the result of a step once it is there. */
  expect(step: number, look: (result: StepResult) => void): void
  /** An update found no row. */
  missing(writer: TableWriter, write: Write): void
  /** Staged updates found fewer rows than there were: those are to be looked for. */
  missingStaged(writer: TableWriter, statement: UpdateStatement, writes: readonly Write[]): void
}

/**
 * Adds the statements that write one table's rows: deletes, then updates, then whole rows. Many go through COPY, a few as single statements.
 * With `tolerant` a row that is inserted may be there already; without, that is an error of the database (23505).
 */
export function addKeyedRows(sink: RowSink, writer: TableWriter, work: KeyedWork, tolerant: boolean): void {
  const puts = [...(tolerant ? work.inserts : noWrites), ...work.puts, ...(writer.rewritten ? work.updates : noWrites)]
  const updates = writer.rewritten ? noWrites : work.updates
  const inserts = tolerant ? noWrites : work.inserts
  if (sink.staging && work.deletes.length + updates.length + puts.length >= bulkRowsMin) {
    stageRows(sink, writer, work.deletes, updates, puts)
  } else {
    addDeletes(sink, writer, work.deletes)
    addUpdates(sink, writer, updates)
    addPuts(sink, writer, puts)
  }
  addRekeys(sink, writer, work.rekeys)
  if (inserts.length >= bulkRowsMin) copyRows(sink, writer, inserts)
  else for (const write of inserts) writer.insertRow(sink.pipeline, write)
}

/** Adds the statements for a table without identity: so many equal rows fewer, so many more. */
export function addCountedRows(sink: RowSink, writer: TableWriter, writes: readonly CountedWrite[]): void {
  const { pipeline } = sink
  const fewer = byFormat(
    writes.filter((write) => write.count < 0),
    (write) => writer.format(write),
  )
  if (fewer.binary.length + fewer.text.length + fewer.mixed.length > 0) {
    sink.claimStage(writer)
    for (const write of fewer.mixed) writer.stageSingle(pipeline, stagedDelete, -write.count, write)
    copy(pipeline, writer.stageCopySql, fewer, (out, write, binary) => {
      writer.stageRow(out, stagedDelete, -write.count, write, binary)
    })
    // Whole rows can only be matched by hashing them; the session otherwise looks rows up by index.
    pipeline.execute('SET LOCAL enable_hashjoin = on')
    pipeline.execute(writer.stagedCountedDeleteSql)
    pipeline.execute('SET LOCAL enable_hashjoin = off')
  }
  const more: CountedWrite[] = []
  for (const write of writes) for (let index = 0; index < write.count; index += 1) more.push(write)
  if (more.length >= bulkRowsMin) copyRows(sink, writer, more)
  else for (const write of more) writer.insertRow(pipeline, write)
}

function stageRows(
  sink: RowSink,
  writer: TableWriter,
  allDeletes: readonly NetRow[],
  allUpdates: readonly Write[],
  allPuts: readonly Write[],
): void {
  const { pipeline } = sink
  const deletes = byFormat(allDeletes, (row) => keyFormat(writer, row.identity))
  const updates = byFormat(allUpdates, (write) => (writer.update(write) === null ? 'mixed' : writer.format(write)))
  const puts = byFormat(allPuts, (write) => writer.format(write))
  const grouped = new Map<UpdateStatement, Write[]>()
  sink.claimStage(writer)
  copy(pipeline, writer.stageCopySql, deletes, (out, row, binary) => {
    writer.stageKey(out, stagedDelete, 0, row.identity, binary)
  })
  copy(pipeline, writer.stageCopySql, updates, (out, write, binary) => {
    const statement = writer.update(write)!
    let group = grouped.get(statement)
    if (!group) {
      group = []
      grouped.set(statement, group)
    }
    writer.stageRow(out, statement.kind, group.length, write, binary)
    group.push(write)
  })
  copy(pipeline, writer.stageCopySql, puts, (out, write, binary) => {
    writer.stageRow(out, stagedPut, 0, write, binary)
  })
  if (deletes.binary.length + deletes.text.length > 0) pipeline.execute(writer.stagedDeleteSql)
  addDeletes(sink, writer, deletes.mixed)
  for (const [statement, writes] of grouped) {
    sink.expect(pipeline.execute(statement.stagedSql), (result) => {
      if (result.count < writes.length) sink.missingStaged(writer, statement, writes)
    })
  }
  addUpdates(sink, writer, updates.mixed)
  if (puts.binary.length + puts.text.length > 0) {
    pipeline.execute(writer.stagedPutUpdateSql ?? writer.stagedPutDeleteSql)
    pipeline.execute(writer.stagedPutInsertSql)
  }
  addPuts(sink, writer, puts.mixed)
}

function addDeletes(sink: RowSink, writer: TableWriter, rows: readonly NetRow[]): void {
  for (const row of rows) writer.byKey(sink.pipeline, writer.deleteSql, row.identity)
}

function addUpdates(sink: RowSink, writer: TableWriter, writes: readonly Write[]): void {
  for (const write of writes) {
    const statement = writer.update(write)
    const step =
      statement === null
        ? writer.byKey(sink.pipeline, writer.existsSql, write.row.identity)
        : writer.updateRow(sink.pipeline, statement, write)
    sink.expect(step, (result) => {
      if (result.count === 0) sink.missing(writer, write)
    })
  }
}

function addRekeys(sink: RowSink, writer: TableWriter, writes: readonly Write[]): void {
  for (const write of writes) {
    const step = writer.rekeyRow(sink.pipeline, write, write.rekeyedFrom!)
    if (step === null) {
      writer.byKey(sink.pipeline, writer.deleteSql, write.rekeyedFrom!)
      addPut(sink.pipeline, writer, write)
      continue
    }
    sink.expect(step, (result) => {
      if (result.count === 0) sink.missing(writer, write)
    })
  }
}

function addPuts(sink: RowSink, writer: TableWriter, writes: readonly Write[]): void {
  for (const write of writes) addPut(sink.pipeline, writer, write)
}

/** Writes the row whole: an existing one is updated rather than deleted, so that what refers to it stays. */
export function addPut(pipeline: Pipeline, writer: TableWriter, write: Write): void {
  const statement = writer.rewritten ? null : writer.update(write)
  if (statement === null && writer.rewritten) writer.byKey(pipeline, writer.deleteSql, write.row.identity)
  if (statement !== null) writer.updateRow(pipeline, statement, write)
  writer.insertMissingRow(pipeline, write)
}

function copyRows(sink: RowSink, writer: TableWriter, writes: readonly WrittenRow[]): void {
  const rows = byFormat(writes, (write) => writer.format(write))
  copy(sink.pipeline, writer.copySql, rows, (out, write, binary) => writer.copyRow(out, write, binary))
  for (const write of rows.mixed) writer.insertRow(sink.pipeline, write)
}

/** Rows by the format of their cells. COPY knows no mixture; mixed rows are rare and go one by one. */
interface ByFormat<Row> {
  readonly binary: readonly Row[]
  readonly text: readonly Row[]
  readonly mixed: readonly Row[]
}

function byFormat<Row>(rows: readonly Row[], formatOf: (row: Row) => Format): ByFormat<Row> {
  const sorted: { binary: Row[]; text: Row[]; mixed: Row[] } = { binary: [], text: [], mixed: [] }
  for (const row of rows) sorted[formatOf(row)].push(row)
  return sorted
}

/** Adds one COPY for each format that there are rows of. */
function copy<Row>(
  pipeline: Pipeline,
  sql: { readonly binary: string; readonly text: string },
  rows: ByFormat<Row>,
  write: (out: WireWriter, row: Row, binary: boolean) => void,
): void {
  for (const format of ['binary', 'text'] as const) {
    if (rows[format].length === 0) continue
    const binary = format === 'binary'
    const out = pipeline.startCopy(sql[format])
    if (binary) out.bytes(binaryCopyHeader)
    for (const row of rows[format]) {
      write(out, row, binary)
      pipeline.copyRowWritten()
    }
    if (binary) out.bytes(binaryCopyTrailer)
    pipeline.endCopy()
  }
}

function keyFormat(writer: TableWriter, identity: Tuple): Format {
  let format: 'binary' | 'text' | null = null
  for (const cell of writer.layout.keyCells) {
    const own = identity.binary[cell] ? 'binary' : 'text'
    if (format === null) format = own
    else if (format !== own) return 'mixed'
  }
  return format ?? 'text'
}

const noWrites: readonly Write[] = []
