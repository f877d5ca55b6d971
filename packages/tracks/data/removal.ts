import { fail } from '@crossfade/model/failure.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { StepPorts } from '../contract/ports.ts'
import type { TaskFilter } from '../contract/tasks.ts'
import type { Step } from '../contract/track.ts'
import { streamTask } from './task-names.ts'

/** A holder that hears of nothing any more loses its lease in this time's multiple; waits are woken by changes. */
const lookMs = 300

/** Ends all work on the databases: whoever holds a task lets go of it, or has lost its lease. */
export const stopTasksStep: Step = {
  name: 'stop-tasks',
  title: 'stop copy, streams and verification',
  run: (ports) => stopTasks(ports, {}),
}

/** At the end the finished chunks stay in the queue, for people to look at. */
export const retireTasksStep: Step = {
  name: 'retire-tasks',
  title: 'stop the streams',
  run: (ports) => stopTasks(ports, { states: ['waiting', 'running', 'failed', 'cancelled'] }),
}

/** On the way down from `shadow`: the way back is not needed any more, for the target was never, or is no longer, the authority. */
export const dropReverseStep: Step = {
  name: 'drop-reverse',
  title: 'remove the way back',
  async run(ports) {
    await stopTasks(ports, { names: ports.plan.target.shards.map((shard) => streamTask(shard.id).name) })
    await ports.plane.infrastructure.dropSlots('target')
  },
}

/** `with-schema` takes the tables away that `createSchema` made, which are recorded in the control schema and so go first. */
export function removeTargetStep(what: 'with-schema' | 'keep-schema'): Step {
  return {
    name: 'remove-target',
    title:
      what === 'with-schema'
        ? 'remove everything of ours from the target, with the tables made there'
        : 'remove everything of ours from the target',
    async run(ports) {
      if (what === 'with-schema' && ports.plan.schema.mode === 'create')
        await ports.plane.infrastructure.dropCreatedSchema()
      await removeAll(ports, 'target')
    },
  }
}

export const removeSourceStep: Step = {
  name: 'remove-source',
  title: 'remove everything of ours from the source',
  run: (ports) => removeAll(ports, 'source'),
}

/** Before the fences go: what is left of the source must not take writes by mistake, when the plan says so. */
export const archiveStep: Step = {
  name: 'archive-source',
  title: 'archive the source',
  async run(ports) {
    if (ports.plan.archive === 'readonly') await ports.plane.infrastructure.archiveSource()
  },
}

async function stopTasks(ports: StepPorts, filter: TaskFilter): Promise<void> {
  for (;;) {
    ports.signal.throwIfAborted()
    await ports.tasks.cancel(filter)
    await ports.tasks.remove(filter)
    const left = await ports.tasks.list(filter)
    if (left.length === 0) return
    ports.detail(`waits for ${left.length} running tasks`)
    await ports.changed(lookMs, ports.signal)
  }
}

/** D06: nothing of ours is left, and that is looked at, not assumed. */
async function removeAll(ports: StepPorts, side: Side): Promise<void> {
  await ports.plane.infrastructure.removeAll(side)
  const left = await ports.plane.infrastructure.leftovers(side)
  if (left.length > 0) throw fail('CF5004', { side, names: left.join(', ') })
}
