import type { Service } from '@crossfade/catalog/catalog.ts'
import type { ServiceSummary } from '@crossfade/gateway-app/contract/services.ts'
import type { Home } from '@crossfade/gateway-app/home.ts'
import { Failure } from '@crossfade/model/failure.ts'

/** Whether the server could not be asked, as opposed to: it said no. */
export function isOutOfReach(error: unknown): boolean {
  return error instanceof Failure && (error.code === 'CF14009' || error.code === 'CF14010')
}

/** The services of the catalog on disk, the imported ones among them. Nothing is known of their health, nor who is connected. */
export async function localServices(
  home: Home,
  wanted: { readonly search?: string; readonly category?: string },
): Promise<readonly ServiceSummary[]> {
  const { serveCatalog } = await import('@crossfade/gateway-app/served-catalog.ts')
  const { catalog } = await serveCatalog(home)
  return catalog
    .searchServices(wanted.search ?? '')
    .filter(({ config }) => wanted.category === undefined || config.category === wanted.category)
    .map(summaryOf)
}

function summaryOf({ config, listed, operationCount }: Service): ServiceSummary {
  const { serviceType, displayName, category, description, docsUrl, port, auth } = config
  return {
    serviceType,
    displayName,
    category,
    description,
    docsUrl,
    port,
    auth: auth.type,
    listedTools: listed.length,
    operations: operationCount,
    health: {
      state: 'unknown',
      lastCheckAt: null,
      responseTimeMs: null,
      consecutiveFailures: 0,
      uptimePercentage: null,
      message: null,
    },
    instanceId: null,
  }
}
