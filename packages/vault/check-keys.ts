import { fail } from '@crossfade/model/failure.ts'
import type pg from 'pg'
import { ask } from './database.ts'
import type { KeyRing } from './key-ring.ts'

const knownValue = Buffer.from('crossfade known value 0123456789')
const associated = Buffer.from('crossfade key check v1')

/**
 * Proves that the keys at hand are those of what is stored: each generation that wraps a data key must be at hand (CF11009), and must unwrap the value that it wrapped when it was
 * first used here (CF11010). Keeps such a value for generations that have none. Idempotent. Rejects with CF11014 when the database can't be asked.
 */
export async function checkKeys(pool: pg.Pool, keys: KeyRing): Promise<void> {
  const { inUse, checks } = await readKeys(pool)
  for (const id of inUse) {
    if (!keys.find(id)) throw fail('CF11009', { keyEncryptionKeyId: id, origin: keys.origin })
  }
  for (const [id, wrapped] of checks) {
    const key = keys.find(id)
    if (!key) continue
    const value = await key.unwrap(wrapped, associated).catch((cause: unknown) => {
      if ((cause as { code?: string }).code === 'CF11011') throw cause
      return undefined
    })
    if (!value?.equals(knownValue)) throw fail('CF11010', { keyEncryptionKeyId: id, origin: keys.origin })
  }
  if (!checks.has(keys.current.id)) {
    const wrapped = await keys.current.wrap(knownValue, associated)
    await ask(pool, { text: 'SELECT public.add_key_check($1, $2)', values: [keys.current.id, wrapped] })
  }
}

/** Whether anything is sealed already: then a key must not be made anew. */
export async function hasStoredKeys(pool: pg.Pool): Promise<boolean> {
  const { inUse, checks } = await readKeys(pool)
  return inUse.length > 0 || checks.size > 0
}

async function readKeys(pool: pg.Pool): Promise<{ inUse: string[]; checks: Map<string, Buffer> }> {
  const inUse = await ask<{ id: string }>(pool, {
    text: 'SELECT list_key_encryption_keys_in_use AS id FROM public.list_key_encryption_keys_in_use()',
  })
  const checks = await ask<{ id: string; wrapped: Buffer }>(pool, {
    text: 'SELECT key_encryption_key_id AS id, wrapped_value AS wrapped FROM public.list_key_checks()',
  })
  return { inUse: inUse.map(({ id }) => id), checks: new Map(checks.map(({ id, wrapped }) => [id, wrapped])) }
}
