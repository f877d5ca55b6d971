import { createHash } from 'node:crypto'
import type { JsonSchema, Tool, ToolAnnotations } from './catalog.ts'
import { canonicalJson } from './json-value.ts'

export interface ToolDefinition {
  readonly name: string
  readonly title?: string
  readonly description: string
  readonly inputSchema: JsonSchema
  readonly annotations: ToolAnnotations
}

/** SHA-256 (hex) of what a client is told about a tool. Independent of the order of members. */
export function toolDigest(tool: ToolDefinition): string {
  const { name, title = null, description, inputSchema, annotations } = tool
  return sha256(canonicalJson({ name, title, description, inputSchema, annotations }))
}

/** The definition with its digest. */
export function withDigest(tool: Omit<Tool, 'digest'>): Tool {
  return { ...tool, digest: toolDigest(tool) }
}

/** SHA-256 of a text, in hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
