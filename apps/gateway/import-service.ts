import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { writeImported } from '@crossfade/catalog/imports/import-file.ts'
import { importOpenApi } from '@crossfade/catalog/imports/openapi.ts'
import { parseDocumentText } from '@crossfade/catalog/imports/read-document.ts'
import { importServerJson, isServerJson } from '@crossfade/catalog/imports/server-json.ts'
import { shippedServicesDirectory } from '@crossfade/catalog/load-services.ts'
import { registryRows } from '@crossfade/catalog/registry.ts'
import { syncRegistry } from '@crossfade/mcp-database/sync-registry.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { Pool } from 'pg'
import type { ImportWish } from './api-parts.ts'
import type { Imported } from './contract/account.ts'
import type { Home } from './home.ts'
import type { ServedCatalog } from './served-catalog.ts'

/** What the file is called in messages: it came as a text. */
const fileName = 'the import'

/**
 * Makes a service of an OpenAPI description or a registry's server.json and serves it on every worker: each hears of the changed catalog by the database. Rejects with CF10050–CF10054, with
 * nothing written, when the text is no such thing or the service exists already. Services that come with Crossfade are never replaced.
 */
export async function importService(
  home: Home,
  served: ServedCatalog,
  keeper: Pool,
  wish: ImportWish,
): Promise<Imported> {
  const raw = parseDocumentText(wish.text, fileName)
  const read = isServerJson(raw) ? importServerJson : importOpenApi
  const services = [...served.catalog.services.values()]
  const wished = wish.serviceType === undefined ? {} : { serviceType: wish.serviceType }
  const portsTaken = new Set(services.map(({ config }) => config.port))
  let imported = read(raw, fileName, { ...wished, portsTaken })
  const { serviceType, displayName } = imported.config
  if (existsSync(join(shippedServicesDirectory, serviceType))) {
    throw fail('CF10053', { service: serviceType, directory: 'the services that come with Crossfade' })
  }
  const before = served.catalog.services.get(serviceType)
  // Replaced, it keeps its port: somebody may have opened it in a firewall.
  if (before) imported = read(raw, fileName, { serviceType, portsTaken: new Set(), port: before.config.port })
  writeImported(imported, home.servicesDirectory, { replace: wish.replace === true })
  await served.reload()
  await syncRegistry(keeper, registryRows(served.catalog), served.catalog.digest)
  const service = served.catalog.services.get(serviceType)
  return {
    serviceType,
    displayName,
    listedTools: service?.listed.length ?? 0,
    operations: service?.operationCount ?? 0,
    findings: [...imported.findings, ...served.opened.findings.filter(({ subject }) => subject === serviceType)].map(
      ({ severity, message }) => ({ severity, message }),
    ),
  }
}
