// The two tools of ours: they keep `tools/list` short while every operation stays within reach (M09).
import type { JsonSchema, Service } from '@crossfade/catalog/catalog.ts'
import type { ToldTool } from './told-tool.ts'

export const searchOperationsName = 'search_operations'
export const callOperationName = 'call_operation'

/** Operations in one answer: what a model can compare at a glance. */
export const searchResultsMax = 10
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
