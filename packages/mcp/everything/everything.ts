// The built-in service `everything`: all that the protocol has, so that clients can be tried and the runtime be held to the conformance suite.
import { randomBytes } from 'node:crypto'
import type { Service, Tool } from '@crossfade/catalog/catalog.ts'
import { fail } from '@crossfade/model/failure.ts'
import { createRequestStateCodec } from '@modelcontextprotocol/server'
import type { BuiltIn } from '../runtime/built-in.ts'
import { plainTools, talkingTools } from './everything-tools.ts'
import { plainToolCaller } from './plain-tools.ts'
import { addPrompts } from './prompts.ts'
import { addResources } from './resources.ts'
import { callTalkingTool, type StateCodec } from './talking-tools.ts'

/** How long a person may take to answer. */
const stateSecondsMax = 600

export interface EverythingOptions {
  /** Signs the state of questions, 32 bytes or more. Workers of one platform share it; a random one is for a single process. */
  readonly stateKey?: Uint8Array
}

/** Makes the built-in server for the catalog's service of that kind. */
export function everything(service: Service, options: EverythingOptions = {}): BuiltIn {
  const tools = new Map<string, Tool>([...plainTools, ...talkingTools].map((tool) => [tool.name, tool]))
  const codec = createRequestStateCodec<Readonly<Record<string, unknown>>>({
    key: options.stateKey ?? randomBytes(32),
    ttlSeconds: stateSecondsMax,
  })
  const state: StateCodec = {
    // A state is good for the instance that it was made for alone.
    mint: (payload, { instance }) => codec.mint({ ...payload, instance: instance.session.instanceId }),
    payload({ context, instance }) {
      const payload = context.mcpReq.requestState<Readonly<Record<string, unknown>>>()
      return payload?.['instance'] === instance.session.instanceId ? payload : undefined
    },
  }

  return {
    service: {
      config: service.config,
      listed: [...tools.values()],
      operationCount: tools.size,
      tool: (name) => tools.get(name),
      searchTools: (query, limit) =>
        [...tools.values()]
          .filter((tool) => tool.name.includes(query) || tool.description.includes(query))
          .slice(0, limit)
          .map(({ name, description }) => ({ name, description })),
    },
    caller: plainToolCaller,
    capabilities: {
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: { listChanged: true },
      logging: {},
      completions: {},
    },
    talkingTools: new Set(talkingTools.map((tool) => tool.name)),
    async talk(name, given, talk) {
      const answer = callTalkingTool(name, given, talk, state)
      if (answer === undefined) throw fail('CF9001', { reason: `${name} is no talking tool` })
      return answer
    },
    extend(server, era) {
      addResources(server, era)
      addPrompts(server)
    },
    verifyRequestState: (stateText, context) => codec.verify(stateText, context),
  }
}
