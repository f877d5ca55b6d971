// Work of an administrator's command on an installation, beside whatever serves it.
import { listenToChanges } from '@crossfade/mcp-database/changes.ts'
import { withPool } from '@crossfade/mcp-database/pool.ts'
import type { Pool } from 'pg'
import { type Home, homePaths } from './home.ts'
import { openExistingPlatform, type Platform } from './platform.ts'

export interface InstallationOptions {
  /** Default: the current one. */
  readonly directory?: string | undefined
  /** Administrator's URL of the database; else CROSSFADE_MCP_DATABASE_URL, else the embedded one of the directory. */
  readonly database?: string | undefined
}

/** Does `work` as the role keeper, with one connection. Rejects as `openExistingPlatform` and `work` do. */
export async function asKeeper<Result>(
  options: InstallationOptions,
  work: (keeper: Pool, home: Home, platform: Platform) => Promise<Result>,
): Promise<Result> {
  const home = homePaths(options.directory)
  const platform = await openExistingPlatform(home, options.database)
  const connection = { applicationName: 'crossfade mcp command', connectionsMax: 1 }
  return withPool(platform.roles.keeper, connection, (keeper) => work(keeper, home, platform)).finally(() =>
    platform.release(),
  )
}

/** Resolves when every worker knows of what was changed before; false when one has not said so in time. */
export async function everybodyKnows({ roles }: Platform): Promise<boolean> {
  const listening = await listenToChanges(
    roles.runtime,
    () => undefined,
    () => undefined,
  )
  return listening.everybodyHeard().finally(() => listening.close())
}

/** The public address, as the server that was started last has it. */
export async function readBaseUrl(keeper: Pool): Promise<string> {
  const { rows } = await keeper.query<{ value: string }>(`SELECT value FROM platform_settings WHERE key = 'base_url'`)
  return rows[0]?.value ?? 'http://127.0.0.1:7070'
}
