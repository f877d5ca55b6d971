import type { MigrationService } from '@crossfade/engine/contract.ts'
import { Type } from 'typebox'
import {
  ChunkSchema,
  DetailSchema,
  MigrationIdSchema,
  SummarySchema,
  TaskSchema,
  WorkerSchema,
} from '../contract/migration.ts'
import { RoutingSchema } from '../contract/vocabulary.ts'
import type { Api } from '../server.ts'

export const MigrationParams = Type.Object({ id: MigrationIdSchema })
const problem = Type.Ref('Problem')
export const problems = { '4xx': problem, '5xx': problem } as Record<string, unknown>

/** Longest wait of a client for a new routing; it asks again after that. */
const routingWaitMsMax = 25_000

/** What there is: migrations, their state, their parts. All of it may be read by a viewer. */
export function migrationRoutes(api: Api, service: MigrationService): void {
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
      const { after, waitMs } = request.query
      if (after === undefined) return (await service.routing(request.params.id)) as never
      return (await service.routingAfter(request.params.id, after, waitMs ?? routingWaitMsMax)) as never
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
