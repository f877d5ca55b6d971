import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import { Type } from 'typebox'
import { FindingSchema } from '../contract/vocabulary.ts'
import type { Planning } from '../planning.ts'
import type { Api } from '../server.ts'
import { problems } from './migrations.ts'

const Document = Type.Object({ plan: Type.String({ description: 'The plan as YAML or JSON.' }) })

/** Looks at plans; changes nothing anywhere. */
export function planRoutes(api: Api, planning: Planning): void {
  api.post(
    '/plans/resolve',
    {
      config: { access: 'operator' },
      schema: {
        operationId: 'resolvePlan',
        tags: ['plans'],
        summary: 'What a plan document would do',
        body: Document,
        response: { 200: Type.Unsafe<ResolvedPlan>({ type: 'object', additionalProperties: true }), ...problems },
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
}
