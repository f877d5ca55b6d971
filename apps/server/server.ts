import { existsSync } from 'node:fs'
import type { MigrationService } from '@crossfade/engine/contract.ts'
import { consoleFiles } from '@crossfade/http-api/console-files.ts'
import { describeComponents } from '@crossfade/http-api/describe-api.ts'
import { fail } from '@crossfade/model/failure.ts'
import fastifyStatic from '@fastify/static'
import fastifySwagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import type { Api } from './api.ts'
import { type Access, authenticate, type Caller, type Role, requireRole } from './authentication.ts'
import { createMetrics } from './metrics.ts'
import { describeRole, meanings } from './openapi/describe.ts'
import type { Planning } from './planning.ts'
import { problemOf, statusOf } from './problems.ts'
import { commandRoutes } from './routes/commands.ts'
import { eventRoutes } from './routes/events.ts'
import { evidenceRoutes } from './routes/evidence.ts'
import { healthRoutes } from './routes/health.ts'
import { migrationRoutes } from './routes/migrations.ts'
import { planRoutes } from './routes/plans.ts'
import { sessionRoutes } from './routes/session.ts'
import { traced } from './tracing.ts'

export interface ServerOptions {
  readonly service: MigrationService
  readonly planning: Planning
  readonly access: Access
  /** Folder of the built console; null serves the API alone. */
  readonly consoleDirectory: string | null
  readonly logger: FastifyBaseLogger | false
  readonly version: string
  /** Without it the server speaks plain HTTP. */
  readonly tls?: Tls | null
}

/** PEM texts. */
export interface Tls {
  readonly cert: string
  readonly key: string
}

const apiTags = [
  { name: 'migrations', description: 'What there is and how far it is.' },
  { name: 'commands', description: 'What moves a migration; journaled with the name of the caller.' },
  { name: 'evidence', description: 'What shows that all is well, or that it is not.' },
  { name: 'events', description: 'What happens, as it happens.' },
  { name: 'routing', description: 'Who answers for which keys.' },
  { name: 'plans', description: 'Looking at plans; changes nothing.' },
  { name: 'workers', description: 'Processes that take work.' },
  { name: 'session', description: 'Who is asking.' },
  { name: 'health', description: 'For load balancers and monitoring.' },
] as const

/** A request's body, at most: a resolved plan of some thousand tables fits. */
const bodyBytesMax = 8 * 1024 * 1024
/** Requests are answered or refused within this. Live events and routing waits keep to limits of their own. */
const requestMsMax = 60_000

/**
 * Builds the REST API, live events, metrics, health endpoints and console around one `MigrationService`. It holds no state of its own,
 * so any number of servers may stand before one control database. The caller listens and closes.
 */
export async function createServer(options: ServerOptions): Promise<Api> {
  const app = Fastify({
    ...(options.logger ? { loggerInstance: options.logger } : {}),
    ...(options.tls ? { https: { ...options.tls } } : {}),
    bodyLimit: bodyBytesMax,
    requestTimeout: requestMsMax,
    logController: new LogController({ disableRequestLogging: true }),
    ajv: { customOptions: { coerceTypes: 'array', removeAdditional: false } },
    frameworkErrors: (error, _request, reply) => {
      const untyped = reply as unknown as FastifyReply
      untyped.status(statusOf(error)).send(problemOf(error))
    },
    // Requests under way are answered; those that wait for something (live events, routing) are ended by `closing`.
    forceCloseConnections: 'idle',
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as Api
  const closing = new AbortController()
  app.addHook('preClose', async () => closing.abort(new Error('the server is stopping')))

  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Crossfade',
        version: options.version,
        description: 'Move a live system from old to new, with proof at every step and one way back.',
        license: { name: 'Apache-2.0' },
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
      tags: [...apiTags],
    },
    transform: describeRole as never,
    transformObject: (document) =>
      describeComponents(('openapiObject' in document ? document.openapiObject : {}) as never, meanings) as never,
  })

  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    const status = statusOf(error)
    if (status >= 500) request.log.error({ err: error, route: request.routeOptions.url }, problem.message)
    return reply.status(status).send(problem)
  })
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('x-content-type-options', 'nosniff')
    return payload
  })
  const directory = options.consoleDirectory
  const consolePage = directory !== null && existsSync(directory) ? directory : null
  app.setNotFoundHandler((request, reply) => {
    // A person who follows a wrong link gets the console's page, which says so.
    if (consolePage && request.headers.accept?.includes('text/html')) return reply.status(404).sendFile('index.html')
    throw fail('CF7206', { path: request.url.split('?')[0] })
  })

  app.decorateRequest('caller', null as unknown as Caller)
  app.addHook('onRequest', async (request) => {
    const needed = neededRole(request)
    if (needed === 'open') return
    request.caller = authenticate(request, options.access)
    requireRole(request.caller, needed)
  })
  const metrics = createMetrics(options.service)
  traced(app)
  app.addHook('onResponse', async (request, reply) => {
    if (request.routeOptions.config.isStream && reply.statusCode === 200) return
    metrics.observeRequest(request.routeOptions.url ?? 'unknown', request.method, reply.statusCode, reply.elapsedTime)
  })

  await app.register(
    async (api) => {
      const scope = api as unknown as Api
      migrationRoutes(scope, options.service, closing.signal)
      commandRoutes(scope, options.service, options.planning)
      evidenceRoutes(scope, options.service)
      sessionRoutes(scope)
      planRoutes(scope, options.service, options.planning)
      eventRoutes(scope, options.service, {
        closing: closing.signal,
        mayGoOn: (request) => isWelcome(request, options.access),
      })
      scope.get('/openapi.json', { config: { access: 'open' }, schema: { hide: true } }, () => app.swagger())
    },
    { prefix: '/api/v1' },
  )
  healthRoutes(app, options.service, metrics)
  if (consolePage) await serveConsole(app, consolePage)
  return app
}

/**
 * Everything of the API needs a role, unless its route says otherwise; the console's own files hold nothing secret. Goes by the route that was found, never by
 * the address as it was written: that can be written in many ways.
 */
function neededRole({ routeOptions }: FastifyRequest): Role | 'open' {
  return routeOptions.config.access ?? (routeOptions.url?.startsWith('/api/') ? 'viewer' : 'open')
}

/** Whether somebody who was let in would be let in again: a token may have been taken out of the file since. */
function isWelcome(request: FastifyRequest, access: Access): boolean {
  try {
    authenticate(request, access)
    return true
  } catch {
    return false
  }
}

/** The console is a single page: what is no file of its own is answered with the page, whose router knows the address. */
async function serveConsole(app: Api, directory: string): Promise<void> {
  await app.register(fastifyStatic, consoleFiles(directory))
  const page = { config: { access: 'open' as const }, schema: { hide: true } }
  for (const path of ['/migrations', '/migrations/*', '/workers', '/sign-in']) {
    app.get(path, page, (_request, reply) => reply.sendFile('index.html'))
  }
}
