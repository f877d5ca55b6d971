// Reads the services that people described, folder by folder. What is broken is told and left out; the rest is served.
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { reasonOf } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { Type } from 'typebox'
import { catalogFinding } from './catalog-finding.ts'
import { readJsonFile } from './json-file.ts'
import {
  type HandWrittenOperation,
  handWrittenOperationSchema,
  type ServiceConfig,
  serviceConfigSchema,
} from './service-config.ts'

/** The services that come with Crossfade. */
export const shippedServicesDirectory = join(import.meta.dirname, 'services')

export interface ServiceSource {
  readonly config: ServiceConfig
  /** Folder that holds its `config.json`. */
  readonly folder: string
  /** What `operations.json` holds; empty for other sources. */
  readonly operations: readonly HandWrittenOperation[]
}

export interface LoadedServices {
  /** By service type, in alphabetical order. */
  readonly services: readonly ServiceSource[]
  readonly findings: readonly Finding[]
}

export const operationsFileSchema = Type.Object(
  { $schema: Type.Optional(Type.String()), operations: Type.Array(handWrittenOperationSchema) },
  { additionalProperties: false },
)

/**
 * The services of `directories`, each a folder of `<service_type>/config.json`. Never throws: a broken service is left out
 * and named in `findings` with file and line. Of two with the same port or type the one of the earlier directory stays, then of
 * the earlier name. Ordered and deterministic.
 */
export function loadServices(directories: readonly string[] = [shippedServicesDirectory]): LoadedServices {
  const findings: Finding[] = []
  const byType = new Map<ServiceType, ServiceSource>()
  const byPort = new Map<number, ServiceSource>()
  for (const folder of directories.flatMap((directory) => foldersOf(directory, findings))) {
    const service = loadService(folder, findings)
    if (!service) continue
    const { serviceType, port } = service.config
    const sameType = byType.get(serviceType)
    const samePort = byPort.get(port)
    const details = { service: serviceType, port, second: configFile(folder) }
    if (sameType) {
      const first = configFile(sameType.folder)
      findings.push(catalogFinding('CF10005', 'block', serviceType, { ...details, first }))
    } else if (samePort) {
      const first = configFile(samePort.folder)
      findings.push(catalogFinding('CF10004', 'block', serviceType, { ...details, first }))
    } else {
      byType.set(serviceType, service)
      byPort.set(port, service)
    }
  }
  const services = [...byType.values()].sort((a, b) => (a.config.serviceType < b.config.serviceType ? -1 : 1))
  return { services, findings }
}

/** One service, or null with its findings added. */
export function loadService(folder: string, findings: Finding[]): ServiceSource | null {
  const name = basename(folder)
  const read = readJsonFile<ServiceConfig>(configFile(folder), serviceConfigSchema, name)
  findings.push(...read.findings)
  const config = read.value
  if (!config) return null
  if (config.serviceType !== name) {
    const details = { folder, service: config.serviceType }
    findings.push(catalogFinding('CF10003', 'block', name, details))
    return null
  }
  if (config.source.kind !== 'operations') return { config, folder, operations: [] }
  const file = join(folder, 'operations.json')
  const operations = readJsonFile<{ operations: HandWrittenOperation[] }>(file, operationsFileSchema, name)
  findings.push(...operations.findings)
  return operations.value ? { config, folder, operations: operations.value.operations } : null
}

/** Where a service's folder keeps its configuration. */
export function configFile(folder: string): string {
  return join(folder, 'config.json')
}

/** Folders of a directory by name; a directory that does not exist has none. */
function foldersOf(directory: string, findings: Finding[]): string[] {
  if (!existsSync(directory)) return []
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !entry.name.endsWith('.partial'))
      .map((entry) => join(directory, entry.name))
      .sort()
  } catch (error) {
    findings.push(catalogFinding('CF10006', 'block', directory, { file: directory, reason: reasonOf(error) }))
    return []
  }
}
