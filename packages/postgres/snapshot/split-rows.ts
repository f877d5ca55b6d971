import { invariant } from '@crossfade/model/failure.ts'
import { both, type FrameWriter } from './frame-writer.ts'
import { unescapeText } from './text-row.ts'
import { copyData, headerBytes, readLength } from './wire.ts'

export type CopyFormat = 'binary' | 'text'

/** The place in `writers` of a key's target, or -1 for a row that is not written anywhere. */
export type RouteKey = (key: string | null) => number

/** A shard key must be found within this many bytes from the start of its row. */
export const keyBytesMax = 1024 * 1024
/** Rows up to this size are put together when a block's end cuts them; larger ones pass through in pieces. */
const joinedRowBytesMax = 64 * 1024

const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const trailer = Buffer.from([0xff, 0xff])
const tab = 0x09

/**
 * Reads the CopyData messages of one `COPY … TO STDOUT` whose first column is the shard key as text, takes that column off, and gives each row to the writer of its target.
 * Each message holds one row (the server promises that), the binary format's header stands before the first and its trailer after the last.
 * Memory: nothing but a row's beginning (at most `joinedRowBytesMax` or the key) is kept from one block to the next.
 */
export class RowSplitter {
  readonly #binary: boolean
  readonly #route: RouteKey
  readonly #writers: readonly FrameWriter[]
  /** The beginning of a row that the last block ended in. */
  #kept: Buffer | null = null
  /** Bytes still to come of a large row, and who gets them. */
  #left = 0
  #leftFor: FrameWriter | null = null
  #headerSeen: boolean
  readonly #count = Buffer.alloc(2)
  /** Where the row's content goes on behind its key; set by `#readPrefix`. */
  #contentAt = 0
  #key: string | null = null
  /** Rows that came, and those among them that went nowhere. */
  rows = 0
  dropped = 0

  constructor(format: CopyFormat, route: RouteKey, writers: readonly FrameWriter[]) {
    this.#binary = format === 'binary'
    this.#headerSeen = !this.#binary
    this.#route = route
    this.#writers = writers
    if (this.#binary) {
      for (const writer of writers) {
        void writer.start(signature.length, null)
        void writer.append(signature, 0, signature.length)
      }
    }
  }

  /** Takes the next block of protocol bytes, cut anywhere. A promise asks to wait. Throws what the route throws, and CF9001 for bytes that are no COPY stream. */
  push(block: Buffer): Promise<void> | undefined {
    let wait: Promise<void> | undefined
    let at = 0
    while (at < block.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, block.length - at)
        wait = both(wait, this.#leftFor?.append(block, at, at + step))
        this.#left -= step
        at += step
      } else if (this.#kept) {
        const [step, more] = this.#joinKept(block, at)
        wait = both(wait, more)
        at += step
      } else {
        const end = this.#messageEnd(block, at)
        if (end < 0 || end > block.length) {
          wait = both(wait, this.#cutRow(block.subarray(at)))
          at = block.length
        } else {
          wait = both(wait, this.#row(block, at, end))
          at = end
        }
      }
    }
    return wait
  }

  /** Ends every target's rows and sends what is gathered. */
  end(): Promise<void> | undefined {
    invariant(this.#left === 0 && this.#kept === null, 'the COPY stream ended in the middle of a row')
    let wait: Promise<void> | undefined
    for (const writer of this.#writers) {
      if (this.#binary) {
        wait = both(wait, writer.start(trailer.length, trailer))
      }
      wait = both(wait, writer.flush())
    }
    return wait
  }

  /** Where the message that starts at `at` ends; -1 while its header is cut. */
  #messageEnd(bytes: Buffer, at: number): number {
    invariant(bytes[at] === copyData, 'the COPY stream holds something that is not a row')
    return bytes.length - at < headerBytes ? -1 : at + 1 + readLength(bytes, at + 1)
  }

  /** One whole message. */
  #row(bytes: Buffer, at: number, end: number): Promise<void> | undefined {
    const found = this.#readPrefix(bytes, at + headerBytes, end)
    invariant(found !== 'cut', 'a row of the COPY stream ends before its key does')
    if (found === 'none') return undefined
    const writer = this.#place()
    if (!writer) return undefined
    const content = this.#contentAt
    return both(this.#startRow(writer, end - content), writer.append(bytes, content, end))
  }

  /** A row that goes on in the next block: kept when small; a large one is sent on as soon as its key is known. */
  #cutRow(bytes: Buffer): Promise<void> | undefined {
    const end = this.#messageEnd(bytes, 0)
    if (end < 0 || end <= joinedRowBytesMax) return this.#keep(bytes)
    const found = this.#readPrefix(bytes, headerBytes, end)
    if (found === 'cut') {
      invariant(bytes.length <= keyBytesMax, `a shard key is longer than ${keyBytesMax} bytes`)
      return this.#keep(bytes)
    }
    const writer = found === 'row' ? this.#place() : null
    this.#leftFor = writer
    this.#left = end - bytes.length
    if (!writer) return undefined
    const content = this.#contentAt
    return both(this.#startRow(writer, end - content), writer.append(bytes, content, bytes.length))
  }

  #keep(bytes: Buffer): undefined {
    // Copied, so that a few bytes don't hold a whole block.
    this.#kept = Buffer.from(bytes)
  }

  /** Adds bytes of the block to the kept beginning; gives how many were used. */
  #joinKept(block: Buffer, at: number): readonly [number, Promise<void> | undefined] {
    const kept = this.#kept!
    const end = kept.length < headerBytes ? headerBytes : this.#messageEnd(kept, 0)
    const wanted = end <= joinedRowBytesMax ? end - kept.length : Math.min(end - kept.length, joinedRowBytesMax)
    const step = Math.min(wanted, block.length - at)
    const joined = Buffer.concat([kept, block.subarray(at, at + step)])
    this.#kept = null
    if (joined.length === this.#messageEnd(joined, 0)) return [step, this.#row(joined, 0, joined.length)]
    return [step, this.#cutRow(joined)]
  }

  #place(): FrameWriter | null {
    this.rows += 1
    const place = this.#route(this.#key)
    if (place >= 0) return this.#writers[place]!
    this.dropped += 1
    return null
  }

  #startRow(writer: FrameWriter, contentBytes: number): Promise<void> | undefined {
    return this.#binary ? writer.start(contentBytes + 2, this.#count) : writer.start(contentBytes, null)
  }

  /** Reads up to behind the key. `none`: the message holds no row (the binary format's trailer); `cut`: more bytes are needed. */
  #readPrefix(bytes: Buffer, at: number, end: number): 'row' | 'none' | 'cut' {
    return this.#binary ? this.#readBinaryPrefix(bytes, at, end) : this.#readTextPrefix(bytes, at)
  }

  #readTextPrefix(bytes: Buffer, at: number): 'row' | 'cut' {
    const keyEnd = bytes.indexOf(tab, at)
    if (keyEnd < 0) return 'cut'
    const field = bytes.toString('utf8', at, keyEnd)
    this.#key = field.includes('\\') ? unescapeText(field) : field
    this.#contentAt = keyEnd + 1
    return 'row'
  }

  #readBinaryPrefix(bytes: Buffer, start: number, end: number): 'row' | 'none' | 'cut' {
    let at = start
    if (!this.#headerSeen) {
      if (bytes.length < at + signature.length) return 'cut'
      invariant(bytes.compare(signature, 0, 11, at, at + 11) === 0, 'a binary COPY stream starts without its signature')
      invariant(bytes.readInt32BE(at + 15) === 0, 'a binary COPY stream has an unknown header')
      at += signature.length
      if (at === end) {
        this.#headerSeen = true
        return 'none'
      }
    }
    if (bytes.length < at + 2) return 'cut'
    const columns = (bytes[at]! << 8) | bytes[at + 1]!
    if (columns === 0xffff) {
      this.#headerSeen = true
      return 'none'
    }
    if (bytes.length < at + 6) return 'cut'
    const keyBytes = readLength(bytes, at + 2)
    const keyAt = at + 6
    if (bytes.length < keyAt + Math.max(keyBytes, 0)) return 'cut'
    this.#key = keyBytes < 0 ? null : bytes.toString('utf8', keyAt, keyAt + keyBytes)
    this.#contentAt = keyAt + Math.max(keyBytes, 0)
    this.#count[0] = (columns - 1) >> 8
    this.#count[1] = (columns - 1) & 0xff
    this.#headerSeen = true
    return 'row'
  }
}
