import { tableKey } from '@crossfade/model/table-name.ts'
import type { SchemaWork } from '@crossfade/pipeline/data-plane.ts'
import type { NewTask, Task } from '../contract/tasks.ts'
import type { Step } from '../contract/track.ts'
import { throwFailed } from './finished.ts'

/** Changes wake the wait; this bounds how long a lost message is not noticed. */
const lookMs = 500

const titles = {
  primary: 'build the keys',
  secondary: 'build the indexes',
  final: 'build foreign keys, triggers and what else is left',
}

/** Runs all schema work of a phase, in its order where order matters. */
export function schemaWorkStep(phase: SchemaWork['phase']): Step {
  return {
    name: `schema-work-${phase}`,
    title: titles[phase],
    async run(ports) {
      const work = (await ports.plane.infrastructure.schemaWork()).filter((unit) => unit.phase === phase)
      for (;;) {
        ports.signal.throwIfAborted()
        const builds = await ports.tasks.list({ kind: 'schema-work' })
        throwFailed(builds)
        const done = work.filter((unit) => isBuilt(builds, unit)).length
        ports.detail(`${done} of ${work.length}`)
        if (done === work.length) return { units: done }
        await ports.tasks.add(readySchemaWork(work, builds).map(schemaWorkTask))
        await ports.changed(lookMs, ports.signal)
      }
    },
  }
}

/** What the name of a schema-work task begins with, by phase. */
export function schemaWorkOf(phase: SchemaWork['phase']): string {
  return `schema-work:${phase}:`
}

/** The task that does a unit of schema work; its name is the same whenever it is made. */
export function schemaWorkTask(unit: SchemaWork): NewTask {
  return { name: `${schemaWorkOf(unit.phase)}${unit.id}`, kind: 'schema-work', payload: { ...unit } }
}

/** Of the units not yet in the queue, those that may run now: each lane is done one after the other, lanes beside each other. */
export function readySchemaWork(work: readonly SchemaWork[], builds: readonly Task[]): readonly SchemaWork[] {
  const ready: SchemaWork[] = []
  const busy = new Set<string>()
  for (const unit of work) {
    const lane = laneOf(unit)
    if (busy.has(lane) || isBuilt(builds, unit)) continue
    busy.add(lane)
    if (!builds.some((task) => task.payload['id'] === unit.id)) ready.push(unit)
  }
  return ready
}

/** Foreign keys lock two tables each, so what is final goes one by one on each target; indexes of different tables don't meet. */
function laneOf(unit: SchemaWork): string {
  return unit.phase === 'final' || !unit.table ? unit.target : `${unit.target} ${tableKey(unit.table)}`
}

function isBuilt(builds: readonly Task[], unit: SchemaWork): boolean {
  return builds.some((task) => task.payload['id'] === unit.id && task.state === 'done')
}
