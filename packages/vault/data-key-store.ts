// Wrapped data keys in the platform's database, through the functions of migration 013. For a pool of the runtime or keeper role.
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type pg from 'pg'

export interface StoredDataKey {
  readonly id: string
  readonly userId: string
  readonly keyEncryptionKeyId: string
  readonly wrappedKey: Buffer
}

interface Row {
  id: string
  user_id: string
  key_encryption_key_id: string
  wrapped_key: Buffer
}

/** All reject with CF11014 when the database can't be asked. */
export class DataKeyStore {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async find(id: string): Promise<StoredDataKey | undefined> {
    return first(await this.#ask('vault find data key', 'SELECT * FROM public.find_data_key($1)', [id]))
  }

  /** The user's current key, with one use of it counted. Undefined when there is none with uses left. */
  async use(userId: string, sealsMax: number): Promise<StoredDataKey | undefined> {
    return first(await this.#ask('vault use data key', 'SELECT * FROM public.use_data_key($1, $2)', [userId, sealsMax]))
  }

  /** Makes `key` the user's current one, or gives the one that somebody else made at the same time. */
  async add(key: StoredDataKey, sealsMax: number): Promise<StoredDataKey> {
    const { id, userId, keyEncryptionKeyId, wrappedKey } = key
    const rows = await this.#ask('vault add data key', 'SELECT * FROM public.add_data_key($1, $2, $3, $4, $5)', [
      id,
      userId,
      keyEncryptionKeyId,
      wrappedKey,
      sealsMax,
    ])
    return first(rows)!
  }

  async #ask(name: string, text: string, values: unknown[]): Promise<Row[]> {
    try {
      return (await this.#pool.query<Row>({ name, text, values })).rows
    } catch (error) {
      throw fail('CF11014', { reason: reasonOf(error) }, error)
    }
  }
}

function first(rows: readonly Row[]): StoredDataKey | undefined {
  const row = rows[0]
  return (
    row && {
      id: row.id,
      userId: row.user_id,
      keyEncryptionKeyId: row.key_encryption_key_id,
      wrappedKey: row.wrapped_key,
    }
  )
}
