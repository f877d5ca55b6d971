import type { Side } from '@crossfade/model/stage.ts'
import type { Step } from '../contract/track.ts'
import { caughtUp } from './catch-up.ts'
import { streamTask } from './task-names.ts'

/** D11: the way back exists, and runs, before the target takes its first write. */
export const reverseStreamsStep: Step = {
  name: 'reverse-streams',
  title: 'start the way back',
  async run(ports) {
    const shards = ports.plan.target.shards.map((shard) => shard.id)
    await ports.plane.infrastructure.createSlots('target')
    await ports.tasks.add(shards.map(streamTask))
    await caughtUp(ports, shards)
  },
}

/** Puts the fences in place, disarmed, on the side that is about to give up its authority. */
export function prepareFencesStep(side: Side): Step {
  return {
    name: `prepare-fences-${side}`,
    title: `put the fences on the ${side} in place, open`,
    async run(ports) {
      const { authority } = await ports.routing.current()
      const units = ports.plan.source.shards.map((shard) => shard.id).filter((unit) => authority[unit] === side)
      if (units.length > 0) await ports.plane.cutover.prepare(side, units)
    },
  }
}
