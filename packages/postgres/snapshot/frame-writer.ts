import { copyData, headerBytes } from './wire.ts'

/** Small rows are gathered into blocks of this size before they are sent. */
export const gatherBytes = 128 * 1024
/** Larger pieces are sent as they are, without being copied together first. */
const directBytes = 16 * 1024

/** Takes one block; a promise asks the caller to wait before the next one. */
export type BlockSink = (block: Buffer) => Promise<void> | undefined

/**
 * Gathers CopyData messages for one target. Every method may answer with a promise: wait for it before the next call, so that no more than one block and what the sink
 * holds lie in memory.
 */
export class FrameWriter {
  readonly #sink: BlockSink
  #block = Buffer.allocUnsafe(gatherBytes)
  #used = 0
  bytes = 0

  constructor(sink: BlockSink) {
    this.#sink = sink
  }

  /** Starts a message of `length` bytes of content, of which `prefix` are the first; the rest follows by `append`. */
  start(length: number, prefix: Uint8Array | null): Promise<void> | undefined {
    const need = headerBytes + (prefix?.length ?? 0)
    const wait = this.#used + need > gatherBytes ? this.flush() : undefined
    const block = this.#block
    block[this.#used] = copyData
    block.writeInt32BE(length + 4, this.#used + 1)
    if (prefix) block.set(prefix, this.#used + headerBytes)
    this.#used += need
    return wait
  }

  /** The next bytes of the message that was started. */
  append(bytes: Buffer, from: number, to: number): Promise<void> | undefined {
    const length = to - from
    if (length > directBytes) {
      const before = this.flush()
      const after = this.#send(bytes.subarray(from, to))
      return both(before, after)
    }
    const wait = this.#used + length > gatherBytes ? this.flush() : undefined
    bytes.copy(this.#block, this.#used, from, to)
    this.#used += length
    return wait
  }

  /** Sends what is gathered. */
  flush(): Promise<void> | undefined {
    if (this.#used === 0) return undefined
    const block = this.#block.subarray(0, this.#used)
    // The sink keeps the block until the network has taken it.
    this.#block = Buffer.allocUnsafe(gatherBytes)
    this.#used = 0
    return this.#send(block)
  }

  #send(block: Buffer): Promise<void> | undefined {
    this.bytes += block.length
    return this.#sink(block)
  }
}

/** Waits for both where both ask for it. */
export function both(a: Promise<void> | undefined, b: Promise<void> | undefined): Promise<void> | undefined {
  if (!a) return b
  if (!b) return a
  return Promise.all([a, b]).then(() => undefined)
}
