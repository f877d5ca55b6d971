import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type pg from 'pg'
import { checkKeys } from './check-keys.ts'
import { dataKeyAssociated, type KeyRing } from './key-ring.ts'
import { unwrapDataKey } from './open-vault.ts'

/** Data keys wrapped anew in one transaction. A KMS that takes 50 ms for each holds their rows for five seconds. */
export const batchKeysMax = 100

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
 * When `remaining` is 0 the older keys may be taken away. Rejects with CF11004 or CF11005 for a key that can't be unwrapped (those before it are done), CF11014 for the database.
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
    const { rows } = await client.query(
      `SELECT id, user_id, key_encryption_key_id, wrapped_key FROM public.data_keys
       WHERE key_encryption_key_id <> $1 ORDER BY key_encryption_key_id, id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED`,
      [keys.current.id, batchKeysMax],
    )
    for (const row of rows) {
      const key = await unwrapDataKey(keys, {
        id: row.id,
        userId: row.user_id,
        keyEncryptionKeyId: row.key_encryption_key_id,
        wrappedKey: row.wrapped_key,
      })
      try {
        const wrapped = await keys.current.wrap(key, dataKeyAssociated(row.id, row.user_id))
        await client.query(
          'UPDATE public.data_keys SET key_encryption_key_id = $2, wrapped_key = $3, rewrapped_at = now() WHERE id = $1',
          [row.id, keys.current.id, wrapped],
        )
      } finally {
        key.fill(0)
      }
    }
    return rows.length
  })
}

async function countRemaining(keeper: pg.Pool, currentId: string): Promise<number> {
  return await inTransaction(keeper, async (client) => {
    const { rows } = await client.query(
      'SELECT count(*) AS count FROM public.data_keys WHERE key_encryption_key_id <> $1',
      [currentId],
    )
    return rows[0].count as number
  })
}

/** Runs `work` in a transaction. Troubles of the database come out as CF11014. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw fail('CF11014', { reason: reasonOf(error) }, error)
  })
  let broken: Error | undefined
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch((trouble: Error) => {
      broken = trouble
    })
    if (broken) throw fail('CF11014', { reason: reasonOf(error) }, error)
    throw error
  } finally {
    client.release(broken)
  }
}
