import {
  answerProtectedResource,
  type ProtectedResourceOptions,
  protectedResourcePaths,
} from '@crossfade/accounts/protected-resource.ts'
import type { GatewayApi } from '../api-parts.ts'

/** Where MCP clients learn how to get a token for an instance (RFC 9728): open to everybody, and tells nobody which instances there are. */
export function protectedResourceRoutes(api: GatewayApi, options: ProtectedResourceOptions): void {
  for (const url of protectedResourcePaths) {
    api.route({
      method: ['GET'],
      url,
      config: { needs: 'nobody' },
      schema: { hide: true },
      handler: async (request, reply) => {
        const answer = answerProtectedResource(options, new Request(new URL(request.url, options.baseUrl)))
        for (const [name, value] of answer.headers) reply.header(name, value)
        return reply.status(answer.status).send(Buffer.from(await answer.arrayBuffer()))
      },
    })
  }
}
