import type { MigrationService } from '@crossfade/engine/contract.ts'
import { Type } from 'typebox'
import type { Api } from '../api.ts'
import { ChunkSchema, DetailSchema, SummarySchema, TaskSchema, WorkerSchema } from '../contract/migration.ts'
import { RoutingSchema } from '../contract/vocabulary.ts'
import { MigrationParams, problems } from './route-parts.ts'

/** Longest wait of a client for a new routing; it asks again after that. */
const routingWaitMsMax = 25_000

/** What there is: migrations, their state, their parts. All of it may be read by a viewer. */
export function migrationRoutes(api: Api, service: MigrationService, closing: AbortSignal): void {
  api.get(
    '/migrations',
    {
      schema: {
        operationId: 'listMigrations',
        tags: ['migrations'],
        summary: 'All migrations, newest first',
        response: { 200: Type.Array(SummarySchema), ...problems },
      },
    },
    async () => [...(await service.list())] as never,
  )
  api.get(
    '/migrations/:id',
    {
      schema: {
        operationId: 'getMigration',
        tags: ['migrations'],
        summary: 'One migration, whole',
        params: MigrationParams,
        response: { 200: DetailSchema, ...problems },
      },
    },
    async (request) => (await service.get(request.params.id)) as never,
  )
  api.get(
    '/migrations/:id/chunks',
    {
      schema: {
        operationId: 'listChunks',
        tags: ['migrations'],
        summary: 'The chunk map of the copy',
        params: MigrationParams,
        response: { 200: Type.Array(ChunkSchema), ...problems },
      },
    },
    async (request) => (await service.chunks(request.params.id)) as never,
  )
  api.get(
    '/migrations/:id/tasks',
    {
      schema: {
        operationId: 'listTasks',
        tags: ['migrations'],
        summary: 'Units of work and who does them',
        params: MigrationParams,
        response: { 200: Type.Array(TaskSchema), ...problems },
      },
    },
    async (request) => (await service.tasks(request.params.id)) as never,
  )
  api.get(
    '/migrations/:id/routing',
    {
      schema: {
        operationId: 'getRouting',
        tags: ['routing'],
        summary: 'Who answers for each key now; with `after`, waits for a newer epoch',
        params: MigrationParams,
        querystring: Type.Object({
          after: Type.Optional(Type.Integer({ minimum: 0 })),
          waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: routingWaitMsMax })),
        }),
        response: { 200: RoutingSchema, ...problems },
      },
    },
    async (request) => {
      const { id } = request.params
      const { after, waitMs } = request.query
      if (after === undefined) return (await service.routing(id)) as never
      const newer = service.routingAfter(id, after, waitMs ?? routingWaitMsMax)
      return ((await unlessClosing(newer, closing)) ?? (await service.routing(id))) as never
    },
  )
  api.get(
    '/workers',
    {
      schema: {
        operationId: 'listWorkers',
        tags: ['workers'],
        summary: 'Processes that take work',
        response: { 200: Type.Array(WorkerSchema), ...problems },
      },
    },
    async () => (await service.workers()) as never,
  )
}

/** What `work` resolves with; null as soon as the server is stopping. */
function unlessClosing<Result>(work: Promise<Result>, closing: AbortSignal): Promise<Result | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Result | null>()
  const stop = () => resolve(null)
  if (closing.aborted) stop()
  closing.addEventListener('abort', stop, { once: true })
  work.then(resolve, reject).finally(() => closing.removeEventListener('abort', stop))
  return promise
}
