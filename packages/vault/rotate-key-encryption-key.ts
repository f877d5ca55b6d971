import type pg from 'pg'
import { checkKeys } from './check-keys.ts'
import { type DataKeyRow, type StoredDataKey, storedDataKey } from './data-key-store.ts'
import { ask, inTransaction } from './database.ts'
import { dataKeyAssociated, type KeyRing } from './key-ring.ts'
import { unwrapDataKey } from './open-vault.ts'

/** Data keys wrapped anew in one transaction. Whoever seals for one of their users waits for it: with a KMS that takes a second for a key, and does four at once, some ten seconds. */
const batchKeysMax = 20

export interface KeyEncryptionRotation {
  /** Data keys that this run wrapped anew. */
  readonly rewrapped: number
  /** Data keys under older generations that are left: of other runs at the same moment, or zero. */
  readonly remaining: number
}

export interface KeyEncryptionRotationOptions {
  readonly onProgress?: (progress: KeyEncryptionRotation) => void
  readonly signal?: AbortSignal
}

/**
 * Wraps every data key with the ring's current key-encryption key; what was sealed stays as it is. Both generations open meanwhile, so `keys` must hold both, and so must every process
 * that serves before the run begins. Idempotent; resumes where a killed run stopped; several at once share the work. `keeper` is a pool of the role crossfade_mcp_keeper.
 * When `remaining` is 0 the older keys may be taken away. Rejects with CF11004 or CF11005 for a key that can't be unwrapped (batches before its own are done), CF11014 for the database.
 */
export async function rotateKeyEncryptionKey(
  keeper: pg.Pool,
  keys: KeyRing,
  options: KeyEncryptionRotationOptions = {},
): Promise<KeyEncryptionRotation> {
  await checkKeys(keeper, keys)
  let rewrapped = 0
  for (;;) {
    options.signal?.throwIfAborted()
    const done = await rewrapBatch(keeper, keys)
    rewrapped += done
    const remaining = await countRemaining(keeper, keys.current.id)
    options.onProgress?.({ rewrapped, remaining })
    if (done === 0) return { rewrapped, remaining }
  }
}

async function rewrapBatch(keeper: pg.Pool, keys: KeyRing): Promise<number> {
  return await inTransaction(keeper, async (client) => {
    // Rows that another run holds are its own.
    const { rows } = await client.query<DataKeyRow>(
      `SELECT id, user_id, key_encryption_key_id, wrapped_key FROM public.data_keys
       WHERE key_encryption_key_id <> $1 ORDER BY key_encryption_key_id, id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED`,
      [keys.current.id, batchKeysMax],
    )
    const wrapped = await Promise.all(rows.map((row) => wrapAnew(keys, storedDataKey(row))))
    for (const [place, { id }] of rows.entries()) {
      await client.query(
        'UPDATE public.data_keys SET key_encryption_key_id = $2, wrapped_key = $3, rewrapped_at = now() WHERE id = $1',
        [id, keys.current.id, wrapped[place]],
      )
    }
    return rows.length
  })
}

async function wrapAnew(keys: KeyRing, stored: StoredDataKey): Promise<Buffer> {
  const key = await unwrapDataKey(keys, stored)
  try {
    return await keys.current.wrap(key, dataKeyAssociated(stored.id, stored.userId))
  } finally {
    key.fill(0)
  }
}

async function countRemaining(keeper: pg.Pool, currentId: string): Promise<number> {
  const [row] = await ask<{ count: number }>(keeper, {
    text: 'SELECT count(*) AS count FROM public.data_keys WHERE key_encryption_key_id <> $1',
    values: [currentId],
  })
  return row!.count
}
