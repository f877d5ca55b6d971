import { rewrapClients } from '@crossfade/mcp/authorization/stored-clients.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { masterKeys } from '@crossfade/vault/master-keys.ts'
import { openPlatformSecret } from '@crossfade/vault/platform-secret.ts'
import { type DataKeyRotation, rotateDataKeys } from '@crossfade/vault/rotate-data-keys.ts'
import { type KeyEncryptionRotation, rotateKeyEncryptionKey } from '@crossfade/vault/rotate-key-encryption-key.ts'
import { homePaths } from './home.ts'
import { openExistingPlatform } from './platform.ts'

const connectionsMax = 4

export interface RotateKeysOptions {
  readonly level: 'master' | 'data' | 'both'
  readonly directory?: string
  readonly database?: string | undefined
  readonly before?: Date | undefined
  readonly signal: AbortSignal
  readonly onProgress: (text: string) => void
}

export interface RotatedKeys {
  readonly master: KeyEncryptionRotation | null
  readonly data: DataKeyRotation | null
}

/** Rotates the keys of an installation beside whatever serves it. Idempotent, goes on after an interruption; rejects as the rotations and `openExistingPlatform` do. */
export async function rotateKeys(options: RotateKeysOptions): Promise<RotatedKeys> {
  const home = homePaths(options.directory)
  const platform = await openExistingPlatform(home, options.database)
  const keeper = openPool(platform.roles.keeper, { applicationName: 'crossfade mcp rotation', connectionsMax })
  try {
    const keys = masterKeys({ defaultFile: home.masterKeyFile })
    const { level, signal, onProgress } = options
    // What the master key wraps besides data keys: opened under the current one it is wrapped by that from now on.
    await openPlatformSecret(keeper, keys)
    await rewrapClients(keeper, keys)
    const master =
      level === 'data'
        ? null
        : await rotateKeyEncryptionKey(keeper, keys, {
            signal,
            onProgress: ({ rewrapped, remaining }) =>
              onProgress(`${rewrapped} data keys wrapped anew, ${remaining} to go`),
          })
    const data =
      level === 'master'
        ? null
        : await rotateDataKeys(keeper, keys, {
            signal,
            ...(options.before ? { before: options.before } : {}),
            onProgress: ({ instances, remaining }) =>
              onProgress(`${instances} credentials encrypted anew, ${remaining} to go`),
          })
    return { master, data }
  } finally {
    await keeper.end()
    await platform.release()
  }
}
