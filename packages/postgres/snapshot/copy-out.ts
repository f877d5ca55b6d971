import type { ClientBase } from 'pg'
import {
  copyData,
  copyDone,
  errorResponse,
  headerBytes,
  readLength,
  rowsOfTag,
  submit,
  type WireConnection,
} from './wire.ts'

/** Takes one block; a promise holds the source back until it resolves. A throw or a rejection ends the copy. */
export type BlockConsumer = (block: Buffer) => Promise<void> | undefined

/**
 * Runs one `COPY … TO STDOUT` and hands over its CopyData messages as raw protocol bytes, in the blocks in which the network brought them: a block starts and ends
 * anywhere, also inside a message. The bytes are exactly what a `COPY … FROM STDIN` takes, so they can be written to another server untouched.
 * A block stays valid as long as it is held. Nothing is buffered here: while the consumer's promise is open, the socket is not read.
 *
 * Resolves with the number of rows when the server is ready for the next query. Rejects with the server's error (the connection may be used again after it),
 * or with the consumer's (the connection is then destroyed, since the rest of the rows would come).
 */
export function copyOut(client: ClientBase, sql: string, consume: BlockConsumer): Promise<number> {
  return new Promise((resolve, reject) => submit(client, new CopyOutQuery(sql, consume, resolve, reject)))
}

type DataListener = (bytes: Buffer) => void

class CopyOutQuery {
  readonly #sql: string
  readonly #consume: BlockConsumer
  readonly #resolve: (rows: number) => void
  readonly #reject: (reason: unknown) => void
  #connection!: WireConnection
  /** pg's own reader of the socket, set aside while rows come. */
  #parser!: DataListener
  #taken = false
  #rows = 0
  /** Bytes still to come of the message that a block ended in. */
  #left = 0
  #leftIsData = false
  /** The first bytes of a header that a block ended in. */
  #header = Buffer.alloc(headerBytes)
  #headerHas = 0

  constructor(sql: string, consume: BlockConsumer, resolve: (rows: number) => void, reject: (reason: unknown) => void) {
    this.#sql = sql
    this.#consume = consume
    this.#resolve = resolve
    this.#reject = reject
  }

  submit(connection: WireConnection): void {
    this.#connection = connection
    const { stream } = connection
    this.#parser = stream.listeners('data')[0] as DataListener
    stream.removeListener('data', this.#parser)
    stream.on('data', this.#onBlock)
    this.#taken = true
    connection.query(this.#sql)
  }

  handleError(error: Error): void {
    this.#giveBack(null)
    this.#reject(error)
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#rows = rowsOfTag(message.text)
  }

  handleReadyForQuery(): void {
    this.#resolve(this.#rows)
  }

  /** Walks over the messages of a block; what lies between the first and the last CopyData goes on as one piece. */
  readonly #onBlock = (block: Buffer): void => {
    let dataFrom = 0
    let at = 0
    if (this.#left > 0) {
      at = Math.min(this.#left, block.length)
      this.#left -= at
      if (!this.#leftIsData) {
        this.#parser(block.subarray(0, at))
        dataFrom = at
      }
    }
    while (at < block.length) {
      if (this.#headerHas > 0 || block.length - at < headerBytes) {
        const before = at
        at = this.#takeHeaderByte(block, at)
        // A message of another kind: what was collected of its header goes to pg, and pieces of data before it go on.
        if (this.#header[0] !== copyData) {
          this.#forward(block, dataFrom, before)
          dataFrom = at
          if (this.#headerHas === headerBytes && this.#foreign(this.#header, 0, block, at)) return
        }
        if (this.#headerHas < headerBytes) continue
        this.#headerHas = 0
        this.#left = readLength(this.#header, 1) - 4
        this.#leftIsData = this.#header[0] === copyData
      } else if (block[at] === copyData) {
        this.#left = readLength(block, at + 1) - 4
        this.#leftIsData = true
        at += headerBytes
      } else {
        this.#forward(block, dataFrom, at)
        if (this.#foreign(block, at, block, at + headerBytes)) return
        this.#left = readLength(block, at + 1) - 4
        this.#leftIsData = false
        at += headerBytes
        dataFrom = at
      }
      const step = Math.min(this.#left, block.length - at)
      if (!this.#leftIsData) {
        this.#parser(block.subarray(at, at + step))
        dataFrom = at + step
      }
      at += step
      this.#left -= step
    }
    this.#forward(block, dataFrom, block.length)
  }

  /** Collects one byte of a header that is cut by the end of a block. */
  #takeHeaderByte(block: Buffer, at: number): number {
    this.#header[this.#headerHas] = block[at]!
    this.#headerHas += 1
    return at + 1
  }

  /** Gives a foreign message's header to pg. True when the rows are over and pg reads on by itself, from `restAt` in `block`. */
  #foreign(header: Buffer, headerAt: number, block: Buffer, restAt: number): boolean {
    const type = header[headerAt]
    const bytes = Buffer.from(header.subarray(headerAt, headerAt + headerBytes))
    if (type !== copyDone && type !== errorResponse) {
      this.#parser(bytes)
      return false
    }
    this.#giveBack(Buffer.concat([bytes, block.subarray(restAt)]))
    return true
  }

  #giveBack(rest: Buffer | null): void {
    if (!this.#taken) return
    this.#taken = false
    const { stream } = this.#connection
    stream.removeListener('data', this.#onBlock)
    stream.on('data', this.#parser)
    if (rest) this.#parser(rest)
  }

  #forward(block: Buffer, from: number, to: number): void {
    if (from >= to || !this.#taken) return
    const { stream } = this.#connection
    let wait: Promise<void> | undefined
    try {
      wait = this.#consume(from === 0 && to === block.length ? block : block.subarray(from, to))
    } catch (error) {
      this.#abandon(error)
      return
    }
    if (!wait) return
    stream.pause()
    wait.then(
      () => stream.resume(),
      (error: unknown) => this.#abandon(error),
    )
  }

  #abandon(error: unknown): void {
    this.#reject(error)
    this.#connection.stream.destroy()
  }
}
