import type { Catalog } from '@crossfade/catalog/catalog.ts'
import { catalogOf, type OpenedCatalog, openCatalog } from '@crossfade/catalog/catalog-from.ts'
import { buildSnapshotApart } from '@crossfade/catalog/snapshot/build-apart.ts'
import { parseServiceType } from '@crossfade/model/platform-ids.ts'
import type { Home } from './home.ts'

/** The catalog that a worker serves from: another one after each `reload`, while requests that have begun keep the one they have. */
export interface ServedCatalog {
  readonly catalog: Catalog
  readonly opened: OpenedCatalog
  /** What was imported or changed is compiled in a process of its own, so that requests are served meanwhile. */
  reload(): Promise<void>
}

/** Opens the services that come with Crossfade and those imported into `home`; only one of them where `onlyService` names it. Throws as `openCatalog` does. */
export async function serveCatalog(home: Home, onlyService: string | null = null): Promise<ServedCatalog> {
  const sources = { directories: [home.servicesDirectory], compiled: home.importsSnapshot }
  let opened = await openCatalog(sources)
  let catalog = narrowed(opened.catalog, onlyService)
  return {
    get catalog() {
      return catalog
    },
    get opened() {
      return opened
    },
    async reload() {
      await buildSnapshotApart(sources.directories, sources.compiled)
      opened = await openCatalog(sources, opened)
      catalog = narrowed(opened.catalog, onlyService)
    },
  }
}

function narrowed(catalog: Catalog, only: string | null): Catalog {
  if (only === null) return catalog
  const type = parseServiceType(only)
  const service = type === null ? undefined : catalog.services.get(type)
  const services = new Map(type !== null && service !== undefined ? [[type, service]] : [])
  return catalogOf(services, catalog.digest)
}
