import { approve, type QuarantinedTool, quarantinedTools } from '@crossfade/mcp/remote/database-pins.ts'
import { fail } from '@crossfade/model/failure.ts'
import { asKeeper, everybodyKnows, type InstallationOptions } from './as-keeper.ts'

/** Tools of remote MCP servers that wait for approval, the oldest first. */
export function quarantined(options: InstallationOptions): Promise<readonly QuarantinedTool[]> {
  return asKeeper(options, (keeper) => quarantinedTools(keeper))
}

/** Approves one definition, named by the beginning of its digest; every worker serves it then. Rejects with CF13343 when none waits. */
export function approveTool(
  options: InstallationOptions & { readonly service: string; readonly tool: string; readonly digest: string },
): Promise<void> {
  return asKeeper(options, async (keeper, _home, platform) => {
    const { service, tool, digest } = options
    const waiting = (await quarantinedTools(keeper)).filter(
      (found) => found.serviceType === service && found.toolName === tool && found.digest.startsWith(digest),
    )
    if (waiting.length !== 1) throw fail('CF13343', { service, tool, digest })
    await approve(keeper, service, tool, waiting[0]!.digest)
    await everybodyKnows(platform)
  })
}
