// Opened instances by the digest of what opened them, bounded, with an index for changes.
import type { InstanceId, UserId } from '@crossfade/model/platform-ids.ts'
import type { OpenedInstance } from './opened-instance.ts'

/** When the cache is full, one that was used within this is passed over, if another is near. */
const recentlyUsedMs = 60_000
/** How many are looked at to find one to leave out. */
const evictionLooksMax = 16

export interface SessionCache {
  readonly size: number
  get(key: string): OpenedInstance | undefined
  /** Adds it in place of one with the same key. The cache stays within its bound: the oldest that was not used lately goes. */
  set(key: string, opened: OpenedInstance, nowMs: number): void
  /** Whatever leaves the cache is marked as dropped. */
  delete(key: string): void
  dropInstance(instanceId: string): void
  dropUser(userId: string): void
  dropAll(): void
  values(): Iterable<OpenedInstance>
}

export function createSessionCache(entriesMax: number): SessionCache {
  const entries = new Map<string, OpenedInstance>()
  /** Most instances have one token: one key, and a set only for more. */
  const keysOf = new Map<InstanceId, string | Set<string>>()

  /** Changes are told to what is in the cache: what leaves it, for whatever reason, must ask from now on. */
  function drop(key: string): void {
    const opened = entries.get(key)
    if (opened === undefined) return
    opened.dropped = true
    opened.held = null
    entries.delete(key)
    const keys = keysOf.get(opened.instanceId)
    if (typeof keys === 'object' && keys.size > 1) keys.delete(key)
    else keysOf.delete(opened.instanceId)
  }

  function makeRoom(nowMs: number): void {
    for (let looks = 1; entries.size >= entriesMax; looks += 1) {
      const [key, opened] = entries.entries().next().value!
      if (looks < evictionLooksMax && nowMs - opened.usedAtMs < recentlyUsedMs) {
        entries.delete(key)
        entries.set(key, opened)
      } else drop(key)
    }
  }

  return {
    get size() {
      return entries.size
    },
    get: (key) => entries.get(key),
    set(key, opened, nowMs) {
      drop(key)
      makeRoom(nowMs)
      entries.set(key, opened)
      const keys = keysOf.get(opened.instanceId)
      if (keys === undefined) keysOf.set(opened.instanceId, key)
      else if (typeof keys === 'string') keysOf.set(opened.instanceId, new Set([keys, key]))
      else keys.add(key)
    },
    delete: drop,
    dropInstance(instanceId) {
      const keys = keysOf.get(instanceId as InstanceId)
      if (typeof keys === 'string') drop(keys)
      else if (keys !== undefined) for (const key of [...keys]) drop(key)
    },
    dropUser(userId) {
      for (const [key, opened] of entries) if (opened.userId === (userId as UserId)) drop(key)
    },
    dropAll() {
      for (const key of [...entries.keys()]) drop(key)
    },
    values: () => entries.values(),
  }
}
