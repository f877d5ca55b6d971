import { describeComponents } from '@crossfade/http-api/describe-api.ts'
import { auditRefusal } from '@crossfade/mcp/instances/connect.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import fastifySwagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { type ApiOptions, actingOf, type GatewayApi, type Needs } from './api-parts.ts'
import { admit, readingMethods, whoIsAsking } from './asking.ts'
import { apiPrefix } from './contract/endpoints.ts'
import { describeNeeds } from './openapi.ts'
import { answerOf, problemOf } from './problems.ts'
import { createRequestRates, type RequestRates } from './request-rates.ts'
import { accountRoutes } from './routes/account.ts'
import { accountRoutesOf } from './routes/accounts-handler.ts'
import { authorizationRoutes } from './routes/authorization.ts'
import { healthReader } from './routes/health-of.ts'
import { importRoutes } from './routes/imports.ts'
import { instanceRoutes } from './routes/instances.ts'
import { operationRoutes } from './routes/operation.ts'
import { serviceRoutes } from './routes/services.ts'
import { tryToolRoutes } from './routes/try-tool.ts'

/** A request's body, at most: OpenAPI documents are the largest that come. */
const bodyBytesMax = 8 * 1024 * 1024

const tags = [
  { name: 'services', description: 'What there is to connect to.' },
  { name: 'imports', description: 'Services of the caller’s own.' },
  { name: 'instances', description: 'What the caller is connected to; its keys and tokens.' },
  { name: 'authorization', description: 'Connecting by OAuth, in a browser.' },
  { name: 'account', description: 'The caller.' },
] as const

/**
 * Builds the REST API around the parts that it is given. Holds no state of its own, so any number of workers may serve it. The caller puts it behind a server
 * (`await api.ready()`, then `api.routing(request, response)`) or listens, and closes it.
 */
export async function createApi(options: ApiOptions): Promise<GatewayApi> {
  const app = Fastify({
    ...(options.logger ? { loggerInstance: options.logger } : {}),
    bodyLimit: bodyBytesMax,
    // Whose attempts are counted, and who stands in the audit log: behind a proxy everybody would be the proxy.
    trustProxy: options.trustedProxies?.length ? [...options.trustedProxies] : false,
    logController: new LogController({ disableRequestLogging: true }),
    ajv: { customOptions: { coerceTypes: 'array', removeAdditional: false } },
    frameworkErrors: (error, _request, reply) => {
      const untyped = reply as unknown as FastifyReply
      untyped.status(answerOf(error).status).send(problemOf(error))
    },
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as GatewayApi

  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Crossfade services',
        version: options.version,
        description: 'Connect services once, and use them from any MCP client.',
        license: { name: 'Apache-2.0' },
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
      tags: [...tags],
    },
    transform: describeNeeds as never,
    transformObject: (document) =>
      describeComponents(('openapiObject' in document ? document.openapiObject : {}) as never) as never,
  })

  app.setErrorHandler((error, request, reply) => {
    const { status, retryAfterSeconds } = answerOf(error)
    const problem = problemOf(error)
    // What passes by itself, or is an upstream's, is a line; what an operator must mend has its stack.
    const route = request.routeOptions.url
    if (status === 500) request.log.error({ err: error, route }, problem.message)
    else if (status > 500) request.log.warn({ code: problem.code, route }, problem.message)
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="Crossfade API"')
    if (retryAfterSeconds !== null) reply.header('retry-after', String(retryAfterSeconds))
    return reply.status(status).send(problem)
  })
  app.setNotFoundHandler((request) => {
    throw fail('CF12034', { path: request.url.split('?')[0]!.slice(0, 200) })
  })
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('x-content-type-options', 'nosniff')
    // Answers hold what only the caller may see, and tokens that are shown once.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
    return payload
  })
  app.addHook('onSend', async (request, reply, payload) => {
    if (hasChanged(request, reply) && (await options.everybodyHeard?.()) === false) {
      request.log.warn({ route: request.routeOptions.url }, 'a worker has not said that it knows of a change')
    }
    return payload
  })
  app.decorateRequest('asking', null)
  const rates = createRequestRates(options.requestLimits)
  app.addHook('onRequest', (request) => letIn(request, options, rates))

  await app.register(
    async (scope) => {
      const api = scope as unknown as GatewayApi
      const health = healthReader(options.api, options.pausedServices)
      serviceRoutes(api, options, health)
      instanceRoutes(api, options, health)
      tryToolRoutes(api, options)
      authorizationRoutes(api, options)
      accountRoutes(api, options)
      importRoutes(api, options)
      api.get('/openapi.json', { config: { needs: 'nobody' }, schema: { hide: true } }, () => app.swagger())
    },
    { prefix: apiPrefix },
  )
  await accountRoutesOf(app, options)
  operationRoutes(app, options)
  return app
}

/**
 * Whether the request may have changed what workers hold: then it is answered once every one of them knows, so that the caller's very next request may go to any of them. Ways back from consent pages are
 * GET requests and lead on.
 */
function hasChanged({ method, routeOptions }: FastifyRequest, { statusCode }: FastifyReply): boolean {
  if (statusCode >= 400 || routeOptions.config.changesNothing) return false
  return readingMethods.has(method) ? statusCode === 302 || statusCode === 303 : true
}

/** Goes by the route that was found, never by the address as it was written: that can be written in many ways. */
async function letIn(request: FastifyRequest, options: ApiOptions, rates: RequestRates): Promise<void> {
  const { url, config } = request.routeOptions
  const needs: Needs = config.needs ?? 'user'
  // Nothing is told, not even who is asking, by what isn't there; accounts know their callers themselves.
  if (url === undefined || options.accounts.paths.includes(url) || !url.startsWith(`${apiPrefix}/`)) return
  request.asking = await whoIsAsking(request, options)
  if (request.asking !== null) rates.take(request.asking.userId, !readingMethods.has(request.method))
  try {
    admit(request, request.asking, needs, options)
  } catch (error) {
    if (request.asking !== null && error instanceof Failure)
      await auditRefusal(options.api, actingOf(request), `${request.method} ${url}`, url, error)
    throw error
  }
}
