// Gives a copied cluster a system identifier of its own. Two servers with one identifier would look like one server to
// everything that asks IDENTIFY_SYSTEM, and a position of one could be taken for a position of the other.
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'

/** Where the identifier stands in the long header of a WAL segment's first page: after XLogPageHeaderData, padded. */
const walSystemIdentifierOffset = 24
const identifierBytes = 8
const crcBytes = 4
/** pg_control is written as 8 KiB but its struct, checksum last, fits one 512-byte sector in every version. */
const controlStructBytesMax = 512

/**
 * Writes a new random system identifier into a cluster that was shut down cleanly and has never been started since.
 * Throws when the control file's checksum can't be found, leaving the cluster unchanged.
 */
export function setSystemIdentifier(dataDirectory: string): void {
  const controlPath = join(dataDirectory, 'global', 'pg_control')
  const control = readFileSync(controlPath)
  const crcOffset = findChecksum(control)
  const identifier = newIdentifier()
  identifier.copy(control, 0)
  control.writeUInt32LE(crc32c(control.subarray(0, crcOffset)), crcOffset)
  for (const segment of readdirSync(join(dataDirectory, 'pg_wal'))) {
    if (/^[0-9A-F]{24}$/.test(segment)) writeAt(join(dataDirectory, 'pg_wal', segment), identifier)
  }
  writeFileSync(controlPath, control)
}

/** As initdb makes them, the upper half is the time, so that identifiers stay readable; the rest is random. */
function newIdentifier(): Buffer {
  const identifier = randomBytes(identifierBytes)
  identifier.writeUInt32LE(Math.floor(Date.now() / 1000), 4)
  return identifier
}

function writeAt(path: string, identifier: Buffer): void {
  const file = openSync(path, 'r+')
  try {
    const magic = Buffer.alloc(2)
    readSync(file, magic, 0, 2, 0)
    if (magic.readUInt16LE(0) !== 0) writeSync(file, identifier, 0, identifierBytes, walSystemIdentifierOffset)
  } finally {
    closeSync(file)
  }
}

/** The checksum's place differs by version: it is where the CRC of all bytes before it stands. */
function findChecksum(control: Buffer): number {
  let crc = 0xffffffff
  for (let offset = 0; offset <= controlStructBytesMax - crcBytes; offset++) {
    if (offset > identifierBytes && offset % 4 === 0 && control.readUInt32LE(offset) === (crc ^ 0xffffffff) >>> 0)
      return offset
    crc = (crc32cTable[(crc ^ control.readUInt8(offset)) & 0xff] ?? 0) ^ (crc >>> 8)
  }
  throw fail('CF9001', { reason: 'pg_control holds no valid checksum' })
}

function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc32cTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

const crc32cPolynomial = 0x82f63b78
const crc32cTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ crc32cPolynomial : value >>> 1
  return value >>> 0
})
