import { fail } from '@crossfade/model/failure.ts'
import type { DataPlane } from '@crossfade/pipeline/data-plane.ts'

/**
 * The plane, with everything that makes or removes objects refused (CF6006) unless the lease is held at the moment of the call. Such statements carry no epoch that a database
 * could check, and a process that stood still and was overtaken must not make again what its successor has removed.
 */
export function heldPlane(plane: DataPlane, isHeld: () => boolean, lease: string): DataPlane {
  const check = () => {
    if (!isHeld()) throw fail('CF6006', { lease })
  }
  return {
    snapshots: plane.snapshots,
    streams: plane.streams,
    verification: plane.verification,
    observation: plane.observation,
    close: () => plane.close(),
    infrastructure: guarded(plane.infrastructure, check),
    cutover: {
      prepare: async (from, units) => {
        check()
        return plane.cutover.prepare(from, units)
      },
      // These carry the epoch, or only read, or only ever raise.
      longTransactions: (from, units) => plane.cutover.longTransactions(from, units),
      fence: (from, units, epoch, owner) => plane.cutover.fence(from, units, epoch, owner),
      unfence: (side, units, epoch) => plane.cutover.unfence(side, units, epoch),
      carrySequences: (from, to) => plane.cutover.carrySequences(from, to),
    },
  }
}

function guarded<Port extends object>(port: Port, check: () => void): Port {
  return new Proxy(port, {
    get(target, name) {
      const method = target[name as keyof Port]
      if (typeof method !== 'function') return method
      return async (...args: unknown[]) => {
        check()
        return method.apply(target, args)
      }
    },
  })
}
