import type { Service } from '@crossfade/catalog/catalog.ts'
import { redirectUri } from '@crossfade/mcp/authorization/redirect-uri.ts'
import { clientFor } from '@crossfade/mcp/authorization/upstream-clients.ts'
import { fieldsOf } from '@crossfade/mcp/instances/credential-input.ts'
import { type InstanceRecord, readInstances } from '@crossfade/mcp/instances/instance-record.ts'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { Type } from 'typebox'
import type { ApiOptions, Asking, GatewayApi } from '../api-parts.ts'
import {
  type Health,
  ServiceDetailSchema,
  ServiceHealthSchema,
  ServicePageSchema,
  ServicesQuery,
  ServiceTypeSchema,
  ToolDetailSchema,
  ToolNameSchema,
  ToolsQuery,
  ToolsSchema,
} from '../contract/services.ts'
import { problems } from '../contract/vocabulary.ts'
import { isFor, needService, serviceAnswer, toolAnswer } from './answers.ts'

const tags = ['services']
const params = Type.Object({ serviceType: ServiceTypeSchema })

/** The catalog, as its users look at it. */
export function serviceRoutes(
  api: GatewayApi,
  options: ApiOptions,
  health: () => Promise<ReadonlyMap<string, Health>>,
): void {
  const instancesOf = async ({ proof }: Asking, serviceType: ServiceType | null) => {
    const records = await asUser(options.api, proof, (client) => readInstances(client, serviceType))
    return new Map<string, InstanceRecord>(records.map((record) => [record.serviceType, record]))
  }

  api.get(
    '/services',
    {
      schema: {
        operationId: 'listServices',
        tags,
        summary: 'Services, searched and by pages',
        querystring: ServicesQuery,
        response: { 200: ServicePageSchema, ...problems },
      },
    },
    async ({ query, asking }) => {
      const { search = '', category, connected, offset = 0, limit = 50 } = query
      const [states, instances] = await Promise.all([health(), instancesOf(asking!, null)])
      const found = options
        .catalog()
        .searchServices(search)
        .filter((service) => isFor(service, asking!))
      const wanted = found.filter(
        ({ config }) =>
          (category === undefined || config.category === category) &&
          (connected === undefined || instances.has(config.serviceType) === connected),
      )
      const page = wanted.slice(offset, offset + limit)
      return {
        services: page.map((service) => serviceAnswer(service, states, instances)),
        total: wanted.length,
        offset,
        categories: categoriesOf(found),
      }
    },
  )

  api.get(
    '/services/:serviceType',
    {
      schema: {
        operationId: 'getService',
        tags,
        summary: 'A service: what to fill in, and its tools',
        params,
        response: { 200: ServiceDetailSchema, ...problems },
      },
    },
    async ({ params: { serviceType }, asking }) => {
      const service = needService(options, serviceType, asking)
      const { config } = service
      const type = config.serviceType
      const [states, instances] = await Promise.all([health(), instancesOf(asking!, type)])
      const settings = instances.get(type)?.settings ?? null
      const { auth } = config
      return {
        ...serviceAnswer(service, states, instances),
        fields: fieldsOf(config),
        oauth:
          auth.type === 'oauth2'
            ? {
                available: (await clientFor(options.clients, config)) !== null,
                scopes: auth.scopes,
                startUrl: `${options.baseUrl}/api/v1/services/${type}/oauth/start`,
                redirectUri: redirectUri(options.baseUrl, type),
              }
            : null,
        verifiable: config.verification !== null,
        tools: shownTools(service, settings?.tools ?? null).map((tool) => toolAnswer(tool, service, settings)),
        source: config.source.kind,
      }
    },
  )

  api.get(
    '/services/:serviceType/tools',
    {
      schema: {
        operationId: 'searchTools',
        tags,
        summary: 'Tools of a service: those that match, or the listed ones',
        params,
        querystring: ToolsQuery,
        response: { 200: ToolsSchema, ...problems },
      },
    },
    async ({ params: { serviceType }, query: { search, limit = 50 }, asking }) => {
      const service = needService(options, serviceType, asking)
      const settings = (await instancesOf(asking!, service.config.serviceType)).get(serviceType)?.settings ?? null
      const found = search?.trim()
        ? service.searchTools(search, limit).map((summary) => service.tool(summary.name) ?? summary)
        : shownTools(service, settings?.tools ?? null).slice(0, limit)
      return {
        tools: found.map((tool) => toolAnswer(tool, service, settings)),
        operations: service.operationCount,
      }
    },
  )

  api.get(
    '/services/:serviceType/tools/:name',
    {
      schema: {
        operationId: 'getTool',
        tags,
        summary: 'A tool, with the schema of its arguments',
        params: Type.Object({ serviceType: ServiceTypeSchema, name: ToolNameSchema }),
        response: { 200: ToolDetailSchema, ...problems },
      },
    },
    ({ params: { serviceType, name }, asking }) => {
      const tool = needService(options, serviceType, asking).tool(name)
      if (!tool) throw fail('CF12016', { service: serviceType, tool: name })
      return {
        name: tool.name,
        title: tool.title ?? null,
        description: tool.description,
        inputSchema: { ...tool.inputSchema },
        annotations: { ...tool.annotations },
        method: tool.call.method,
        path: tool.call.path,
      }
    },
  )

  api.get(
    '/health',
    {
      schema: {
        operationId: 'getServiceHealth',
        tags,
        summary: 'How healthy the services are',
        response: { 200: ServiceHealthSchema, ...problems },
      },
    },
    async ({ asking }) => {
      const states = await health()
      const seen = [...options.catalog().services.values()].filter((service) => isFor(service, asking!))
      const services = seen.map((service) => {
        const { serviceType, displayName, category, health: state } = serviceAnswer(service, states, new Map())
        return { serviceType, displayName, category, health: state }
      })
      const counts = { healthy: 0, unhealthy: 0, paused: 0, unknown: 0 }
      for (const service of services) counts[service.health.state] += 1
      return { services, counts }
    },
  )
}

function shownTools(service: Service, chosen: readonly string[] | null) {
  if (chosen === null) return service.listed
  return chosen.map((name) => service.tool(name)).filter((tool) => tool !== undefined)
}

function categoriesOf(services: readonly Service[]): { category: string; services: number }[] {
  const counts = new Map<string, number>()
  for (const { config } of services) counts.set(config.category, (counts.get(config.category) ?? 0) + 1)
  return [...counts]
    .map(([category, count]) => ({ category, services: count }))
    .sort((one, other) => one.category.localeCompare(other.category))
}
