import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { audit } from '@crossfade/mcp-database/audit.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { ApiOptions, GatewayApi } from '../api-parts.ts'
import { ImportBodySchema, ImportedSchema } from '../contract/account.ts'
import { problems } from '../contract/vocabulary.ts'

/** Taking in services of one's own. */
export function importRoutes(api: GatewayApi, options: ApiOptions): void {
  api.post(
    '/imports',
    {
      config: { needs: 'admin' },
      schema: {
        operationId: 'importService',
        tags: ['services'],
        summary: 'Import an OpenAPI document, or a server.json of the MCP registry',
        body: ImportBodySchema,
        response: { 201: ImportedSchema, ...problems },
      },
    },
    async ({ body, asking, ip }, reply) => {
      if (options.importService === null) throw fail('CF12036', { reason: 'it takes in no services' })
      const imported = await options.importService(body)
      await asUser(options.api, asking!.proof, (client) =>
        audit(client, { action: 'service.import', subject: imported.serviceType, outcome: 'done', sourceIp: ip }),
      )
      return reply.status(201).send(imported)
    },
  )
}
