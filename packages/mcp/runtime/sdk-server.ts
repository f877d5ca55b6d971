// The SDK's own server for one request or session: what is not compiled goes through it, with the same tools and the same dispatch.

import { fail } from '@crossfade/model/failure.ts'
import { INVALID_PARAMS, McpServer, ProtocolError, TRACEPARENT_META_KEY } from '@modelcontextprotocol/server'
import type { ServedInstance } from '../instances/session.ts'
import type { ToolCaller } from '../upstream/upstream.ts'
import { told } from './answers.ts'
import type { BuiltIn, Changes } from './built-in.ts'
import type { Era } from './recognise.ts'
import { listCacheHint, type ServiceIdentity } from './service-identity.ts'
import { describeService, serviceResourceUri } from './service-resource.ts'
import type { ToolDispatch } from './tool-dispatch.ts'
import type { ToolView } from './tool-view.ts'
import { traceparentOf } from './traceparent.ts'

export interface SdkServerParts {
  readonly instance: ServedInstance
  readonly view: ToolView
  readonly identity: ServiceIdentity
  readonly caller: ToolCaller
  readonly dispatch: ToolDispatch
  readonly builtIn: BuiltIn | null
  readonly changes: Changes
  /** Of the request's header, where there is one. */
  readonly traceparent: string | undefined
}

/** A server whose tools are the view's. */
class ViewServer extends McpServer {
  readonly #view: ToolView

  constructor(view: ToolView, ...rest: ConstructorParameters<typeof McpServer>) {
    super(...rest)
    this.#view = view
  }

  /** The SDK asks here which headers must mirror which arguments. */
  override toolInputSchemaJson(name: string): Record<string, unknown> | undefined {
    return this.#view.tool(name)?.inputSchema as Record<string, unknown> | undefined
  }
}

/** Makes a server for one request or session of the SDK's. */
export function sdkServer(parts: SdkServerParts, era: Era): McpServer {
  const { instance, view, identity, builtIn } = parts
  const server = new ViewServer(view, identity.serverInfo, {
    capabilities: identity.capabilities[era],
    instructions: identity.instructions,
    cacheHints: {
      'tools/list': listCacheHint,
      'server/discover': listCacheHint,
      'resources/list': listCacheHint,
      'prompts/list': listCacheHint,
    },
    ...(builtIn === null ? {} : { requestState: { verify: builtIn.verifyRequestState } }),
  })
  server.server.setRequestHandler('tools/list', (request) => {
    const page = view.pages.get(request.params?.cursor ?? '')
    if (page === undefined) {
      const { message, data } = told(fail('CF13009'))
      throw new ProtocolError(INVALID_PARAMS, message, data)
    }
    return {
      tools: page.tools as never,
      ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }),
    }
  })
  server.server.setRequestHandler('tools/call', async (request, context) => {
    const { name, arguments: given = {} } = request.params
    if (builtIn?.talkingTools.has(name) && view.tool(name) !== undefined) {
      return builtIn.talk(name, given, { instance, server, context, changes: parts.changes })
    }
    const result = await parts.dispatch.call({
      instance,
      view,
      caller: parts.caller,
      name,
      arguments: given,
      traceparent: traceparentOf(request.params._meta?.[TRACEPARENT_META_KEY]) ?? parts.traceparent,
      signal: context.mcpReq.signal,
    })
    return server.server.projectCallToolResult(result, undefined)
  })
  if (builtIn === null) {
    server.registerResource(
      'service',
      serviceResourceUri,
      {
        title: instance.service.config.displayName,
        description: 'What this service is and which operations it has',
        mimeType: 'application/json',
      },
      () => ({
        contents: [
          { uri: serviceResourceUri, mimeType: 'application/json', text: JSON.stringify(describeService(view)) },
        ],
      }),
    )
  } else builtIn.extend(server, era)
  return server
}
