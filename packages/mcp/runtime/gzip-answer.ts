// Compiled answers as gzip, compressed once. The id stands at the end, so every answer is the same compressed bytes, then one stored block and the checksum.
import { constants, crc32, deflateRawSync } from 'node:zlib'

/** RFC 1952: magic, deflate, no flags, no time, no extra flags, unknown system. */
const gzipHead = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])

/** The part of an answer that never changes, compressed. */
export interface GzipAnswer {
  /** A character for each byte (latin1): what is text goes out in one write together with the head of the response. */
  readonly compressed: string
  readonly checksum: number
  readonly bytes: number
}

/** Compresses the beginning of an answer, up to a byte's edge and without an end. `text` is ASCII. */
export function compileGzip(text: string): GzipAnswer {
  const plain = Buffer.from(text, 'latin1')
  const blocks = deflateRawSync(plain, { level: 9, finishFlush: constants.Z_SYNC_FLUSH })
  return {
    compressed: Buffer.concat([gzipHead, blocks]).toString('latin1'),
    checksum: crc32(plain),
    bytes: plain.length,
  }
}

/** The whole answer with this end, a character for each byte. `end` is ASCII, at most 65,535 characters, which a stored block holds. */
export function gzipWith({ compressed, checksum, bytes }: GzipAnswer, end: string): string {
  const { length } = end
  // A stored block (RFC 1951, section 3.2.4): final and of type 00, its length and the complement of that, its bytes. Then the checksum and the length of all.
  const block = String.fromCharCode(1, length & 255, length >>> 8, ~length & 255, (~length >>> 8) & 255)
  return compressed + block + end + int32(crc32(end, checksum)) + int32(bytes + length)
}

/** Four bytes, the lowest first. */
function int32(value: number): string {
  return String.fromCharCode(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255)
}
