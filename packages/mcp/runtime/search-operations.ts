// What a search of a view's operations finds, and the answer that tells of it.
import type { Tool } from '@crossfade/catalog/catalog.ts'
import type { CallToolResult } from '@modelcontextprotocol/server'
import type { ToolView } from './tool-view.ts'

/** How many are looked at, so that excluded ones and those beyond the scope do not use up the answer. */
const searchLookedAtMax = 100
/** Characters of all schemas in one answer; beyond it the later operations come without theirs. */
const searchCharactersMax = 60_000

/** Operations that match, the best first. Only those that this instance and token may call. */
export function foundOperations(view: ToolView, query: string, limit: number): readonly Tool[] {
  const found: Tool[] = []
  for (const { name } of view.service.searchTools(query, searchLookedAtMax)) {
    const tool = view.isExcluded(name) ? undefined : view.tool(name)
    if (tool === undefined || (view.canOnlyRead && !tool.annotations.readOnlyHint)) continue
    found.push(tool)
    if (found.length === limit) break
  }
  return found
}

/** Answers a search that was checked. */
export function searchOperations(view: ToolView, query: string, limit: number): CallToolResult {
  let characters = 0
  const operations = foundOperations(view, query, limit).map((tool) => {
    const schema = JSON.stringify(tool.inputSchema)
    characters += schema.length
    const isShown = characters <= searchCharactersMax
    return {
      name: tool.name,
      description: tool.description,
      readOnly: tool.annotations.readOnlyHint,
      ...(isShown
        ? { inputSchema: tool.inputSchema }
        : { inputSchemaLeftOut: 'Search for this name alone to see it.' }),
    }
  })
  const text =
    operations.length === 0
      ? `No operation matches. Try fewer or other words; ${view.service.config.displayName} has ${view.service.operationCount} operations.`
      : JSON.stringify({ operations })
  return { content: [{ type: 'text', text }], structuredContent: { operations } }
}
