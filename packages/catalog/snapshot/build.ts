// Compiles services into one file. The only place where API descriptions are parsed.
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { deflateSync } from 'node:zlib'
import type { Finding } from '@crossfade/model/finding.ts'
import { type CompiledService, compileService } from '../compile-service.ts'
import { loadServices, shippedServicesDirectory } from '../load-services.ts'
import { sha256 } from '../tool-digest.ts'
import {
  type IndexEntry,
  magic,
  type Place,
  type SnapshotHead,
  type SnapshotService,
  shippedSnapshotFile,
  toolsPerPart,
} from './format.ts'
import { readHead } from './read.ts'
import { sourcesDigest } from './sources-digest.ts'

export interface BuiltSnapshot {
  readonly file: string
  /** False when the file was of these sources already. */
  readonly rebuilt: boolean
  readonly services: number
  readonly operations: number
  /** What is wrong with services that are left out, and with tools that are. */
  readonly findings: readonly Finding[]
}

/**
 * Compiles the services of `directories` into `file` unless it is of these sources already. Atomic: a reader sees the old file or
 * the new one, whole; of two that build at once the last wins, and both build the same. What is wrong with services is told, not
 * thrown; throws what the file system throws.
 */
export function buildSnapshot(
  directories: readonly string[] = [shippedServicesDirectory],
  file: string = shippedSnapshotFile,
): BuiltSnapshot {
  const sources = sourcesDigest(directories)
  const head = headOf(file)
  if (head?.sources === sources) return summary(file, head, false)
  mkdirSync(dirname(file), { recursive: true })
  const partial = `${file}.${process.pid}.partial`
  try {
    const written = write(partial, directories, sources)
    renameSync(partial, file)
    return summary(file, written, true)
  } finally {
    rmSync(partial, { force: true })
  }
}

function headOf(file: string): SnapshotHead | null {
  try {
    return readHead(file)
  } catch {
    return null
  }
}

function summary(file: string, { services, findings }: SnapshotHead, rebuilt: boolean): BuiltSnapshot {
  const operations = services.reduce((sum, service) => sum + service.operationCount, 0)
  return { file, rebuilt, services: services.length, operations, findings }
}

function write(file: string, directories: readonly string[], sources: string): SnapshotHead {
  const loaded = loadServices(directories)
  const findings = [...loaded.findings]
  const parts: Buffer[] = []
  let offset = 0
  const add = (value: unknown): Place => {
    const part = deflateSync(JSON.stringify(value))
    const place: Place = [offset, part.length]
    parts.push(part)
    offset += part.length
    return place
  }
  const services = loaded.services.map((source): SnapshotService => {
    const compiled = compileService(source)
    findings.push(...compiled.findings)
    return addService(compiled, add)
  })
  const digest = sha256(services.map((service) => `${service.config.serviceType} ${service.digest}\n`).join(''))
  const head: SnapshotHead = { sources, digest, partsBytes: offset, findings, services }
  writeFile(file, head, parts)
  return head
}

function addService(compiled: CompiledService, add: (value: unknown) => Place): SnapshotService {
  const tools = compiled.operations.map(({ tool }) => tool)
  const { config } = compiled.source
  const hash = createHash('sha256').update(JSON.stringify(config))
  for (const tool of tools) hash.update(JSON.stringify(tool))
  const listed = add(compiled.listed)
  const index = add(tools.map((tool): IndexEntry => [tool.name, tool.title ?? '', tool.description]))
  const parts: Place[] = []
  for (let at = 0; at < tools.length; at += toolsPerPart) parts.push(add(tools.slice(at, at + toolsPerPart)))
  return { config, digest: hash.digest('hex'), operationCount: tools.length, listed, index, parts }
}

function writeFile(file: string, head: SnapshotHead, parts: readonly Buffer[]): void {
  const text = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  const descriptor = openSync(file, 'w')
  try {
    for (const part of [magic, length, text, ...parts]) {
      for (let written = 0; written < part.length; ) written += writeSync(descriptor, part, written)
    }
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
