import { randomBytes } from 'node:crypto'
import { fail } from '@crossfade/model/failure.ts'
import type pg from 'pg'
import { checkKeys } from './check-keys.ts'
import { type CachedDataKey, DataKeyCache } from './data-key-cache.ts'
import { DataKeyStore, type StoredDataKey } from './data-key-store.ts'
import { dataKeyAssociated, type KeyRing } from './key-ring.ts'
import { dataKeyBytes, openUnder, parseSealed, sealUnder } from './sealed-text.ts'
import type { SealedText, SecretOwner, Vault } from './vault.ts'

/** How long an unwrapped data key may stay in memory. */
export const defaultDataKeyTtlMs = 5 * 60_000
/** 32 bytes each, and as much again for the map. */
export const defaultDataKeysMax = 10_000
/**
 * How many secrets one data key seals. NIST SP 800-38D §8.3 allows 2^32 encryptions under one key with random 96-bit IVs, so that two of them are the
 * same with a chance below 2^-32. A user who replaced a key every second would come here after 136 years; then the next key begins.
 */
export const dataKeySealsMax = 2 ** 32

export interface VaultOptions {
  /** Of the role crossfade_mcp_runtime or crossfade_mcp_keeper. Not ended by the vault. */
  readonly pool: pg.Pool
  readonly keys: KeyRing
  readonly dataKeyTtlMs?: number
  readonly dataKeysMax?: number
  /** For tests. */
  readonly sealsMax?: number
  /** For tests: milliseconds that only grow. */
  readonly nowMs?: () => number
}

/**
 * Opens the vault. Rejects when the key-encryption keys at hand are not those of what is stored (CF11009, CF11010), before anything can go wrong with a user's secret.
 * Holds data keys, never secrets. Any number of vaults may work on one database. `close` it.
 */
export async function openVault(options: VaultOptions): Promise<Vault> {
  await checkKeys(options.pool, options.keys)
  return new KeyedVault(options)
}

class KeyedVault implements Vault {
  readonly #store: DataKeyStore
  readonly #keys: KeyRing
  readonly #cache: DataKeyCache
  readonly #loading = new Map<string, Promise<void>>()
  readonly #sealsMax: number
  readonly #sweeper: NodeJS.Timeout
  #closed = false

  constructor(options: VaultOptions) {
    const ttlMs = options.dataKeyTtlMs ?? defaultDataKeyTtlMs
    this.#store = new DataKeyStore(options.pool)
    this.#keys = options.keys
    this.#sealsMax = options.sealsMax ?? dataKeySealsMax
    this.#cache = new DataKeyCache({
      ttlMs,
      keysMax: options.dataKeysMax ?? defaultDataKeysMax,
      nowMs: options.nowMs ?? (() => performance.now()),
    })
    // A key that nobody asks for leaves by this, at most half a TTL late.
    this.#sweeper = setInterval(() => this.#cache.sweep(), Math.max(ttlMs / 2, 10))
    this.#sweeper.unref()
  }

  async seal(owner: SecretOwner, secret: string): Promise<SealedText> {
    this.#assertOpen()
    // Asked every time, also to count: a key that was retired meanwhile seals nothing more.
    const stored = (await this.#store.use(owner.userId, this.#sealsMax)) ?? (await this.#makeDataKey(owner.userId))
    return await this.#withDataKey(stored.id, (key) => sealUnder(key.id, key.key, owner, secret), stored)
  }

  open(owner: SecretOwner, sealed: SealedText): string | Promise<string> {
    this.#assertOpen()
    const parts = parseSealed(sealed)
    const cached = this.#cache.get(parts.dataKeyId)
    if (cached) return openUnder(ownKey(cached, owner), owner, parts)
    return this.#withDataKey(parts.dataKeyId, (key) => openUnder(ownKey(key, owner), owner, parts))
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#sweeper)
    this.#cache.clear()
  }

  /** Calls `use` with the key, which is right for as long as `use` runs: past any `await` the cache may have overwritten it. */
  async #withDataKey<T>(id: string, use: (key: CachedDataKey) => T, stored?: StoredDataKey): Promise<T> {
    const cached = this.#cache.get(id)
    if (cached) return use(cached)
    await this.#load(id, stored)
    const loaded = this.#cache.get(id)
    if (loaded) return use(loaded)
    // Pressed out by others before it was our turn: once more, with a copy of our own.
    const own = await this.#unwrap(stored ?? (await this.#find(id)))
    try {
      return use(own)
    } finally {
      own.key.fill(0)
    }
  }

  /** Brings a key into the cache. One look at a time, however many wait for it. */
  #load(id: string, stored?: StoredDataKey): Promise<void> {
    let loading = this.#loading.get(id)
    if (!loading) {
      loading = this.#fill(id, stored).finally(() => this.#loading.delete(id))
      this.#loading.set(id, loading)
    }
    return loading
  }

  async #fill(id: string, stored?: StoredDataKey): Promise<void> {
    const { userId, key } = await this.#unwrap(stored ?? (await this.#find(id)))
    this.#cache.add(id, userId, key)
  }

  async #find(dataKeyId: string): Promise<StoredDataKey> {
    const stored = await this.#store.find(dataKeyId)
    if (!stored) throw fail('CF11003', { dataKeyId })
    return stored
  }

  async #unwrap(stored: StoredDataKey): Promise<CachedDataKey> {
    const { id, userId } = stored
    const key = await unwrapDataKey(this.#keys, stored)
    if (this.#closed) key.fill(0)
    this.#assertOpen()
    return { id, userId, key }
  }

  async #makeDataKey(userId: string): Promise<StoredDataKey> {
    const made = await newDataKey(this.#keys, userId)
    return await this.#store.add(made, this.#sealsMax)
  }

  #assertOpen(): void {
    if (this.#closed) throw fail('CF11013')
  }
}

/** A new data key for a user, wrapped by the ring's current key. The key itself is forgotten. */
export async function newDataKey(keys: KeyRing, userId: string): Promise<StoredDataKey> {
  const id = randomBytes(dataKeyIdBytes).toString('base64url')
  const key = Buffer.alloc(dataKeyBytes, randomBytes(dataKeyBytes))
  try {
    const wrappedKey = await keys.current.wrap(key, dataKeyAssociated(id, userId))
    return { id, userId, keyEncryptionKeyId: keys.current.id, wrappedKey }
  } finally {
    key.fill(0)
  }
}

const dataKeyIdBytes = 12

/** The key itself, in memory of its own; the caller overwrites it. Rejects with CF11004 or CF11005. */
export async function unwrapDataKey(keys: KeyRing, stored: StoredDataKey): Promise<Buffer> {
  const wrappedBy = keys.find(stored.keyEncryptionKeyId)
  if (!wrappedBy) throw fail('CF11004', { keyEncryptionKeyId: stored.keyEncryptionKeyId, origin: keys.origin })
  const key = await wrappedBy.unwrap(stored.wrappedKey, dataKeyAssociated(stored.id, stored.userId))
  if (key.length !== dataKeyBytes) throw fail('CF11005', { keyEncryptionKeyId: stored.keyEncryptionKeyId })
  return unpooled(key)
}

/** A data key opens its own user's secrets, whatever a row says. */
function ownKey(cached: CachedDataKey, owner: SecretOwner): Buffer {
  if (cached.userId !== owner.userId) throw fail('CF11002', { instanceId: owner.instanceId })
  return cached.key
}

/** Small buffers share a slab with others: the key gets memory of its own, and the slab's copy is overwritten. */
function unpooled(key: Buffer): Buffer {
  const own = Buffer.alloc(key.length, key)
  key.fill(0)
  return own
}
