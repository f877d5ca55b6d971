import type { Tuple } from '../changes/message.ts'

/** Cells up to this size are copied byte by byte, which beats a call into native code. */
const shortCellBytes = 24
/** A buffer that grew beyond this for one large batch is not kept for the next. */
const keptBytesMax = 16 * 1024 * 1024
const firstBytes = 64 * 1024

/** A growing buffer of protocol bytes, big-endian. */
export class WireWriter {
  #bytes = Buffer.allocUnsafe(firstBytes)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** What was written so far; valid until `reset`. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Starts over; what `written` gave before must not be in use any more. */
  reset(): void {
    this.#length = 0
    if (this.#bytes.length > keptBytesMax) this.#bytes = Buffer.allocUnsafe(firstBytes)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  int16(value: number): void {
    this.#reserve(2)
    const bytes = this.#bytes
    bytes[this.#length++] = value >> 8
    bytes[this.#length++] = value
  }

  int32(value: number): void {
    this.#reserve(4)
    this.#putInt32(this.#length, value)
    this.#length += 4
  }

  setInt32(at: number, value: number): void {
    this.#putInt32(at, value)
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  text(value: string): void {
    const size = value.length * 3
    this.#reserve(size)
    this.#length += this.#bytes.write(value, this.#length, size, 'utf8')
  }

  /** A text with the zero byte that ends it. */
  cString(value: string): void {
    this.text(value)
    this.byte(0)
  }

  /** A value with its length before it, as binary rows and parameters hold it. */
  sized(value: Uint8Array | string | null): void {
    if (value === null) return this.int32(-1)
    const at = this.#length
    this.int32(0)
    if (typeof value === 'string') this.text(value)
    else this.bytes(value)
    this.setInt32(at, this.#length - at - 4)
  }

  /** A cell with its length before it; unchanged ones are written as null, which whoever reads them must not use. */
  sizedCell(tuple: Tuple, cell: number): void {
    const length = tuple.lengths[cell]!
    if (length < 0) return this.int32(-1)
    this.#reserve(length + 4)
    this.#putInt32(this.#length, length)
    this.#length += 4
    this.#copy(tuple.bytes, tuple.starts[cell]!, length)
  }

  /** A cell as a field of text COPY: `\N` for null, with backslash, tab, newline and carriage return escaped. */
  copyTextCell(tuple: Tuple, cell: number): void {
    const length = tuple.lengths[cell]!
    // The unchanged ones are written as null too; whoever reads them must not use them.
    if (length < 0) {
      this.#reserve(2)
      this.#bytes[this.#length++] = backslash
      this.#bytes[this.#length++] = capitalN
      return
    }
    this.#reserve(length * 2)
    const from = tuple.bytes
    const to = this.#bytes
    const start = tuple.starts[cell]!
    const end = start + length
    let at = this.#length
    let copied = start
    for (let index = start; index < end; index += 1) {
      const letter = escapes[from[index]!]!
      if (letter === 0) continue
      at = copyInto(from, copied, index, to, at)
      to[at++] = backslash
      to[at++] = letter
      copied = index + 1
    }
    this.#length = copyInto(from, copied, end, to, at)
  }

  #copy(from: Buffer, start: number, length: number): void {
    this.#length = copyInto(from, start, start + length, this.#bytes, this.#length)
  }

  #putInt32(at: number, value: number): void {
    const bytes = this.#bytes
    bytes[at] = value >> 24
    bytes[at + 1] = value >> 16
    bytes[at + 2] = value >> 8
    bytes[at + 3] = value
  }

  #reserve(size: number): void {
    const needed = this.#length + size
    if (needed <= this.#bytes.length) return
    const bytes = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, needed))
    this.#bytes.copy(bytes, 0, 0, this.#length)
    this.#bytes = bytes
  }
}

const backslash = 0x5c
const capitalN = 0x4e
const escapes = new Uint8Array(256)
for (const [byte, letter] of [
  [0x5c, 0x5c],
  [0x09, 0x74],
  [0x0a, 0x6e],
  [0x0d, 0x72],
] as const) {
  escapes[byte] = letter
}

function copyInto(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start
  if (length > shortCellBytes) {
    from.copy(to, at, start, end)
    return at + length
  }
  for (let index = start; index < end; index += 1) to[at++] = from[index]!
  return at
}
