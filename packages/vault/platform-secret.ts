import { hkdfSync, randomBytes } from 'node:crypto'
import { fail } from '@crossfade/model/failure.ts'
import type pg from 'pg'
import { ask } from './database.ts'
import type { KeyRing } from './key-ring.ts'

const settingName = 'wrapped_platform_secret'
const secretBytes = 32
const associated = Buffer.from(JSON.stringify(['crossfade platform secret', 'v1']), 'utf8')

/** What all processes of an installation know and nobody else: other secrets are derived from it, each for one purpose. */
export interface PlatformSecret {
  /** 32 bytes for a purpose, the same in every process (HKDF-SHA-256, RFC 5869). */
  derive(purpose: string): Buffer
}

/**
 * The installation's secret, made by whoever asks first, kept in the database under the current key-encryption key. Found under an older generation it is wrapped anew, so that a rotation takes
 * it along. `keeper` is a pool of the role crossfade_mcp_keeper. Rejects with CF11004 or CF11005 when the key at hand does not open it, CF11014 for the database.
 */
export async function openPlatformSecret(keeper: pg.Pool, keys: KeyRing): Promise<PlatformSecret> {
  const stored = (await read(keeper)) ?? (await make(keeper, keys))
  const dot = stored.lastIndexOf('.')
  const id = stored.slice(0, dot)
  const key = keys.find(id)
  if (key === undefined) throw fail('CF11004', { keyEncryptionKeyId: id, origin: keys.origin })
  const secret = await key.unwrap(Buffer.from(stored.slice(dot + 1), 'base64url'), associated)
  if (id !== keys.current.id) {
    const text = 'UPDATE platform_settings SET value = $3, updated_at = now() WHERE key = $1 AND value = $2'
    await ask(keeper, { text, values: [settingName, stored, await wrapped(secret, keys)] })
  }
  return { derive: (purpose) => Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), purpose, secretBytes)) }
}

async function read(keeper: pg.Pool): Promise<string | undefined> {
  const text = 'SELECT value FROM platform_settings WHERE key = $1'
  return (await ask<{ value: string }>(keeper, { text, values: [settingName] }))[0]?.value
}

/** Of two who make it at once both get the first one's. */
async function make(keeper: pg.Pool, keys: KeyRing): Promise<string> {
  const text = 'INSERT INTO platform_settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING'
  await ask(keeper, { text, values: [settingName, await wrapped(randomBytes(secretBytes), keys)] })
  return (await read(keeper))!
}

async function wrapped(secret: Buffer, keys: KeyRing): Promise<string> {
  return `${keys.current.id}.${(await keys.current.wrap(secret, associated)).toString('base64url')}`
}
