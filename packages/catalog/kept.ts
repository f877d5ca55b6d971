// What was used last, up to a total size.

/** A cache of what was used last: entries leave in the order of their last use when the sizes exceed `sizeMax`. */
export interface Kept<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V, size: number): void
  readonly size: number
}

/** Sizes are in whatever unit the caller counts in. An entry that alone exceeds `sizeMax` is not kept. */
export function keptUpTo<K, V>(sizeMax: number): Kept<K, V> {
  const entries = new Map<K, { readonly value: V; readonly size: number }>()
  let total = 0
  const drop = (key: K) => {
    const entry = entries.get(key)
    if (entry) total -= entry.size
    entries.delete(key)
  }
  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entries.delete(key)
      entries.set(key, entry)
      return entry.value
    },
    set(key, value, size) {
      drop(key)
      if (size > sizeMax) return
      entries.set(key, { value, size })
      total += size
      for (const oldest of entries.keys()) {
        if (total <= sizeMax) break
        drop(oldest)
      }
    },
    get size() {
      return total
    },
  }
}
