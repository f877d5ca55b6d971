import type { ClientBase } from 'pg'
import { copyDone, rowsOfTag, submit, type WireConnection } from './wire.ts'

/** Bytes that may wait in this process for one target to take them; over it the writer is told to wait. */
export const unsentBytesMax = 2 * 1024 * 1024
/** A waiting writer goes on when no more than this waits. */
export const unsentBytesLow = 512 * 1024

/**
 * One `COPY … FROM STDIN` that takes CopyData messages as raw protocol bytes: written one after the other they must be whole messages in the end.
 * Nothing is copied; blocks must not be changed after they were given. Memory: at most `unsentBytesMax` and one block, if the writer waits when asked to.
 */
export class CopyIn {
  readonly #client: ClientBase
  readonly #started: Promise<void>
  readonly #ended: Promise<number>
  #connection: WireConnection | null = null
  #failure: Error | null = null
  #unsent = 0
  #waiting: { resolve: () => void; reject: (reason: Error) => void; promise: Promise<void> } | null = null
  #rows = 0
  readonly #start = Promise.withResolvers<void>()
  readonly #end = Promise.withResolvers<number>()

  /** Sends the statement; `client` must not be used for anything else until `finish` has settled. */
  constructor(client: ClientBase, sql: string) {
    this.#client = client
    this.#started = this.#start.promise
    this.#ended = this.#end.promise
    // Both are looked at later, or never when the other side fails first.
    this.#started.catch(() => undefined)
    this.#ended.catch(() => undefined)
    submit(this.#client, {
      submit: (connection) => {
        this.#connection = connection
        connection.query(sql)
      },
      handleCopyInResponse: () => this.#start.resolve(),
      handleCommandComplete: (message: { readonly text: string }) => {
        this.#rows = rowsOfTag(message.text)
      },
      handleReadyForQuery: () => this.#end.resolve(this.#rows),
      handleError: (error: Error) => this.#fail(error),
    } as Parameters<typeof submit>[1])
  }

  /** Resolves when the server takes rows; rejects with its error. */
  get started(): Promise<void> {
    return this.#started
  }

  /** Writes one block after `started`. A promise means: wait before the next one; it rejects when the server refused the rows or the connection died. */
  write(block: Uint8Array): Promise<void> | undefined {
    if (this.#failure) return Promise.reject(this.#failure)
    const { length } = block
    this.#unsent += length
    this.#connection!.stream.write(block, (error) => {
      this.#unsent -= length
      if (error) this.#fail(error)
      else if (this.#waiting && this.#unsent <= unsentBytesLow) this.#release()
    })
    return this.#unsent > unsentBytesMax ? this.#wait() : undefined
  }

  /** Ends the copy; resolves with the number of rows that the server took. */
  finish(): Promise<number> {
    if (!this.#failure) this.#connection!.stream.write(Buffer.from([copyDone, 0, 0, 0, 4]))
    return this.#ended
  }

  #wait(): Promise<void> {
    this.#waiting ??= Promise.withResolvers<void>()
    return this.#waiting.promise
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.resolve()
  }

  #fail(error: Error): void {
    if (this.#failure) return
    this.#failure = error
    this.#start.reject(error)
    this.#end.reject(error)
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(error)
  }
}
