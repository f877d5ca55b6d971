import {
  createApiToken,
  listApiTokens,
  revokeApiToken,
  type ApiToken as Stored,
} from '@crossfade/accounts/api-tokens.ts'
import { readInstances } from '@crossfade/mcp/instances/instance-record.ts'
import { type UsageSummary, usageByService, usageOverTime, usageTotals } from '@crossfade/mcp/usage/queries.ts'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { fail } from '@crossfade/model/failure.ts'
import { parseServiceType, type ServiceType } from '@crossfade/model/platform-ids.ts'
import { Type } from 'typebox'
import type { ApiOptions, GatewayApi } from '../api-parts.ts'
import {
  type ApiToken,
  ApiTokenSchema,
  ApplicationSchema,
  AuditQuery,
  AuditSchema,
  MintedApiTokenSchema,
  NewApiTokenSchema,
  SessionSchema,
  UsageQuery,
  UsageSchema,
} from '../contract/account.ts'
import { problems } from '../contract/vocabulary.ts'
import { readAudit } from './read-audit.ts'

const tags = ['account']
const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** What a query that names no time is about. */
const defaultRangeMs = { hour: 48 * hourMs, day: 30 * dayMs }
/** No query reaches further back than usage is kept. */
const rangeMsMax = 400 * dayMs
/** Services whose usage is told over time; the others are in the totals. */
const plottedServicesMax = 12

/** The caller: who it is, what it used, what it did, its API tokens. */
export function accountRoutes(api: GatewayApi, options: ApiOptions): void {
  /** What people call a service; its type where it is no longer served. */
  const nameOf = (serviceType: string) =>
    options.catalog().services.get(serviceType as ServiceType)?.config.displayName ?? serviceType

  api.get(
    '/session',
    {
      config: { needs: 'nobody' },
      schema: {
        operationId: 'getSession',
        tags,
        summary: 'Who is asking, and what this server serves',
        response: { 200: SessionSchema, ...problems },
      },
    },
    ({ asking }) => ({
      user: asking && {
        id: asking.userId,
        email: asking.email,
        name: asking.name,
        image: asking.image,
        role: asking.role,
      },
      via: asking?.via ?? null,
      areas: ['services' as const],
      version: options.version,
      baseUrl: options.baseUrl,
      signUp: options.signUp,
    }),
  )

  api.get(
    '/user/usage',
    {
      schema: {
        operationId: 'getUsage',
        tags,
        summary: 'What the caller used: counts and times, by service, over time',
        querystring: UsageQuery,
        response: { 200: UsageSchema, ...problems },
      },
    },
    async ({ query, asking }) => {
      const by = query.by ?? 'day'
      const toMs = query.to === undefined ? Date.now() : Date.parse(query.to)
      const fromMs = query.from === undefined ? toMs - defaultRangeMs[by] : Date.parse(query.from)
      if (!(fromMs < toMs) || toMs - fromMs > rangeMsMax)
        throw fail('CF12033', {
          reason: `the range must be longer than nothing and at most ${rangeMsMax / dayMs} days`,
        })
      const serviceType = query.serviceType === undefined ? null : parseServiceType(query.serviceType)
      if (query.serviceType !== undefined && serviceType === null) throw fail('CF12013', { service: query.serviceType })
      const range = { fromMs, toMs, ...(serviceType !== null && { serviceType }) }
      return asUser(options.api, asking!.proof, async (client) => {
        const totals = await usageTotals(client, range)
        const services = await usageByService(client, range)
        const series = []
        for (const service of services.slice(0, plottedServicesMax)) {
          const points = await usageOverTime(client, { ...range, serviceType: service.serviceType }, by)
          for (const point of points) {
            if (point.calls === 0) continue
            series.push({
              at: new Date(point.atMs).toISOString(),
              serviceType: service.serviceType,
              ...figures(point),
            })
          }
        }
        series.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0))
        return {
          from: new Date(fromMs).toISOString(),
          to: new Date(toMs).toISOString(),
          by,
          totals: figures(totals),
          services: services.map((service) => ({
            serviceType: service.serviceType,
            displayName: nameOf(service.serviceType),
            ...figures(service),
          })),
          series,
        }
      })
    },
  )

  api.get(
    '/user/audit',
    {
      schema: {
        operationId: 'getAudit',
        tags,
        summary: 'What was done and refused in the caller’s name, the newest first',
        querystring: AuditQuery,
        response: { 200: AuditSchema, ...problems },
      },
    },
    ({ query, asking }) => asUser(options.api, asking!.proof, (client) => readAudit(client, query, nameOf)),
  )

  api.get(
    '/user/tokens',
    {
      schema: {
        operationId: 'listApiTokens',
        tags,
        summary: 'Personal API tokens, revoked ones too',
        response: { 200: Type.Object({ tokens: Type.Array(ApiTokenSchema) }), ...problems },
      },
    },
    async ({ asking }) => ({ tokens: (await listApiTokens(options.api, asking!.proof)).map(tokenOf) }),
  )

  api.post(
    '/user/tokens',
    {
      schema: {
        operationId: 'createApiToken',
        tags,
        summary: 'Make a personal API token; by a session only',
        body: NewApiTokenSchema,
        response: { 201: MintedApiTokenSchema, ...problems },
      },
    },
    async ({ body, asking, ip }, reply) => {
      const { name, scopes = ['read', 'write'], expiresInDays = null } = body
      const wanted = { name, scopes, expiresInDays }
      const { token, secret } = await createApiToken(options.api, asking!.proof, wanted, ip)
      return reply.status(201).send({ token: tokenOf(token), secret })
    },
  )

  api.delete(
    '/user/tokens/:id',
    {
      schema: {
        operationId: 'revokeApiToken',
        tags,
        summary: 'Revoke a personal API token',
        params: Type.Object({ id: Type.String({ maxLength: 50 }) }),
        response: { 204: Type.Null({ description: 'Done.' }), ...problems },
      },
    },
    async ({ params, asking, ip }, reply) => {
      await revokeApiToken(options.api, asking!.proof, params.id, ip)
      return reply.status(204).send(null)
    },
  )

  api.get(
    '/user/applications',
    {
      schema: {
        operationId: 'listApplications',
        tags,
        summary: 'MCP clients that the caller let in by OAuth',
        response: { 200: Type.Object({ applications: Type.Array(ApplicationSchema) }), ...problems },
      },
    },
    async ({ asking }) => {
      const granted = await options.accounts.applicationsOf(asking!.userId)
      const instances = new Map(
        (await asUser(options.api, asking!.proof, (client) => readInstances(client, null))).map((record) => [
          record.instanceId as string,
          nameOf(record.serviceType),
        ]),
      )
      return {
        applications: granted.map(({ id, name, url, returnsTo, scopes, instances: opened, ...times }) => ({
          id,
          name: name ?? 'An application without a name',
          url,
          returnsTo,
          scopes: [...scopes],
          instances: opened.map(({ instanceId, serviceType }) => ({
            instanceId,
            serviceType,
            displayName: instances.get(instanceId) ?? null,
          })),
          grantedAt: times.grantedAt.toISOString(),
          lastUsedAt: times.lastUsedAt?.toISOString() ?? null,
        })),
      }
    },
  )

  api.delete(
    '/user/applications/:id',
    {
      schema: {
        operationId: 'revokeApplication',
        tags,
        summary: 'Put an application out: its tokens end on every worker at once',
        params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
        response: { 204: Type.Null({ description: 'Done.' }), ...problems },
      },
    },
    async ({ params, asking }, reply) => {
      await options.accounts.endApplication(asking!.userId, params.id)
      return reply.status(204).send(null)
    },
  )
}

function figures(summary: UsageSummary) {
  const { calls, errors, p50Ms, p95Ms, p99Ms } = summary
  return { requests: calls, errors, p50Ms, p95Ms, p99Ms }
}

function tokenOf(token: Stored): ApiToken {
  return {
    id: token.id,
    name: token.name,
    scopes: [...token.scopes],
    createdAt: token.createdAt.toISOString(),
    expiresAt: token.expiresAt?.toISOString() ?? null,
    revokedAt: token.revokedAt?.toISOString() ?? null,
    lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
  }
}
