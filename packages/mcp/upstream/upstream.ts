// The contract between the runtime and whatever carries out a tool.
import type { Service, Tool } from '@crossfade/catalog/catalog.ts'
import type { CallToolResult } from '@modelcontextprotocol/server'
import type { InstanceSession } from '../instances/session.ts'

export interface ToolCall {
  readonly session: InstanceSession
  readonly service: Service
  readonly tool: Tool
  readonly arguments: Readonly<Record<string, unknown>>
  /** W3C trace context of the caller, if it sent one. */
  readonly traceparent?: string
  /** Aborted when the client goes away or cancels. */
  readonly signal: AbortSignal
}

export interface ToolOutcome {
  readonly result: CallToolResult
  /** Status of the upstream; 0 when it gave none. */
  readonly statusCode: number
  /** Code of the failure that the result tells of, if any. */
  readonly errorCode: string | null
}

/**
 * Carries out tools. Troubles of the upstream are outcomes with `isError`, as MCP asks; it rejects only when the call was aborted.
 * Not idempotent unless the tool is; retried by itself only where the tool is read-only and nothing was answered.
 */
export interface ToolCaller {
  call(call: ToolCall): Promise<ToolOutcome>
  close(): Promise<void>
}
