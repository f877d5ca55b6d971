import { isPublicAddress } from '@crossfade/mcp/upstream/address-guard.ts'
import { fail } from '@crossfade/model/failure.ts'
import { Type } from 'typebox'
import type { ApiOptions, GatewayApi } from '../api-parts.ts'

/** For load balancers and monitoring, at the root. */
export function operationRoutes(api: GatewayApi, { api: database, catalog, metrics }: ApiOptions): void {
  const open = { config: { needs: 'nobody' as const }, schema: { hide: true } }
  api.get('/healthz', open, () => ({ alive: true }))

  api.get(
    '/readyz',
    { ...open, schema: { hide: true, response: { '2xx': Type.Any(), 503: Type.Any() } } },
    async (_request, reply) => {
      const answers = await database.query('SELECT 1').then(
        () => true,
        () => false,
      )
      const services = catalog().services.size
      return reply
        .status(answers && services > 0 ? 200 : 503)
        .send({ ready: answers && services > 0, database: answers, services })
    },
  )

  if (metrics === null) return
  api.get('/metrics', open, async (request, reply) => {
    // They name services that people imported for themselves, and how much is used.
    if (isPublicAddress(request.ip.replace(/^::ffff:/i, ''))) throw fail('CF12034', { path: '/metrics' })
    const { contentType, text } = await metrics()
    return reply.type(contentType).send(text)
  })
}
