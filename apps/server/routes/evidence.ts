import type { MigrationService } from '@crossfade/engine/contract.ts'
import { Type } from 'typebox'
import type { Api } from '../api.ts'
import { JournalEntrySchema, MigrationIdSchema, SamplesSchema } from '../contract/migration.ts'
import { MismatchSchema, ReportSchema } from '../contract/vocabulary.ts'
import { MigrationParams, problems } from './route-parts.ts'

const listMax = 1_000
const ListLimit = Type.Optional(Type.Integer({ minimum: 1, maximum: listMax }))
const ReportParams = Type.Object({ id: MigrationIdSchema, report: Type.String({ maxLength: 100 }) })

/** What shows that all is well, or that it is not: the journal, verification reports, mismatches, figures over time. */
export function evidenceRoutes(api: Api, service: MigrationService): void {
  api.get(
    '/migrations/:id/history',
    {
      schema: {
        operationId: 'listHistory',
        tags: ['evidence'],
        summary: 'The journal: after a position oldest first, else the newest entries',
        params: MigrationParams,
        querystring: Type.Object({ after: Type.Optional(Type.Integer({ minimum: 0 })), limit: ListLimit }),
        response: { 200: Type.Array(JournalEntrySchema), ...problems },
      },
    },
    async (request) => (await service.history(request.params.id, request.query)) as never,
  )
  api.get(
    '/migrations/:id/reports',
    {
      schema: {
        operationId: 'listReports',
        tags: ['evidence'],
        summary: 'Verification reports, newest first',
        params: MigrationParams,
        response: { 200: Type.Array(ReportSchema), ...problems },
      },
    },
    async (request) => (await service.reports(request.params.id)) as never,
  )
  api.get(
    '/migrations/:id/reports/:report',
    {
      schema: {
        operationId: 'getReport',
        tags: ['evidence'],
        summary: 'One verification report',
        params: ReportParams,
        response: { 200: ReportSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { id, report } = request.params
      const found = await service.report(id, report)
      return reply
        .header('content-disposition', `inline; filename="crossfade-${id}-${found.id.replace(/[^\w.-]/g, '_')}.json"`)
        .send(found as never)
    },
  )
  api.get(
    '/migrations/:id/mismatches',
    {
      schema: {
        operationId: 'listMismatches',
        tags: ['evidence'],
        summary: 'Differences that are open now, or those of one report',
        params: MigrationParams,
        querystring: Type.Object({ report: Type.Optional(Type.String({ maxLength: 100 })), limit: ListLimit }),
        response: { 200: Type.Array(MismatchSchema), ...problems },
      },
    },
    async (request) => {
      const { report, limit } = request.query
      return (await service.mismatches(request.params.id, {
        ...(report ? { reportId: report } : {}),
        ...(limit ? { limit } : {}),
      })) as never
    },
  )
  api.get(
    '/migrations/:id/samples',
    {
      schema: {
        operationId: 'listSamples',
        tags: ['evidence'],
        summary: 'Figures over time, for plots',
        params: MigrationParams,
        querystring: Type.Object({
          names: Type.String({
            maxLength: 12_000,
            description: 'Series, separated by commas: `copy.bytesPerSecond,lagMs.source/a`.',
          }),
          since: Type.Integer({ minimum: 0 }),
          until: Type.Optional(Type.Integer({ minimum: 0 })),
          points: Type.Optional(Type.Integer({ minimum: 2, maximum: 5_000 })),
        }),
        response: { 200: SamplesSchema, ...problems },
      },
    },
    async (request) => {
      const { names, since, until, points } = request.query
      const range = {
        since,
        ...(until === undefined ? {} : { until }),
        ...(points === undefined ? {} : { pointsMax: points }),
      }
      return (await service.samples(request.params.id, names.split(','), range)) as never
    },
  )
}
