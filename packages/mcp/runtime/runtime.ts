// The contract of the runtime: MCP over HTTP for one opened instance.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServedInstance } from '../instances/session.ts'

export interface McpRuntime {
  /**
   * Answers one HTTP request of an MCP client: POST, GET and DELETE, revisions 2026-07-28 and 2025-11-25 and before. `body` is complete; empty for GET and DELETE.
   * The edge has checked Host, Origin, size and the token. Always ends the response; never rejects.
   */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    instance: ServedInstance,
  ): void | Promise<void>
  /** Tells clients that listen that tools have changed. */
  toolsChanged(serviceType: string): void
  close(): Promise<void>
}
