import { fail } from '@crossfade/model/failure.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { Routing } from '@crossfade/routing/routing.ts'

/**
 * Where a client learns who answers for each key. It may deliver late, twice or in the wrong order: the client keeps the highest epoch,
 * and the databases' fences refuse what a stale one sends.
 */
export interface RoutingSource {
  /**
   * Starts to deliver, and resolves after the first routing was delivered. Rejects with CF7101 when none can be had; after that it goes on by itself
   * through every trouble until `close`.
   */
  start(listener: (routing: Routing) => void): Promise<void>
  /** Asks for the newest routing now, because a write was refused. Resolves when it was delivered or could not be had; never rejects. */
  refresh(): Promise<void>
  close(): Promise<void>
}

/** A source that the program itself feeds: for tests, and for programs that get the routing in their own way. */
export interface StaticRouting extends RoutingSource {
  set(routing: Routing): void
}

/** Always the routing it was given last. */
export function staticRouting(first: Routing): StaticRouting {
  let routing = first
  let listener: ((routing: Routing) => void) | null = null
  return {
    async start(to) {
      listener = to
      to(routing)
    },
    async refresh() {
      listener?.(routing)
    },
    async close() {
      listener = null
    },
    set(next) {
      routing = next
      listener?.(next)
    },
  }
}

const sides: readonly unknown[] = ['source', 'target'] satisfies Side[]
const kinds: readonly unknown[] = ['single', 'hash', 'range', 'directory']

/** Checks what came from outside. Throws CF7102 when it is no routing. */
export function readRouting(value: unknown): Routing {
  const routing = value as Partial<Routing> | null
  const problem =
    typeof routing !== 'object' || routing === null
      ? 'it is no object'
      : !Number.isSafeInteger(routing.epoch)
        ? 'its epoch is no number'
        : !kinds.includes(routing.source?.kind) || !kinds.includes(routing.target?.kind)
          ? 'its topologies are missing'
          : !Object.values(routing.authority ?? { none: null }).every((side) => sides.includes(side))
            ? 'its authority is missing'
            : !Array.isArray(routing.fenced)
              ? 'its list of fenced units is missing'
              : null
  if (problem) throw fail('CF7102', { reason: problem })
  return routing as Routing
}
