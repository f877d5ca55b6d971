// Unwrapped data keys in memory: few, not for long, and overwritten when they leave.

export interface CachedDataKey {
  readonly id: string
  readonly userId: string
  /** 32 bytes of their own, not part of a pool. Zeros once it has left the cache: never keep it across an `await`. */
  readonly key: Buffer
}

interface Entry extends CachedDataKey {
  readonly expiresAtMs: number
}

export interface DataKeyCacheOptions {
  readonly keysMax: number
  readonly ttlMs: number
  /** Milliseconds that only grow. */
  readonly nowMs: () => number
}

/** Bounded by number (the least recently used leaves) and by age. Expired keys leave by `sweep` even when nobody asks for them. */
export class DataKeyCache {
  readonly #entries = new Map<string, Entry>()
  readonly #options: DataKeyCacheOptions

  constructor(options: DataKeyCacheOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  get(id: string): CachedDataKey | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    if (entry.expiresAtMs <= this.#options.nowMs()) {
      this.#drop(entry)
      return undefined
    }
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    return entry
  }

  /** Takes `key` over: the caller must not overwrite it. A key that is there already is kept and the new buffer overwritten. */
  add(id: string, userId: string, key: Buffer): CachedDataKey {
    const known = this.get(id)
    if (known) {
      if (known.key !== key) key.fill(0)
      return known
    }
    const entry = { id, userId, key, expiresAtMs: this.#options.nowMs() + this.#options.ttlMs }
    this.#entries.set(id, entry)
    while (this.#entries.size > this.#options.keysMax) this.#drop(this.#entries.values().next().value!)
    return entry
  }

  /** Overwrites and forgets what has expired. */
  sweep(): void {
    const nowMs = this.#options.nowMs()
    for (const entry of this.#entries.values()) if (entry.expiresAtMs <= nowMs) this.#drop(entry)
  }

  /** Overwrites and forgets everything. */
  clear(): void {
    for (const entry of this.#entries.values()) this.#drop(entry)
  }

  #drop(entry: Entry): void {
    entry.key.fill(0)
    this.#entries.delete(entry.id)
  }
}
