// What a remote server tells of its tools, as tools of ours.
import type { Tool } from '@crossfade/catalog/catalog.ts'
import type { Tool as RemoteTool } from '@modelcontextprotocol/client'
import { type DigestedDefinition, digested, type RemoteDefinition } from './tool-pins.ts'

/** Tools of one server that are looked at; the rest is left out. */
export const toolsMax = 1_000
/** Of one definition as JSON; a larger one is left out. */
const definitionCharactersMax = 65_536
/** What our own tools may be named. */
const namePattern = /^[A-Za-z0-9_.-]{1,64}$/

/** The definitions that can be served, in the server's order; one of each name. */
export function definitionsOf(tools: readonly RemoteTool[]): readonly DigestedDefinition[] {
  const seen = new Set<string>()
  return tools.slice(0, toolsMax).flatMap((tool) => {
    if (!namePattern.test(tool.name) || seen.has(tool.name)) return []
    const definition = definitionOf(tool)
    if (JSON.stringify(definition).length > definitionCharactersMax) return []
    seen.add(tool.name)
    return [digested(definition)]
  })
}

/** Hints that a server leaves out mean what the protocol says: it may change and destroy. */
function definitionOf({ name, title, description, inputSchema, annotations }: RemoteTool): RemoteDefinition {
  const shownTitle = title ?? annotations?.title
  const readOnlyHint = annotations?.readOnlyHint ?? false
  return {
    name,
    ...(shownTitle === undefined ? {} : { title: shownTitle }),
    description: description ?? '',
    inputSchema: inputSchema as Readonly<Record<string, unknown>>,
    annotations: {
      readOnlyHint,
      destructiveHint: annotations?.destructiveHint ?? !readOnlyHint,
      idempotentHint: annotations?.idempotentHint ?? readOnlyHint,
      openWorldHint: true,
    },
  }
}

/** Calls of remote tools are no HTTP requests of ours: the caller of remote tools never looks at this. */
const call: Tool['call'] = { method: 'POST', path: '/', parameters: [], body: null }

export function toolOf({ definition, digest }: DigestedDefinition): Tool {
  return { ...definition, call, digest }
}
