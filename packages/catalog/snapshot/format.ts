// One file with every service: a head that is read at once, and compressed parts that are read when they are needed.
//
//   8 bytes   magic
//   4 bytes   length of the head, little-endian
//   head      JSON: `SnapshotHead`
//   parts     zlib streams (they carry a checksum); places count from the end of the head
import { join } from 'node:path'
import type { Finding } from '@crossfade/model/finding.ts'
import type { ServiceConfig } from '../service-config.ts'

/** Where the services that come with Crossfade are compiled to. */
export const shippedSnapshotFile = join(import.meta.dirname, '..', 'dist', 'catalog.snapshot')

/** The digit is the version of the format, which is also that of the tools in it (`HttpCall`): another one is refused and built anew. */
export const magic = Buffer.from('CFCAT\u00002\n', 'latin1')
/** Magic and length. */
export const prefixBytes = magic.length + 4
/** A head that claims to be longer is none. */
export const headBytesMax = 64 * 1024 * 1024

/** Offset and length in bytes. */
export type Place = readonly [offset: number, length: number]

export interface SnapshotHead {
  /** Of all sources and of the compiler: a snapshot of other ones is stale. */
  readonly sources: string
  /** SHA-256 (hex) over everything that serving depends on. */
  readonly digest: string
  /** Bytes of the parts together: a shorter file is truncated. */
  readonly partsBytes: number
  /** What was wrong with the services that are left out. */
  readonly findings: readonly Finding[]
  readonly services: readonly SnapshotService[]
}

export interface SnapshotService {
  readonly config: ServiceConfig
  readonly digest: string
  readonly operationCount: number
  /** JSON of the listed tools. */
  readonly listed: Place
  /** JSON of `IndexEntry[]`. */
  readonly index: Place
  /** JSON of tools, `toolsPerPart` in each, in the order of the index. */
  readonly parts: readonly Place[]
}

export const toolsPerPart = 16

/** What is searched: an operation's name, title and description. The tool itself is at the same position in the parts. */
export type IndexEntry = readonly [name: string, title: string, description: string]
