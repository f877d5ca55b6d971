import { textTable } from '@crossfade/plan/text-table.ts'
import type { Command } from 'commander'
import { printJson, printText } from '../../terminal/output.ts'
import { colour } from '../../terminal/style.ts'
import { type CommonOptions, common } from '../command.ts'

interface QuarantineOptions extends CommonOptions {
  readonly database?: string
}

/** `crossfade mcp quarantine` and `approve`: tools of remote MCP servers whose definitions changed since they were pinned. */
export function registerQuarantine(mcp: Command): void {
  common(
    mcp
      .command('quarantine')
      .summary('show tools of remote MCP servers that wait for approval')
      .description(
        'A remote MCP server may change what it says of its tools. What it said first is pinned; a changed or new tool is neither listed nor called until it is approved.',
      )
      .option('--database <url>', 'as for `crossfade mcp serve`'),
    'crossfade mcp quarantine --json',
  ).action(async (options: QuarantineOptions) => {
    const { quarantined } = await import('@crossfade/gateway-app/quarantine.ts')
    const tools = await quarantined(options)
    if (options.json) return printJson(tools)
    if (tools.length === 0) return printText('No tool waits for approval.')
    const rows = tools.map(({ serviceType, toolName, digest, approved }) => [
      serviceType,
      toolName,
      digest.slice(0, 12),
      approved === null ? 'new' : 'changed',
    ])
    printText(textTable(['service', 'tool', 'digest', ''], rows))
    printText('  See both definitions with --json; approve with: crossfade mcp approve SERVICE TOOL DIGEST')
  })
  common(
    mcp
      .command('approve')
      .summary('approve a tool of a remote MCP server')
      .description('Approves exactly the definition with this digest; every worker serves it from now on.')
      .argument('<service>')
      .argument('<tool>')
      .argument('<digest>', 'as `crossfade mcp quarantine` shows it; its first twelve digits are enough')
      .option('--database <url>', 'as for `crossfade mcp serve`'),
    'crossfade mcp approve acme search_orders 3fb0c1d2e4a5',
  ).action(async (service: string, tool: string, digest: string, options: QuarantineOptions) => {
    const { approveTool } = await import('@crossfade/gateway-app/quarantine.ts')
    await approveTool({ ...options, service, tool, digest })
    if (options.json) return printJson({ service, tool, approved: true })
    printText(`${colour.green('✓')} ${tool} of ${service} is served.`)
  })
}
