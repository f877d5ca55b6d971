import type { MigrationService } from '@crossfade/engine/contract.ts'
import { fail } from '@crossfade/model/failure.ts'
import { Type } from 'typebox'
import type { Api } from '../api.ts'
import { PlanSchema } from '../contract/migration.ts'
import { FindingSchema } from '../contract/vocabulary.ts'
import type { Planning } from '../planning.ts'
import { PlanText, problems } from './route-parts.ts'

const Document = Type.Object({ plan: PlanText })

/** Looks at plans; changes nothing anywhere. */
export function planRoutes(api: Api, service: MigrationService, planning: Planning): void {
  api.post(
    '/plans/resolve',
    {
      config: { access: 'operator' },
      schema: {
        operationId: 'resolvePlan',
        tags: ['plans'],
        summary: 'What a plan document would do',
        body: Document,
        response: { 200: PlanSchema, ...problems },
      },
    },
    async (request) => (await planning.resolve(request.body.plan)) as never,
  )
  api.post(
    '/plans/doctor',
    {
      config: { access: 'operator' },
      schema: {
        operationId: 'doctorPlan',
        tags: ['plans'],
        summary: 'Findings about the databases of a plan document',
        body: Document,
        response: { 200: Type.Array(FindingSchema), ...problems },
      },
    },
    async (request) => (await planning.doctor(request.body.plan)) as never,
  )
  api.get(
    '/plans/last',
    {
      schema: {
        operationId: 'getLastPlan',
        tags: ['plans'],
        summary: 'The plan that was last applied under a name',
        querystring: Type.Object({ name: Type.String({ minLength: 1, maxLength: 200 }) }),
        response: { 200: PlanSchema, ...problems },
      },
    },
    async (request) => {
      const { name } = request.query
      const plan = await service.lastPlan(name)
      if (!plan) throw fail('CF6001', { migration: name })
      return plan as never
    },
  )
}
