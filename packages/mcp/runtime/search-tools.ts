// The two tools of ours: they keep `tools/list` short while every operation stays within reach (M09).
import type { JsonSchema, Service, Tool } from '@crossfade/catalog/catalog.ts'
import type { CallToolResult } from '@modelcontextprotocol/server'
import type { ToldTool, ToolView } from './tool-view.ts'

export const searchOperationsName = 'search_operations'
export const callOperationName = 'call_operation'

/** Operations in one answer: what a model can compare at a glance. */
export const searchResultsMax = 10
/** How many are looked at, so that excluded ones and those beyond the scope do not use up the answer. */
const searchLookedAtMax = 100
/** Characters of all schemas in one answer; beyond it the later operations come without theirs. */
const searchCharactersMax = 60_000
export const queryCharactersMax = 300

/** One object for all services: compiled schemas are known by identity. */
export const searchOperationsSchema: JsonSchema = {
  type: 'object',
  properties: {
    query: { type: 'string', minLength: 1, maxLength: queryCharactersMax, description: 'Words, such as "close issue"' },
    limit: { type: 'integer', minimum: 1, maximum: searchResultsMax, description: 'How many to answer with' },
  },
  required: ['query'],
  additionalProperties: false,
}

/** One object for all services: compiled schemas are known by identity. */
export const callOperationSchema: JsonSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 64, description: 'Name of the operation' },
    arguments: { type: 'object', description: 'Arguments of the operation', additionalProperties: true },
  },
  required: ['name'],
  additionalProperties: false,
}

export function searchOperationsTool(service: Service): ToldTool {
  return {
    name: searchOperationsName,
    title: `Search ${service.config.displayName} operations`,
    description: `Finds operations of ${service.config.displayName} that are not listed as tools, by words of what they do. Answers with their names, descriptions and input schemas; call one with ${callOperationName}.`,
    inputSchema: searchOperationsSchema,
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  }
}

export function callOperationTool(service: Service, canOnlyRead: boolean): ToldTool {
  return {
    name: callOperationName,
    title: `Call a ${service.config.displayName} operation`,
    description: `Calls any operation of ${service.config.displayName} by the name that ${searchOperationsName} told, with arguments that fit its input schema.`,
    inputSchema: callOperationSchema,
    annotations: {
      readOnlyHint: canOnlyRead,
      destructiveHint: !canOnlyRead,
      idempotentHint: false,
      openWorldHint: true,
    },
  }
}

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
