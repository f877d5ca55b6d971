import type { RoutingBoard } from '@crossfade/tracks/contract/ports.ts'
import { entry } from './entries.ts'
import type { JournaledState } from './journaled-state.ts'

/** The routing as the journal has it. Only the holder of the migration's lease changes it, so the next epoch is always one more than the last. */
export function routingBoard(state: JournaledState): RoutingBoard {
  return {
    async current() {
      return (await state.refresh()).routing
    },
    async last() {
      return (await state.refresh()).lastNote
    },
    async closed() {
      return state.seen.closed
    },
    async change(next, note) {
      // As `current` read it: nobody else changes it while the lease is ours, and writers wait for every round trip.
      const { routing: before } = state.seen
      const routing = { ...before, authority: next.authority, fenced: next.fenced, epoch: before.epoch + 1 }
      await state.append([entry('routing', { routing, note })], { routing })
      return routing
    },
  }
}
