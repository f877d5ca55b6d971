import type { MigrationService } from '@crossfade/engine/contract.ts'
import { Type } from 'typebox'
import type { Api } from '../api.ts'
import type { Metrics } from '../metrics.ts'
import { problems } from './route-parts.ts'

/** For load balancers, Kubernetes and Prometheus; outside `/api` and open, since they show no data of the migrations' databases. */
export function healthRoutes(app: Api, service: MigrationService, metrics: Metrics): void {
  const open = { access: 'open' as const }
  app.get(
    '/health/live',
    {
      config: open,
      schema: {
        operationId: 'live',
        tags: ['health'],
        summary: 'The process answers',
        response: { 200: Type.Object({ status: Type.Literal('ok') }) },
      },
    },
    () => ({ status: 'ok' as const }),
  )
  app.get(
    '/health/ready',
    {
      config: open,
      schema: {
        operationId: 'ready',
        tags: ['health'],
        summary: 'The control database answers',
        response: {
          200: Type.Object({
            status: Type.Literal('ok'),
            workers: Type.Number(),
            migrations: Type.Number(),
            controlLatencyMs: Type.Number(),
          }),
          ...problems,
        },
      },
    },
    async () => ({ status: 'ok' as const, ...(await service.health()) }),
  )
  app.get(
    '/metrics',
    {
      config: open,
      schema: {
        operationId: 'metrics',
        tags: ['health'],
        summary: 'Prometheus metrics',
        response: {
          200: {
            description: 'Metrics in the text format of Prometheus.',
            content: { 'text/plain': { schema: Type.String() } },
          },
        },
      },
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  )
}
