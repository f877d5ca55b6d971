import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { type HomeDatabase, openHomeDatabase } from '@crossfade/embedded/home-cluster.ts'
import { preparePlatform, type RoleUrls } from '@crossfade/mcp-database/roles.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { Home } from './home.ts'

const databaseName = 'crossfade_mcp'

export interface Platform {
  readonly roles: RoleUrls
  /** Of the administrator: for migrations and rotation. Never show it. */
  readonly adminUrl: string
  readonly isEmbedded: boolean
  /** Lets go of the database; an embedded one is stopped by the last process that does. Idempotent. */
  release(): Promise<void>
}

/**
 * Opens the platform's database, roles and tables brought up to date: `url`, else CROSSFADE_MCP_DATABASE_URL, else an embedded one below the home that all processes of the
 * working directory share. Tables of a legacy platform are carried over only with `migrateLegacy` (else CF12503). Rejects with CF14024 when the URL is none, CF14016 when an embedded one can't be started, else as `preparePlatform` does.
 */
export async function openPlatform(
  home: Home,
  url?: string,
  options: { readonly migrateLegacy?: boolean } = {},
): Promise<Platform> {
  const given = url ?? process.env['CROSSFADE_MCP_DATABASE_URL']
  if (given) checkUrl(given)
  const database = given ? { url: given, release: async () => undefined } : await openEmbedded(home)
  try {
    const roles = await preparePlatform(database.url, options.migrateLegacy ? { legacy: 'migrate' } : {})
    return { roles, adminUrl: database.url, isEmbedded: !given, release: () => database.release() }
  } catch (error) {
    await database.release()
    throw error
  }
}

/** As `openPlatform`, for what works on an installation that is there already: makes none. Rejects with CF14017 in a directory without one. */
export async function openExistingPlatform(home: Home, url?: string): Promise<Platform> {
  const isElsewhere = Boolean(url ?? process.env['CROSSFADE_MCP_DATABASE_URL'])
  if (!isElsewhere && !existsSync(home.masterKeyFile))
    throw fail('CF14017', { directory: dirname(home.databaseDirectory) })
  return openPlatform(home, url)
}

/** Says nothing of what the URL holds: a password may be in it. */
function checkUrl(url: string): void {
  if (!URL.canParse(url)) throw fail('CF14024', { reason: 'it is no URL' })
  const { protocol } = new URL(url)
  if (protocol === 'postgres:' || protocol === 'postgresql:') return
  throw fail('CF14024', { reason: `it begins with ${protocol}, not with postgresql:` })
}

async function openEmbedded(home: Home): Promise<HomeDatabase> {
  try {
    return await openHomeDatabase(home.databaseDirectory, databaseName)
  } catch (error) {
    throw fail('CF14016', { directory: home.databaseDirectory, reason: reasonOf(error) }, error)
  }
}
