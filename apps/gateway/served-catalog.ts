import type { Catalog } from '@crossfade/catalog/catalog.ts'
import { catalogOf, type OpenedCatalog, openCatalog } from '@crossfade/catalog/catalog-from.ts'
import { buildSnapshotApart } from '@crossfade/catalog/snapshot/build-apart.ts'
import { fail } from '@crossfade/model/failure.ts'
import { nearNames } from '@crossfade/model/near-names.ts'
import { oneAtATime } from '@crossfade/model/one-at-a-time.ts'
import { parseServiceType } from '@crossfade/model/platform-ids.ts'
import type { Home } from './home.ts'

/** Of a wrong name, what is repeated. */
const nameCharactersMax = 60

/** The catalog that a worker serves from: another one after each `reload`, while requests that have begun keep the one they have. */
export interface ServedCatalog {
  readonly catalog: Catalog
  readonly opened: OpenedCatalog
  /** What was imported or changed is compiled in a process of its own, so that requests are served meanwhile. Once at a time: what was changed before the call is served when it resolves. */
  reload(): Promise<void>
}

/** Opens the services that come with Crossfade and those imported into `home`; only one of them where `onlyService` names it. Rejects as `openCatalog` does, and with CF14019 when there is no such service. */
export async function serveCatalog(home: Home, onlyService: string | null = null): Promise<ServedCatalog> {
  const sources = { directories: [home.servicesDirectory], compiled: home.importsSnapshot }
  let opened = await openCatalog(sources)
  if (onlyService !== null) checkService(opened.catalog, onlyService)
  let catalog = narrowed(opened.catalog, onlyService)
  return {
    get catalog() {
      return catalog
    },
    get opened() {
      return opened
    },
    // Of two at once the one that has read earlier must not be the last to say what is served.
    reload: oneAtATime(async () => {
      await buildSnapshotApart(sources.directories, sources.compiled)
      opened = await openCatalog(sources, opened)
      catalog = narrowed(opened.catalog, onlyService)
    }),
  }
}

/** Throws CF14019, with the names that may be meant, when the catalog has no such service. */
export function checkService({ services }: Catalog, name: string): void {
  const type = parseServiceType(name)
  if (type !== null && services.has(type)) return
  const near = nearNames(name, services.keys())
  throw fail('CF14019', {
    service: name.slice(0, nameCharactersMax),
    near: near.length > 0 ? ` Did you mean ${near.join(', ')}?` : '',
  })
}

/** Taken out of the catalog by a reload, the only service is none any more: requests are told so. */
function narrowed(catalog: Catalog, only: string | null): Catalog {
  if (only === null) return catalog
  const type = parseServiceType(only)
  const service = type === null ? undefined : catalog.services.get(type)
  const services = new Map(type !== null && service !== undefined ? [[type, service]] : [])
  return catalogOf(services, catalog.digest)
}
