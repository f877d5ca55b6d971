import type { ClientBase } from 'pg'
import { WireWriter } from './wire-writer.ts'

/** Prepared statements that one session keeps; over it further ones are parsed each time. */
const preparedMax = 1000
/** A CopyData message is closed when it is this large. */
const copyMessageBytes = 64 * 1024

/** A parameter: bytes are sent in the type's binary format, a string as its text. */
export type Parameter = Uint8Array | string | null

export interface StepResult {
  /** Rows the statement touched, from its command tag. */
  count: number
  /** Rows it returned, as text. */
  readonly rows: (string | null)[][]
}

/** A statement failed; those before it were carried out, those after it were not. The cause is the server's error. */
export class StepError extends Error {
  override readonly name = 'StepError'
  /** Which step it was, counted from 0. */
  readonly step: number
  /** The SQLSTATE; undefined when the connection broke. */
  readonly code: string | undefined
  /** Where it happened, once somebody who knows has said so. */
  shard: string | undefined

  constructor(step: number, cause: Error) {
    super(cause.message, { cause })
    this.step = step
    this.code = (cause as { code?: string }).code
  }
}

/**
 * Statements that are sent together and answered together: one round trip for any number of them, rows of a COPY included.
 * They are executed in order; after the first error none is. Statements are prepared once per session.
 * A session has one pipeline; it is filled, run, and filled again.
 */
export class Pipeline {
  readonly #client: ClientBase
  readonly #writer = new WireWriter()
  readonly #names = new Map<string, string>()
  #fresh: { readonly step: number; readonly sql: string }[] = []
  #steps = 0
  #running = false
  #prepared = 0
  #copyAt = -1
  #bindAt = -1

  constructor(client: ClientBase) {
    this.#client = client
  }

  /** Steps that were added since the last `run`. */
  get length(): number {
    return this.#steps
  }

  get bytes(): number {
    return this.#writer.length
  }

  /** Adds a statement; returns the index of its result. */
  execute(sql: string, parameters: readonly Parameter[] = []): number {
    const values = this.bind(sql, parameters.length, (index) => typeof parameters[index] !== 'string')
    for (const parameter of parameters) values.sized(parameter)
    return this.executeBound()
  }

  /**
   * Adds a statement whose `count` parameters are then written, one after the other, into the writer it returns (each with `sized…`);
   * `executeBound` must follow.
   */
  bind(sql: string, count: number, isBinary: (index: number) => boolean): WireWriter {
    const writer = this.#writer
    const name = this.#statement(sql)
    writer.byte(0x42)
    this.#bindAt = writer.length
    writer.int32(0)
    writer.byte(0)
    writer.cString(name)
    writer.int16(count)
    for (let index = 0; index < count; index += 1) writer.int16(isBinary(index) ? 1 : 0)
    writer.int16(count)
    return writer
  }

  executeBound(): number {
    const writer = this.#writer
    writer.int16(0)
    writer.setInt32(this.#bindAt, writer.length - this.#bindAt)
    writer.bytes(executeMessage)
    return this.#steps++
  }

  /** Adds a `COPY … FROM STDIN`; its rows are written into the writer that is returned, with `copyRowWritten` after each, then `endCopy`. */
  startCopy(sql: string): WireWriter {
    this.bind(sql, 0, () => false)
    this.executeBound()
    this.#startCopyMessage()
    return this.#writer
  }

  copyRowWritten(): void {
    if (this.#writer.length - this.#copyAt < copyMessageBytes) return
    this.#endCopyMessage()
    this.#startCopyMessage()
  }

  /** Returns the index of the copy's result. */
  endCopy(): number {
    this.#endCopyMessage()
    this.#writer.bytes(copyDoneMessage)
    return this.#steps - 1
  }

  /** Sends everything; resolves with one result per step. Rejects with a `StepError`. Throws while the answers of the last run are still to come. */
  async run(): Promise<StepResult[]> {
    // Its bytes would be sent once more, and each answer taken for another statement's.
    if (this.#running) throw new Error('the pipeline was run again before it was answered')
    this.#running = true
    this.#writer.bytes(syncMessage)
    const fresh = this.#fresh
    const steps = this.#steps
    this.#fresh = []
    this.#steps = 0
    try {
      return await new Promise<StepResult[]>((resolve, reject) => {
        const query = new Answers(this.#writer.written(), steps, resolve, reject)
        ;(this.#client as unknown as { query(query: Answers): void }).query(query)
      })
    } catch (error) {
      // From the failed step on nobody knows which statements were parsed.
      const failedAt = (error as StepError).step
      for (const { step, sql } of fresh) if (step >= failedAt) this.#names.delete(sql)
      throw error
    } finally {
      this.#running = false
      this.#writer.reset()
    }
  }

  /** Forgets what was added and not sent. */
  clear(): void {
    for (const { sql } of this.#fresh) this.#names.delete(sql)
    this.#fresh = []
    this.#steps = 0
    this.#writer.reset()
  }

  #statement(sql: string): string {
    const known = this.#names.get(sql)
    if (known !== undefined) return known
    const name = this.#names.size < preparedMax ? `crossfade_${++this.#prepared}` : ''
    const writer = this.#writer
    writer.byte(0x50)
    const at = writer.length
    writer.int32(0)
    writer.cString(name)
    writer.cString(sql)
    writer.int16(0)
    writer.setInt32(at, writer.length - at)
    if (name !== '') {
      this.#names.set(sql, name)
      this.#fresh.push({ step: this.#steps, sql })
    }
    return name
  }

  #startCopyMessage(): void {
    this.#writer.byte(0x64)
    this.#copyAt = this.#writer.length
    this.#writer.int32(0)
  }

  #endCopyMessage(): void {
    this.#writer.setInt32(this.#copyAt, this.#writer.length - this.#copyAt)
  }
}

/** What `pg` asks of an object given to `client.query`: it speaks the protocol itself. */
class Answers {
  readonly #bytes: Buffer
  readonly #steps: number
  readonly #resolve: (results: StepResult[]) => void
  readonly #reject: (error: StepError) => void
  readonly #results: StepResult[] = []
  #rows: (string | null)[][] = noRows

  constructor(
    bytes: Buffer,
    steps: number,
    resolve: (results: StepResult[]) => void,
    reject: (error: StepError) => void,
  ) {
    this.#bytes = bytes
    this.#steps = steps
    this.#resolve = resolve
    this.#reject = reject
  }

  submit(connection: { readonly stream: { write(bytes: Buffer): void } }): void {
    connection.stream.write(this.#bytes)
  }

  handleDataRow(message: { readonly fields: (string | null)[] }): void {
    if (this.#rows === noRows) this.#rows = []
    this.#rows.push(message.fields)
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#results.push({ count: countOf(message.text), rows: this.#rows })
    this.#rows = noRows
  }

  handleReadyForQuery(): void {
    if (this.#results.length === this.#steps) this.#resolve(this.#results)
    else
      this.#reject(
        new StepError(this.#results.length, new Error('the server answered fewer statements than it was sent')),
      )
  }

  handleError(error: Error): void {
    this.#reject(new StepError(this.#results.length, error))
  }

  handleRowDescription(): void {}
  handleCopyInResponse(): void {}
  handleEmptyQuery(): void {
    this.#results.push({ count: 0, rows: noRows })
  }
  handlePortalSuspended(): void {}
}

const noRows: (string | null)[][] = []

/** `INSERT 0 3` → 3, `UPDATE 2` → 2, `BEGIN` → 0. */
function countOf(tag: string): number {
  const count = Number(tag.slice(tag.lastIndexOf(' ') + 1))
  return Number.isInteger(count) ? count : 0
}

/** Execute, unnamed portal, all rows. */
const executeMessage = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0])
const syncMessage = Buffer.from([0x53, 0, 0, 0, 4])
const copyDoneMessage = Buffer.from([0x63, 0, 0, 0, 4])
