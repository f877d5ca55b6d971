// Compiled answers as gzip, compressed once. The id stands at the end, so every answer is the same compressed bytes, then one stored block and the checksum.
import { constants, crc32, deflateRawSync } from 'node:zlib'

/** RFC 1952: magic, deflate, no flags, no time, no extra flags, unknown system. */
const gzipHead = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
/** A stored block's head (RFC 1951, section 3.2.4): final, type 00, length and its complement. */
const storedHeadBytes = 5
const gzipTailBytes = 8

/** The part of an answer that never changes, compressed. */
export interface GzipAnswer {
  readonly compressed: Buffer
  readonly checksum: number
  readonly bytes: number
}

/** Compresses the beginning of an answer, up to a byte's edge and without an end. `text` is ASCII. */
export function compileGzip(text: string): GzipAnswer {
  const plain = Buffer.from(text, 'latin1')
  const blocks = deflateRawSync(plain, { level: 9, finishFlush: constants.Z_SYNC_FLUSH })
  return { compressed: Buffer.concat([gzipHead, blocks]), checksum: crc32(plain), bytes: plain.length }
}

/** The whole answer with this end: ASCII, at most 65,535 characters, which a stored block holds. */
export function gzipWith({ compressed, checksum, bytes }: GzipAnswer, end: string): Buffer {
  const whole = Buffer.allocUnsafe(compressed.length + storedHeadBytes + end.length + gzipTailBytes)
  compressed.copy(whole)
  let at = compressed.length
  whole[at] = 1
  at = whole.writeUInt16LE(end.length, at + 1)
  at = whole.writeUInt16LE(~end.length & 0xffff, at)
  at += whole.write(end, at, 'latin1')
  at = whole.writeUInt32LE(crc32(whole.subarray(at - end.length, at), checksum), at)
  whole.writeUInt32LE((bytes + end.length) >>> 0, at)
  return whole
}
