// The services as rows of the table service_registry.
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { Catalog } from './catalog.ts'
import type { ServiceConfig } from './service-config.ts'

export interface ServiceRow {
  readonly serviceType: ServiceType
  readonly name: string
  readonly displayName: string
  readonly description: string
  readonly iconUrl: string | null
  readonly category: string
  readonly port: number
  readonly baseUrl: string
  readonly healthCheckEndpoint: string
  readonly authType: string
  /** Labels, where the credential goes, URLs of OAuth; nothing secret, and nothing of a user's. */
  readonly authConfig: Readonly<Record<string, unknown>>
  readonly serviceConfig: Readonly<Record<string, unknown>>
}

/** Rows of all services of a catalog, in the order of their types. Pure. */
export function registryRows(catalog: Pick<Catalog, 'services'>): ServiceRow[] {
  return registryRowsOf([...catalog.services.values()].map((service) => service.config))
}

/** The same for configurations that have not been compiled. */
export function registryRowsOf(configs: readonly ServiceConfig[]): ServiceRow[] {
  return configs.map(registryRow).sort((a, b) => (a.serviceType < b.serviceType ? -1 : 1))
}

function registryRow(config: ServiceConfig): ServiceRow {
  const { type, ...authConfig } = config.auth
  const { docsUrl, owner, source, tools, variables, headers, rateLimit, verification } = config
  return {
    serviceType: config.serviceType,
    name: config.serviceType,
    displayName: config.displayName,
    description: config.description,
    iconUrl: null,
    category: config.category,
    port: config.port,
    baseUrl: config.baseUrl,
    healthCheckEndpoint: config.healthCheckPath ?? '/',
    authType: type,
    authConfig,
    serviceConfig: {
      docsUrl,
      ...(owner === undefined ? {} : { owner }),
      source,
      tools,
      ...(variables === undefined ? {} : { variables }),
      ...(headers === undefined ? {} : { headers }),
      ...(rateLimit === undefined ? {} : { rateLimit }),
      ...(verification === null ? {} : { verification }),
    },
  }
}
