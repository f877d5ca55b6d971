import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { PgoutputDecoder } from './decode.ts'
import type { PgoutputMessage, Relation } from './message.ts'

/** Bytes of all transactions that are open on the source and kept in memory; above it the largest goes to a file. */
export const openMemoryBytesMax = 32 * 1024 * 1024
/** Bytes of them on disk; above it the stream fails (CF3019). */
export const openDiskBytesMax = 16 * 1024 * 1024 * 1024
const segmentBytes = 256 * 1024
const readBytes = 1024 * 1024
/** Sub-transaction and length before each message. */
const headerBytes = 8

export interface LogSpaceOptions {
  readonly memoryBytesMax?: number
  readonly diskBytesMax?: number
  /** Where files are made; the system's directory for temporary files unless given. */
  readonly directory?: string
}

/** What all logs of one stream share: the limits, and how much of them is used. */
export class LogSpace {
  readonly memoryBytesMax: number
  readonly diskBytesMax: number
  readonly directory: string
  memoryBytes = 0
  diskBytes = 0
  readonly #logs = new Set<OpenTransactionLog>()

  constructor(options: LogSpaceOptions = {}) {
    this.memoryBytesMax = options.memoryBytesMax ?? openMemoryBytesMax
    this.diskBytesMax = options.diskBytesMax ?? openDiskBytesMax
    this.directory = options.directory ?? tmpdir()
  }

  add(log: OpenTransactionLog): void {
    this.#logs.add(log)
  }

  remove(log: OpenTransactionLog): void {
    this.#logs.delete(log)
  }

  /** Brings memory back under its limit. Throws CF3019 when the disk is full or its limit is reached. */
  shrink(): void {
    while (this.memoryBytes > this.memoryBytesMax) {
      let largest: OpenTransactionLog | null = null
      for (const log of this.#logs) if (largest === null || log.memoryBytes > largest.memoryBytes) largest = log
      if (largest === null || largest.memoryBytes === 0) return
      largest.spill()
    }
  }

  close(): void {
    for (const log of [...this.#logs]) log.delete()
  }
}

/**
 * The messages of one transaction that is still open (streamed) or prepared, as they were sent, until its fate is known.
 * Kept in memory, in a file when it gets large; the file has no name from the start, so nothing is left behind however the process ends.
 */
export class OpenTransactionLog {
  readonly #space: LogSpace
  readonly #relations: readonly Relation[]
  readonly #streamXid: number | null
  readonly #aborted = new Set<number>()
  #segments: { bytes: Buffer; used: number }[] = []
  #file: number | null = null
  #fileBytes = 0
  /** Nothing of it will be wanted. */
  #dropped = false
  memoryBytes = 0

  /** `relations` as messages at its beginning see them; `streamXid` when its messages carry sub-transactions. */
  constructor(space: LogSpace, relations: readonly Relation[], streamXid: number | null) {
    this.#space = space
    this.#relations = relations
    this.#streamXid = streamXid
    space.add(this)
  }

  append(bytes: Buffer, start: number, end: number): void {
    if (this.#dropped && !isDescription(bytes[start]!)) return
    const length = end - start
    const segment = this.#segmentFor(headerBytes + length)
    segment.bytes.writeUInt32BE(this.#subXid(bytes, start, end), segment.used)
    segment.bytes.writeUInt32BE(length, segment.used + 4)
    bytes.copy(segment.bytes, segment.used + headerBytes, start, end)
    segment.used += headerBytes + length
    if (this.#space.memoryBytes > this.#space.memoryBytesMax) this.#space.shrink()
  }

  /** What this sub-transaction did is left out of `messages`. */
  abortSubTransaction(subXid: number): void {
    this.#aborted.add(subXid)
  }

  /** Forgets the content, and whatever comes but descriptions of tables. */
  drop(): void {
    this.#dropped = true
    this.#release()
  }

  /** The messages in order, without those of aborted sub-transactions. Tables' descriptions are always given. */
  *messages(): Generator<{ readonly message: PgoutputMessage; readonly bytes: number }> {
    const decoder = new PgoutputDecoder(this.#relations)
    if (this.#streamXid !== null) decoder.decode(streamStart(this.#streamXid))
    for (const block of this.#blocks()) {
      let position = 0
      while (position < block.length) {
        const subXid = block.readUInt32BE(position)
        const start = position + headerBytes
        const end = start + block.readUInt32BE(position + 4)
        if (isDescription(block[start]!) || !this.#aborted.has(subXid))
          yield { message: decoder.decode(block, start, end), bytes: end - start }
        position = end
      }
    }
  }

  /** Moves what is in memory to the file. Throws CF3019. */
  spill(): void {
    try {
      this.#file ??= openUnnamed(this.#space.directory)
      for (const { bytes, used } of this.#segments) {
        let written = 0
        while (written < used)
          written += writeSync(this.#file, bytes, written, used - written, this.#fileBytes + written)
        this.#fileBytes += used
        this.#space.diskBytes += used
      }
    } catch (error) {
      throw fail('CF3019', { reason: reasonOf(error) }, error)
    }
    this.#releaseMemory()
    if (this.#space.diskBytes > this.#space.diskBytesMax) {
      throw fail('CF3019', { reason: `open transactions need more than ${this.#space.diskBytesMax} bytes` })
    }
  }

  /** Idempotent. */
  delete(): void {
    this.#release()
    this.#space.remove(this)
  }

  /** Blocks of whole records. */
  *#blocks(): Generator<Buffer> {
    let from = 0
    let size = readBytes
    while (from < this.#fileBytes) {
      const block = this.#read(from, Math.min(size, this.#fileBytes - from))
      const { whole, needed } = wholeRecords(block)
      if (whole > 0) yield block.subarray(0, whole)
      from += whole
      size = Math.max(readBytes, needed)
    }
    for (const { bytes, used } of this.#segments) yield bytes.subarray(0, used)
  }

  #read(from: number, length: number): Buffer {
    const block = Buffer.allocUnsafe(length)
    let read = 0
    while (read < length) {
      const count = readSync(this.#file!, block, read, length - read, from + read)
      if (count === 0) throw fail('CF3019', { reason: 'its file ended early' })
      read += count
    }
    return block
  }

  #segmentFor(needed: number): { bytes: Buffer; used: number } {
    const last = this.#segments.at(-1)
    if (last !== undefined && last.bytes.length - last.used >= needed) return last
    const size = Math.max(segmentBytes, needed)
    const segment = { bytes: Buffer.allocUnsafe(size), used: 0 }
    this.#segments.push(segment)
    this.memoryBytes += size
    this.#space.memoryBytes += size
    return segment
  }

  #subXid(bytes: Buffer, start: number, end: number): number {
    return this.#streamXid !== null && end - start >= 5 ? bytes.readUInt32BE(start + 1) : 0
  }

  #release(): void {
    this.#releaseMemory()
    if (this.#file === null) return
    closeSync(this.#file)
    this.#file = null
    this.#space.diskBytes -= this.#fileBytes
    this.#fileBytes = 0
  }

  #releaseMemory(): void {
    this.#space.memoryBytes -= this.memoryBytes
    this.memoryBytes = 0
    this.#segments = []
  }
}

/** How many bytes of the block are whole records, and how many the first that is not would need. */
function wholeRecords(block: Buffer): { whole: number; needed: number } {
  let whole = 0
  while (whole + headerBytes <= block.length) {
    const needed = headerBytes + block.readUInt32BE(whole + 4)
    if (whole + needed > block.length) return { whole, needed }
    whole += needed
  }
  return { whole, needed: 0 }
}

/** Of a table or of a type. */
function isDescription(tag: number): boolean {
  return tag === 0x52 || tag === 0x59
}

function streamStart(xid: number): Buffer {
  const message = Buffer.alloc(6)
  message[0] = 0x53
  message.writeUInt32BE(xid, 1)
  message[5] = 1
  return message
}

function openUnnamed(directory: string): number {
  const path = join(directory, `crossfade-${process.pid}-${randomBytes(6).toString('hex')}.spool`)
  const file = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  return file
}
