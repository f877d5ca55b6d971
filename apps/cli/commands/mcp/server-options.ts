import type { Command } from 'commander'
import type { ServerOptions } from '../../wiring/mcp/api-client.ts'
import { type CommonOptions, common } from '../command.ts'

export interface McpOptions extends CommonOptions, ServerOptions {}

/** `--url` and `--token-file`, for all commands that talk to a running server. */
export function withServer(command: Command, example: string): Command {
  return common(command, example)
    .option('--url <url>', 'the server; default CROSSFADE_MCP_URL, else the one that runs in this directory')
    .option('--token-file <file>', 'a personal token; default CROSSFADE_MCP_TOKEN, else the owner’s of this directory')
}
