import { needInstance } from '@crossfade/mcp/instances/change-instance.ts'
import { createArgumentCheck } from '@crossfade/mcp/runtime/tool-arguments.ts'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { fail } from '@crossfade/model/failure.ts'
import { Type } from 'typebox'
import type { ApiOptions, GatewayApi } from '../api-parts.ts'
import { CalledToolSchema, CallToolSchema } from '../contract/instances.ts'
import { ServiceTypeSchema, ToolNameSchema } from '../contract/services.ts'
import { problems } from '../contract/vocabulary.ts'
import { admitted } from './admitted.ts'
import { needService } from './answers.ts'

/** Trying a tool from the page: the same call, limits and usage as through MCP. */
export function tryToolRoutes(api: GatewayApi, options: ApiOptions): void {
  const check = createArgumentCheck()

  api.post(
    '/services/:serviceType/instance/tools/:name/call',
    {
      config: { changesNothing: true },
      schema: {
        operationId: 'callTool',
        tags: ['instances'],
        summary: 'Call a tool with the caller’s own credential',
        description: 'Troubles of the upstream are in `result` (`isError`), as MCP has it.',
        params: Type.Object({ serviceType: ServiceTypeSchema, name: ToolNameSchema }),
        body: CallToolSchema,
        response: { 200: CalledToolSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { serviceType: type, name } = request.params
      const known = needService(options, type, request.asking)
      const serviceType = known.config.serviceType
      const { userId, proof } = request.asking!
      const { instanceId } = await asUser(options.api, proof, (client) => needInstance(client, serviceType))
      const session = await options.directory.openForUser(instanceId, serviceType, userId)
      const service = await options.caller.serviceFor(session, known)
      const { settings } = session
      const shown = settings.tools?.includes(name) ?? service.listed.some((tool) => tool.name === name)
      const tool = service.tool(name)
      if (!tool || settings.excludedTools.includes(name) || !(shown || settings.search))
        throw fail('CF12016', { service: serviceType, tool: name })
      const given = request.body.arguments ?? {}
      const wrong = check.reasonAgainst(name, tool.inputSchema, given)
      if (wrong !== null) throw fail('CF12033', { reason: wrong })

      const gone = new AbortController()
      reply.raw.on('close', () => {
        if (!reply.raw.writableEnded) gone.abort(new Error('the caller went away'))
      })
      return admitted(options, session, async () => {
        const begun = performance.now()
        const outcome = await options.caller.call({ session, service, tool, arguments: given, signal: gone.signal })
        const milliseconds = performance.now() - begun
        options.usage.record({
          userId,
          serviceType,
          instanceId,
          endpoint: name,
          method: 'tools/call',
          statusCode: outcome.statusCode,
          responseTimeMs: Math.round(milliseconds),
          errorCode: outcome.errorCode,
          atMs: Date.now(),
        })
        return {
          result: outcome.result as unknown as Record<string, unknown>,
          statusCode: outcome.statusCode,
          errorCode: outcome.errorCode,
          milliseconds: Math.round(milliseconds * 10) / 10,
        }
      })
    },
  )
}
