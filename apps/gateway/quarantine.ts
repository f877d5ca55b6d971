import { approve, type QuarantinedTool, quarantinedTools } from '@crossfade/mcp/remote/database-pins.ts'
import { withPool } from '@crossfade/mcp-database/pool.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { Pool } from 'pg'
import { homePaths } from './home.ts'
import { openExistingPlatform } from './platform.ts'

interface InstallationOptions {
  readonly database?: string | undefined
}

/** Tools of remote MCP servers that wait for approval, the oldest first. */
export function quarantined(options: InstallationOptions): Promise<readonly QuarantinedTool[]> {
  return asKeeper(options, quarantinedTools)
}

/** Approves one definition, named by the beginning of its digest. Rejects with CF13343 when none waits. */
export function approveTool(
  options: InstallationOptions & { readonly service: string; readonly tool: string; readonly digest: string },
): Promise<void> {
  return asKeeper(options, async (keeper) => {
    const { service, tool, digest } = options
    const waiting = (await quarantinedTools(keeper)).filter(
      (found) => found.serviceType === service && found.toolName === tool && found.digest.startsWith(digest),
    )
    if (waiting.length !== 1) throw fail('CF13343', { service, tool, digest })
    await approve(keeper, service, tool, waiting[0]!.digest)
  })
}

async function asKeeper<Result>(
  options: InstallationOptions,
  work: (keeper: Pool) => Promise<Result>,
): Promise<Result> {
  const platform = await openExistingPlatform(homePaths(), options.database)
  const connection = { applicationName: 'crossfade mcp quarantine', connectionsMax: 1 }
  return withPool(platform.roles.keeper, connection, work).finally(() => platform.release())
}
