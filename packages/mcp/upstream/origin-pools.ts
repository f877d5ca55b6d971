// Connections to upstreams: one pool per origin, shared by all users, holding nothing of any of them.

import type { buildConnector, Pool } from 'undici'
import { poolLibrary } from './call-libraries.ts'

/** Origins that have a pool at the same time; beyond, the one that was idle longest is closed. */
export const originsMax = 512
export const connectionsPerOriginMax = 64
/** Calls to one origin that run or wait for a connection. */
export const callsPerOriginMax = 1_024
/**
 * Idle connections are kept this long, or as long as the server says, up to `keepAliveMsMax`. Short, because a server that closes one at the moment when it is
 * used again fails a call that may not be repeated.
 */
const keepAliveMs = 10_000
const keepAliveMsMax = 120_000
/** Status line and headers of an answer. */
const headerBytesMax = 65_536

export interface OriginPools {
  /** The pool for one call, counted as in use until `release`; null when the origin has too many calls already, or all pools are busy. */
  acquire(origin: string): OriginPool | null
  /** Origins with a pool now. */
  readonly size: number
  close(): Promise<void>
}

export interface OriginPool {
  readonly pool: Pool
  release(): void
}

interface Entry extends OriginPool {
  calls: number
}

/** Pools whose connections come from `connect`; HTTP/1.1, one request at a time on a connection. */
export function createOriginPools(
  connect: buildConnector.connector,
  headersMsMax: number,
  bodyMsMax: number,
): OriginPools {
  // In the order of their last use: a map keeps the order of insertion.
  const entries = new Map<string, Entry>()
  const closing = new Set<Promise<void>>()

  const open = (origin: string): Entry => {
    const pool = new (poolLibrary())(origin, {
      connect,
      allowH2: false,
      pipelining: 1,
      connections: connectionsPerOriginMax,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMsMax,
      headersTimeout: headersMsMax,
      bodyTimeout: bodyMsMax,
      maxHeaderSize: headerBytesMax,
    })
    const entry: Entry = { pool, calls: 0, release: () => void entry.calls-- }
    return entry
  }

  const retire = (pool: Pool) => {
    const closed = pool.destroy().catch(() => undefined)
    closing.add(closed)
    void closed.then(() => closing.delete(closed))
  }

  /** Makes room for one more; false when every pool is in use. */
  const makeRoom = (): boolean => {
    if (entries.size < originsMax) return true
    for (const [origin, entry] of entries) {
      if (entry.calls > 0) continue
      entries.delete(origin)
      retire(entry.pool)
      return true
    }
    return false
  }

  return {
    acquire(origin) {
      let entry = entries.get(origin)
      if (entry === undefined) {
        if (!makeRoom()) return null
        entry = open(origin)
        entries.set(origin, entry)
      } else if (entries.size >= originsMax / 2) {
        entries.delete(origin)
        entries.set(origin, entry)
      }
      if (entry.calls >= callsPerOriginMax) return null
      entry.calls++
      return entry
    },
    get size() {
      return entries.size
    },
    async close() {
      for (const { pool } of entries.values()) retire(pool)
      entries.clear()
      await Promise.all(closing)
    },
  }
}
