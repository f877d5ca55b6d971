// What an import gives: the files of one service, and what a person should look at.
import { fail } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import { parseServiceType, type ServiceType, type UserId } from '@crossfade/model/platform-ids.ts'
import { catalogFinding } from '../catalog-finding.ts'
import { explainSchema, pointerOf } from '../schema-problems.ts'
import { portMax, portMin, type ServiceConfig, serviceConfigSchema } from '../service-config.ts'
import { sha256 } from '../tool-digest.ts'

/** A description that is longer is more than a user's own: the greatest of GitHub has 6 MB. */
export const importBytesMax = 16 * 1024 * 1024

export interface ImportOptions {
  /** By default made from the title. */
  readonly serviceType?: string
  readonly displayName?: string
  readonly category?: ServiceConfig['category']
  /** Who alone sees it; absent: everybody. */
  readonly owner?: UserId
  /** By default a free one. */
  readonly port?: number
  /** Where the description names no absolute server, or another one is meant. */
  readonly baseUrl?: string
  /** Ports of the services that are there. */
  readonly portsTaken: ReadonlySet<number>
}

export interface ImportedService {
  readonly config: ServiceConfig
  /** Paths are below the services directory: `petstore/config.json`. */
  readonly files: readonly { readonly path: string; readonly content: string }[]
  /** What could not be found out and should be looked at. */
  readonly findings: readonly ImportFinding[]
}

/** Something about an import that a person should look at. */
export interface ImportFinding extends Finding {
  /** The message without the service's name. */
  readonly reason: string
  /** Where in the imported document (RFC 6901); null: nowhere in particular. */
  readonly pointer: string | null
}

/** `Acme Analytics (v2)` → `acme-analytics-v2`. Throws CF10050 when nothing of a name is left, or the wished one is none. */
export function serviceTypeOf(wished: string | undefined, title: string, file: string): ServiceType {
  if (wished !== undefined) {
    const type = parseServiceType(wished)
    if (!type) throw fail('CF10050', { file, reason: `${wished} cannot be the name of a service` })
    return type
  }
  const slug = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 50)
    .replace(/-+$/, '')
  const type = parseServiceType(slug)
  if (!type) throw fail('CF10050', { file, reason: 'its title gives no name of a service; say which it should have' })
  return type
}

/** A free port: the same one for the same name, where it is free. Throws CF10054 when there is none. */
export function freePort(serviceType: ServiceType, taken: ReadonlySet<number>): number {
  const ports = portMax - portMin + 1
  const first = Number.parseInt(sha256(serviceType).slice(0, 8), 16) % ports
  for (let step = 0; step < ports; step++) {
    const port = portMin + ((first + step) % ports)
    if (!taken.has(port)) return port
  }
  throw fail('CF10054', {})
}

/** The service with its files. Throws CF10050 when the configuration that came out would not load. */
export function importedService(
  config: ServiceConfig,
  description: unknown,
  findings: readonly ImportFinding[],
  file: string,
): ImportedService {
  const problem = explainSchema(serviceConfigSchema, config)[0]
  if (problem) throw fail('CF10050', { file, reason: `${pointerOf(problem.path)} ${problem.reason}` })
  const folder = config.serviceType
  const files = [{ path: `${folder}/config.json`, content: `${JSON.stringify(config, null, 2)}\n` }]
  if (description !== null) files.push({ path: `${folder}/openapi.json`, content: `${JSON.stringify(description)}\n` })
  return { config, files, findings }
}

/** A finding that names the entry of config.json to look at, and where in the imported document it comes from. */
export function needsLook(
  service: string,
  place: string,
  reason: string,
  severity: 'warn' | 'note' = 'warn',
  pointer: string | null = null,
): ImportFinding {
  const finding = catalogFinding('CF10052', severity, service, { service, place: `\`${place}\``, reason })
  return { ...finding, reason, pointer }
}
