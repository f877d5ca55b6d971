import type { Command } from 'commander'

/** `crossfade mcp`, without what is below it. */
export function mcpCommand(program: Command): Command {
  return program
    .command('mcp')
    .summary('serve MCP services to every user from one shared runtime')
    .description(
      'Serves MCP services to every user from shared processes: a user stores a key once and gets an instance URL.',
    )
}
