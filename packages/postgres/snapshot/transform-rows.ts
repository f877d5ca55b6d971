import { fail, invariant, reasonOf } from '@crossfade/model/failure.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { Row, RowTransform, Text } from '@crossfade/pipeline/transform.ts'
import { both, type FrameWriter } from './frame-writer.ts'
import type { RouteKey } from './split-rows.ts'
import { escapeText, parseTextRow } from './text-row.ts'
import { copyData, headerBytes, readLength } from './wire.ts'

/** Transformed rows are gathered as text up to this many characters before they are encoded. */
const gatherCharacters = 64 * 1024

export interface RowTransformation {
  readonly table: TableName
  /** The transform's name in the plan, for failures. */
  readonly name: string
  readonly transform: RowTransform
  /** Names of the columns that are read, in order; the shard key, which comes first when `route` is given, is not among them. */
  readonly read: readonly string[]
  /** Names of the columns that are written, in order. */
  readonly write: readonly string[]
  /** Where each row goes by its key; null when all go to the only writer. */
  readonly route: RouteKey | null
}

/**
 * Reads the CopyData messages of one `COPY … TO STDOUT (FORMAT text)`, transforms each row and gives it to the writer of its target.
 * The transform sees the row under the source's column names and gives it under the target's; null leaves it out.
 * Memory: the largest row and what is gathered for each target.
 */
export class RowTransformer {
  readonly #plan: RowTransformation
  readonly #writers: readonly FrameWriter[]
  readonly #gathered: string[]
  /** The pieces of a row that blocks have cut. */
  #kept: Buffer[] = []
  #keptBytes = 0
  /** Rows that came, and those among them that went nowhere. */
  rows = 0
  dropped = 0

  constructor(plan: RowTransformation, writers: readonly FrameWriter[]) {
    this.#plan = plan
    this.#writers = writers
    this.#gathered = writers.map(() => '')
  }

  /** Takes the next block, cut anywhere. A promise asks to wait. Throws CF3105 when the transform throws, and what the route throws. */
  push(block: Buffer): Promise<void> | undefined {
    let wait: Promise<void> | undefined
    let at = 0
    while (at < block.length) {
      if (this.#keptBytes === 0 && block.length - at >= headerBytes) {
        const end = at + 1 + readLength(block, at + 1)
        if (end <= block.length) {
          wait = both(wait, this.#row(block, at, end))
          at = end
          continue
        }
      }
      at += this.#keep(block, at)
      const row = this.#completeRow()
      if (row) wait = both(wait, this.#row(row, 0, row.length))
    }
    return wait
  }

  /** Sends what is gathered. */
  end(): Promise<void> | undefined {
    invariant(this.#keptBytes === 0, 'the COPY stream ended in the middle of a row')
    let wait: Promise<void> | undefined
    for (let place = 0; place < this.#writers.length; place += 1) {
      wait = both(wait, this.#encode(place))
      wait = both(wait, this.#writers[place]!.flush())
    }
    return wait
  }

  /** Keeps bytes of a cut row: first its header, then up to its end. */
  #keep(block: Buffer, at: number): number {
    const missing = this.#missing()
    const step = Math.min(missing, block.length - at)
    this.#kept.push(block.subarray(at, at + step))
    this.#keptBytes += step
    return step
  }

  #missing(): number {
    if (this.#keptBytes < headerBytes) return headerBytes - this.#keptBytes
    if (this.#kept[0]!.length < headerBytes) this.#kept = [Buffer.concat(this.#kept)]
    return 1 + readLength(this.#kept[0]!, 1) - this.#keptBytes
  }

  #completeRow(): Buffer | null {
    if (this.#keptBytes < headerBytes || this.#missing() > 0) return null
    const row = Buffer.concat(this.#kept)
    this.#kept = []
    this.#keptBytes = 0
    return row
  }

  #row(bytes: Buffer, at: number, end: number): Promise<void> | undefined {
    invariant(bytes[at] === copyData, 'the COPY stream holds something that is not a row')
    this.rows += 1
    // The line's end is not part of the row.
    const values = parseTextRow(bytes.toString('utf8', at + headerBytes, end - 1))
    const { route } = this.#plan
    const place = route ? route(values[0]!) : 0
    if (place < 0) {
      this.dropped += 1
      return undefined
    }
    const line = this.#transformed(values, route ? 1 : 0)
    if (line === null) {
      this.dropped += 1
      return undefined
    }
    this.#gathered[place] += line
    return this.#gathered[place]!.length >= gatherCharacters ? this.#encode(place) : undefined
  }

  #transformed(values: readonly Text[], first: number): string | null {
    const { read, write, transform, table, name } = this.#plan
    const row: Record<string, Text> = {}
    for (let index = 0; index < read.length; index += 1) row[read[index]!] = values[first + index]!
    let result: Row | null
    try {
      result = transform(row)
    } catch (error) {
      throw fail('CF3105', { transform: name, table: tableKey(table), reason: reasonOf(error) }, error)
    }
    if (result === null) return null
    let line = ''
    for (let index = 0; index < write.length; index += 1) {
      const value = result[write[index]!]
      if (value !== null && typeof value !== 'string') {
        const reason = `it gave ${value === undefined ? 'no value' : `a ${typeof value}`} for the column ${write[index]}; values are text or null`
        throw fail('CF3105', { transform: name, table: tableKey(table), reason })
      }
      line += index === 0 ? escapeText(value) : `\t${escapeText(value)}`
    }
    return `${line}\n`
  }

  #encode(place: number): Promise<void> | undefined {
    const text = this.#gathered[place]!
    if (text === '') return undefined
    this.#gathered[place] = ''
    const bytes = Buffer.from(text, 'utf8')
    const writer = this.#writers[place]!
    return both(writer.start(bytes.length, null), writer.append(bytes, 0, bytes.length))
  }
}
