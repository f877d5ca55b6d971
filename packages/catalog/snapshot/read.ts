// A compiled catalog, read as it is needed: the head at once, tools when somebody asks for them.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { inflateSync } from 'node:zlib'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { Service, Tool, ToolSummary } from '../catalog.ts'
import { type Kept, keptUpTo } from '../kept.ts'
import { type SearchIndex, searchIndex } from '../search.ts'
import {
  headBytesMax,
  type IndexEntry,
  magic,
  type Place,
  prefixBytes,
  type SnapshotHead,
  type SnapshotService,
  toolsPerPart,
} from './format.ts'

/** Definitions of operations that no list shows are kept up to this many characters of JSON, over all services. */
const unlistedCharsMax = 8 * 1024 * 1024
/** Search indexes are kept up to this many operations in all. */
const indexedOperationsMax = 5_000

export interface Snapshot {
  readonly digest: string
  /** By service type, in alphabetical order. */
  readonly services: readonly Service[]
  readonly findings: readonly Finding[]
}

interface OperationIndex {
  readonly positions: ReadonlyMap<string, number>
  readonly search: SearchIndex<IndexEntry>
}

interface Shared {
  read(place: Place): unknown
  readonly tools: Kept<string, Tool>
  readonly indexes: Kept<string, OperationIndex>
}

/** The file is closed when nothing refers to its snapshot any more: requests that began on an old catalog finish on it. */
const openFiles = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor))

/**
 * Opens a compiled catalog; a few milliseconds for hundreds of services. The file may be replaced (not overwritten) while it is
 * read. Throws CF10040 when it is missing and CF10041 when it is broken; a part that is broken throws when it is first needed.
 */
export function readSnapshot(file: string): Snapshot {
  const descriptor = opened(file)
  let head: { head: SnapshotHead; partsAt: number }
  try {
    head = headFrom(descriptor, file)
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
  const { partsAt } = head
  const reader = { read: (place: Place) => readPart(descriptor, partsAt, place, file) }
  openFiles.register(reader, descriptor)
  const shared: Shared = {
    read: (place) => reader.read(place),
    tools: keptUpTo(unlistedCharsMax),
    indexes: keptUpTo(indexedOperationsMax),
  }
  const { digest, findings, services } = head.head
  return { digest, findings, services: services.map((service) => serviceOf(service, shared)) }
}

/** The head alone. Throws as `readSnapshot` does. */
export function readHead(file: string): SnapshotHead {
  const descriptor = opened(file)
  try {
    return headFrom(descriptor, file).head
  } finally {
    closeSync(descriptor)
  }
}

function serviceOf(service: SnapshotService, shared: Shared): Service {
  const { config, operationCount } = service
  let listed: readonly Tool[] | null = null
  const listedTools = () => {
    listed ??= shared.read(service.listed) as Tool[]
    return listed
  }
  const operationIndex = () => {
    const known = shared.indexes.get(config.serviceType)
    if (known) return known
    const entries = shared.read(service.index) as IndexEntry[]
    const index: OperationIndex = {
      positions: new Map(entries.map(([name], position) => [name, position])),
      search: searchIndex(entries, ([name, title, text]) => ({ name, title, text })),
    }
    shared.indexes.set(config.serviceType, index, entries.length)
    return index
  }
  return {
    config,
    operationCount,
    get listed() {
      return listedTools()
    },
    tool(name) {
      const shown = listedTools().find((tool) => tool.name === name)
      if (shown || operationCount === listedTools().length) return shown
      const key = `${config.serviceType} ${name}`
      const kept = shared.tools.get(key)
      if (kept) return kept
      const position = operationIndex().positions.get(name)
      if (position === undefined) return undefined
      const part = shared.read(service.parts[Math.floor(position / toolsPerPart)]!) as Tool[]
      const tool = part[position % toolsPerPart]!
      shared.tools.set(key, tool, JSON.stringify(tool).length)
      return tool
    },
    searchTools(query, limit): ToolSummary[] {
      const found = operationIndex().search.search(query, { limit, words: 'most' })
      return found.map(([name, , description]) => ({ name, description }))
    },
  }
}

function opened(file: string): number {
  try {
    return openSync(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw fail('CF10040', { file }, error)
    throw fail('CF10041', { file, reason: reasonOf(error) }, error)
  }
}

function headFrom(descriptor: number, file: string): { head: SnapshotHead; partsAt: number } {
  try {
    const prefix = bytesAt(descriptor, 0, prefixBytes)
    if (!prefix.subarray(0, magic.length).equals(magic)) throw new Error('it is no compiled catalog of this release')
    const length = prefix.readUInt32LE(magic.length)
    if (length > headBytesMax) throw new Error('its head is too long')
    const head = JSON.parse(bytesAt(descriptor, prefixBytes, length).toString('utf8')) as SnapshotHead
    const partsAt = prefixBytes + length
    if (fstatSync(descriptor).size !== partsAt + head.partsBytes) throw new Error('it is truncated')
    return { head, partsAt }
  } catch (error) {
    throw fail('CF10041', { file, reason: reasonOf(error) }, error)
  }
}

function readPart(descriptor: number, partsAt: number, [offset, length]: Place, file: string): unknown {
  try {
    return JSON.parse(inflateSync(bytesAt(descriptor, partsAt + offset, length)).toString('utf8'))
  } catch (error) {
    if (error instanceof Failure) throw error
    throw fail('CF10041', { file, reason: reasonOf(error) }, error)
  }
}

function bytesAt(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let filled = 0; filled < length; ) {
    const read = readSync(descriptor, bytes, filled, length - filled, position + filled)
    if (read === 0) throw new Error('it is truncated')
    filled += read
  }
  return bytes
}
