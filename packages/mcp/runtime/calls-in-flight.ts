// Which calls may be cancelled by a notification of the revisions before 2026-07-28. Those clients have no other way: their cancel comes as a request of its own.
import type { InstanceSession } from '../instances/session.ts'

/** Calls of a worker that can be cancelled; further ones run on without. */
const callsMax = 10_000

export interface CallsInFlight {
  /** `client` tells clients of one instance apart as well as may be: address, name, session. Returns what must be called when the call is over. */
  begin(session: InstanceSession, client: string, id: string | number, abort: () => void): () => void
  /** Aborts the call if exactly one is meant. False when there was none, or it is not clear which. */
  cancel(session: InstanceSession, client: string, id: unknown): boolean
  readonly size: number
}

export function createCallsInFlight(): CallsInFlight {
  /** Two clients of one instance may use the same ids: then neither is cancelled, for the wrong one might be. */
  const calls = new Map<string, Set<() => void>>()

  return {
    begin(session, client, id, abort) {
      if (calls.size >= callsMax) return () => {}
      const key = keyOf(session, client, id)
      const same = calls.get(key)
      if (same === undefined) calls.set(key, new Set([abort]))
      else same.add(abort)
      return () => {
        const left = calls.get(key)
        left?.delete(abort)
        if (left?.size === 0) calls.delete(key)
      }
    },
    cancel(session, client, id) {
      if (typeof id !== 'string' && typeof id !== 'number') return false
      const meant = calls.get(keyOf(session, client, id))
      if (meant === undefined || meant.size !== 1) return false
      for (const abort of meant) abort()
      return true
    },
    get size() {
      return calls.size
    },
  }
}

function keyOf(session: InstanceSession, client: string, id: string | number): string {
  return `${session.instanceId} ${session.userId} ${session.tokenId} ${client} ${typeof id} ${id}`
}
