// The catalog that is served: the services that come with Crossfade, and those that a user imported.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, reasonOf } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { Catalog, Service } from './catalog.ts'
import { catalogFinding } from './catalog-finding.ts'
import { type SearchIndex, searchIndex } from './search.ts'
import { shippedSnapshotFile } from './snapshot/format.ts'
import { isCurrent } from './snapshot/is-current.ts'
import { readSnapshot, type Snapshot } from './snapshot/read.ts'
import { sha256 } from './tool-digest.ts'

export interface CatalogSources {
  /** The compiled services that come with Crossfade. */
  readonly shipped?: string
  /** Directories of further services, as `crossfade mcp import` writes them. */
  readonly directories?: readonly string[]
  /** Where those are compiled to; by default a file in the first of them. */
  readonly compiled?: string
}

export interface OpenedCatalog {
  readonly catalog: Catalog
  /** What is wrong with services that are not served. */
  readonly findings: readonly Finding[]
  /** For the next opening: a file that has not changed is not read again. */
  readonly files: ReadonlyMap<string, { readonly identity: string; readonly snapshot: Snapshot }>
}

/**
 * Opens the catalog. Called again with `previous` it gives a new one, and costs what has changed: the old one goes on working for
 * those who hold it. Imported services are compiled here when they have changed (`crossfade mcp import` has done so already).
 * A broken imported service is a finding; throws CF10040 or CF10041 when the shipped catalog is missing or broken.
 */
export async function openCatalog(
  sources: CatalogSources = {},
  previous: OpenedCatalog | null = null,
): Promise<OpenedCatalog> {
  const { shipped = shippedSnapshotFile, directories = [] } = sources
  const files = new Map<string, { identity: string; snapshot: Snapshot }>()
  const open = (file: string) => {
    const identity = identityOf(file)
    const known = previous?.files.get(file)
    const snapshot = known && known.identity === identity ? known.snapshot : readSnapshot(file)
    files.set(file, { identity, snapshot })
    return snapshot
  }
  const first = open(shipped)
  const findings: Finding[] = [...first.findings]
  const snapshots = [first]
  if (directories.length > 0) {
    const file = sources.compiled ?? join(directories[0]!, 'catalog.snapshot')
    try {
      await compileIfChanged(directories, file)
      const imported = open(file)
      findings.push(...imported.findings)
      snapshots.push(imported)
    } catch (error) {
      const details = { file, reason: reasonOf(error) }
      findings.push(
        error instanceof Failure
          ? catalogFinding(error.code, 'block', 'imported services', error.details)
          : catalogFinding('CF10006', 'block', 'imported services', details),
      )
    }
  }
  return { catalog: merged(snapshots, findings), findings, files }
}

/** The compiler is loaded only when there is something to compile: serving does without it. */
async function compileIfChanged(directories: readonly string[], file: string): Promise<void> {
  if (isCurrent(directories, file)) return
  const { buildSnapshot } = await import('./snapshot/build.ts')
  buildSnapshot(directories, file)
}

/** A catalog of these services. Of two with one type or one port the earlier stays. */
function merged(snapshots: readonly Snapshot[], findings: Finding[]): Catalog {
  const services = new Map<ServiceType, Service>()
  const ports = new Map<number, ServiceType>()
  for (const service of snapshots.flatMap((snapshot) => snapshot.services)) {
    const { serviceType, port } = service.config
    const holder = ports.get(port)
    if (services.has(serviceType)) {
      const details = { service: serviceType, first: 'the shipped services', second: 'the imported ones' }
      findings.push(catalogFinding('CF10005', 'block', serviceType, details))
    } else if (holder !== undefined) {
      findings.push(catalogFinding('CF10004', 'block', serviceType, { port, first: holder, second: serviceType }))
    } else {
      services.set(serviceType, service)
      ports.set(port, serviceType)
    }
  }
  const digest = snapshots.length === 1 ? snapshots[0]!.digest : sha256(snapshots.map((each) => each.digest).join('\n'))
  return catalogOf(services, digest)
}

/** A catalog with its search. The index is built with the first search. */
export function catalogOf(services: ReadonlyMap<ServiceType, Service>, digest: string): Catalog {
  let index: SearchIndex<Service> | null = null
  return {
    digest,
    services,
    searchServices(query) {
      index ??= searchIndex([...services.values()], ({ config }) => ({
        name: `${config.serviceType} ${config.displayName}`,
        title: config.category,
        text: config.description,
      }))
      return index.search(query, { limit: services.size, words: 'all' })
    },
  }
}

/** Changes when the file is replaced. */
function identityOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file)
    return `${ino} ${size} ${mtimeMs}`
  } catch {
    return 'missing'
  }
}
