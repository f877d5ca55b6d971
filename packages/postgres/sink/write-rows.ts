import type { Tuple } from '../changes/message.ts'
import type { NetRow } from './batch.ts'
import type { Pipeline, StepResult } from './pipeline.ts'
import type { CountedWrite, KeyedWork, Write } from './route-rows.ts'
import {
  binaryCopyHeader,
  binaryCopyTrailer,
  stagedDelete,
  stagedPut,
  type TableWriter,
  type UpdateStatement,
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
  const fewer = writes.filter((write) => write.count < 0)
  if (fewer.length > 0) {
    sink.claimStage(writer)
    for (const binary of [true, false]) {
      const rows = fewer.filter((write) => fits(writer, write, binary))
      if (rows.length === 0) continue
      const out = startCopy(sink.pipeline, writer.stageCopySql, binary)
      for (const write of rows) {
        writer.stageRow(out, stagedDelete, -write.count, write, binary)
        sink.pipeline.copyRowWritten()
      }
      endCopy(sink.pipeline, out, binary)
    }
    // Whole rows can only be matched by hashing them; the session otherwise looks rows up by index.
    sink.pipeline.execute('SET LOCAL enable_hashjoin = on')
    sink.pipeline.execute(writer.stagedCountedDeleteSql)
    sink.pipeline.execute('SET LOCAL enable_hashjoin = off')
  }
  const more: CountedWrite[] = []
  for (const write of writes) for (let index = 0; index < write.count; index += 1) more.push(write)
  if (more.length >= bulkRowsMin) copyRows(sink, writer, more)
  else for (const write of more) writer.insertRow(sink.pipeline, write)
}

/** A row without any value fits both formats and goes with the text ones; of mixed formats none does, and such rows are rare. */
function fits(writer: TableWriter, write: CountedWrite, binary: boolean): boolean {
  return (writer.format(write) === 'binary') === binary
}

function stageRows(
  sink: RowSink,
  writer: TableWriter,
  deletes: readonly NetRow[],
  updates: readonly Write[],
  puts: readonly Write[],
): void {
  const { pipeline } = sink
  const singleDeletes: NetRow[] = []
  const singleUpdates: Write[] = []
  const singlePuts: Write[] = []
  const grouped = new Map<UpdateStatement, Write[]>()
  let stagedPuts = 0
  let stagedDeletes = 0
  sink.claimStage(writer)
  for (const binary of [true, false]) {
    let out: WireWriter | null = null
    const start = () => {
      out ??= startCopy(pipeline, writer.stageCopySql, binary)
      return out
    }
    for (const row of deletes) {
      const format = keyFormat(writer, row.identity)
      if (format === 'mixed') {
        if (binary) singleDeletes.push(row)
        continue
      }
      if ((format === 'binary') !== binary) continue
      writer.stageKey(start(), stagedDelete, 0, row.identity, binary)
      pipeline.copyRowWritten()
      stagedDeletes += 1
    }
    for (const write of updates) {
      const format = writer.format(write)
      if (format === 'mixed') {
        if (binary) singleUpdates.push(write)
        continue
      }
      if ((format === 'binary') !== binary) continue
      const statement = writer.update(write)
      if (statement === null) {
        singleUpdates.push(write)
        continue
      }
      let group = grouped.get(statement)
      if (!group) grouped.set(statement, (group = []))
      writer.stageRow(start(), statement.kind, group.length, write, binary)
      group.push(write)
      pipeline.copyRowWritten()
    }
    for (const write of puts) {
      const format = writer.format(write)
      if (format === 'mixed') {
        if (binary) singlePuts.push(write)
        continue
      }
      if ((format === 'binary') !== binary) continue
      writer.stageRow(start(), stagedPut, 0, write, binary)
      pipeline.copyRowWritten()
      stagedPuts += 1
    }
    if (out !== null) endCopy(pipeline, out, binary)
  }
  if (stagedDeletes > 0) pipeline.execute(writer.stagedDeleteSql)
  addDeletes(sink, writer, singleDeletes)
  for (const [statement, writes] of grouped) {
    sink.expect(pipeline.execute(statement.stagedSql), (result) => {
      if (result.count < writes.length) sink.missingStaged(writer, statement, writes)
    })
  }
  addUpdates(sink, writer, singleUpdates)
  if (stagedPuts > 0) {
    pipeline.execute(writer.stagedPutUpdateSql ?? writer.stagedPutDeleteSql)
    pipeline.execute(writer.stagedPutInsertSql)
  }
  addPuts(sink, writer, singlePuts)
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

function copyRows(sink: RowSink, writer: TableWriter, writes: readonly CountedWrite[] | readonly Write[]): void {
  const { pipeline } = sink
  for (const binary of [true, false]) {
    let out: WireWriter | null = null
    for (const write of writes) {
      const format = writer.format(write)
      if (format === 'mixed') {
        if (!binary) continue
      }
      if ((format === 'binary') !== binary) continue
      out ??= startCopy(pipeline, writer.copySql, binary)
      writer.copyRow(out, write, binary)
      pipeline.copyRowWritten()
    }
    if (out !== null) endCopy(pipeline, out, binary)
  }
  for (const write of writes) if (writer.format(write) === 'mixed') writer.insertRow(pipeline, write)
}

function startCopy(
  pipeline: Pipeline,
  sql: { readonly binary: string; readonly text: string },
  binary: boolean,
): WireWriter {
  const out = pipeline.startCopy(binary ? sql.binary : sql.text)
  if (binary) out.bytes(binaryCopyHeader)
  return out
}

function endCopy(pipeline: Pipeline, out: WireWriter, binary: boolean): void {
  if (binary) out.bytes(binaryCopyTrailer)
  pipeline.endCopy()
}

function keyFormat(writer: TableWriter, identity: Tuple): 'binary' | 'text' | 'mixed' {
  let format: 'binary' | 'text' | null = null
  for (const cell of writer.layout.keyCells) {
    const own = identity.binary[cell] ? 'binary' : 'text'
    if (format === null) format = own
    else if (format !== own) return 'mixed'
  }
  return format ?? 'text'
}

const noWrites: readonly Write[] = []
