// Wrapped data keys in the platform's database, through the functions of migration 013. For a pool of the runtime or keeper role.
import type pg from 'pg'
import { ask } from './database.ts'

export interface StoredDataKey {
  readonly id: string
  readonly userId: string
  readonly keyEncryptionKeyId: string
  readonly wrappedKey: Buffer
}

/** A row of `data_keys`, as far as a data key is in it. */
export interface DataKeyRow {
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

  #ask(name: string, text: string, values: unknown[]): Promise<DataKeyRow[]> {
    return ask<DataKeyRow>(this.#pool, { name, text, values })
  }
}

export function storedDataKey(row: DataKeyRow): StoredDataKey {
  return { id: row.id, userId: row.user_id, keyEncryptionKeyId: row.key_encryption_key_id, wrappedKey: row.wrapped_key }
}

function first(rows: readonly DataKeyRow[]): StoredDataKey | undefined {
  return rows[0] && storedDataKey(rows[0])
}
