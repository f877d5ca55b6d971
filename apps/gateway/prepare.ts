import { registryRows } from '@crossfade/catalog/registry.ts'
import { withPool } from '@crossfade/mcp-database/pool.ts'
import { syncRegistry } from '@crossfade/mcp-database/sync-registry.ts'
import { hasStoredKeys } from '@crossfade/vault/check-keys.ts'
import type { KeyRing } from '@crossfade/vault/key-ring.ts'
import { masterKeys } from '@crossfade/vault/master-keys.ts'
import { openPlatformSecret } from '@crossfade/vault/platform-secret.ts'
import type { Pool } from 'pg'
import type { Home } from './home.ts'
import type { Platform } from './platform.ts'
import type { ServedCatalog } from './served-catalog.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** Tells the database which services there are and where they are reached, and opens the installation's secrets. Idempotent; several processes may do it at once. Rejects with CF11xxx. */
export function prepareInstallation(
  platform: Platform,
  home: Home,
  served: ServedCatalog,
  baseUrl: string,
): Promise<WorkerSettings['secrets']> {
  return asKeeper(platform, async (keeper) => {
    // Only before there is a secret is a master key made: one that was lost must not be replaced in silence.
    const keys = masterKeys({ defaultFile: home.masterKeyFile, make: !(await hasStoredKeys(keeper)) })
    await syncRegistry(keeper, registryRows(served.catalog), served.catalog.digest)
    await keeper.query(
      `INSERT INTO platform_settings AS s (key, value) VALUES ('base_url', $1)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now() WHERE s.value <> excluded.value`,
      [baseUrl],
    )
    return openSecrets(keeper, keys)
  })
}

/** The secrets of an installation that is prepared. Rejects with CF11xxx. */
export async function openSecrets(keeper: Pool, keys: KeyRing): Promise<WorkerSettings['secrets']> {
  const secret = await openPlatformSecret(keeper, keys)
  const derived = (purpose: string) => secret.derive(purpose).toString('base64')
  return {
    accounts: derived('accounts'),
    pepper: derived('hashes of tried keys'),
    questions: derived('state of questions'),
  }
}

/** Tells the database, and by it every worker, that the catalog is another one. */
export async function tellOfCatalog(platform: Platform, served: ServedCatalog): Promise<void> {
  await asKeeper(platform, (keeper) => syncRegistry(keeper, registryRows(served.catalog), served.catalog.digest))
}

function asKeeper<Result>(platform: Platform, work: (keeper: Pool) => Promise<Result>): Promise<Result> {
  return withPool(platform.roles.keeper, { applicationName: 'crossfade mcp start', connectionsMax: 1 }, work)
}
