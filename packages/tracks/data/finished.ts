import { fail } from '@crossfade/model/failure.ts'
import type { StepPorts } from '../contract/ports.ts'
import type { Task, TaskFilter } from '../contract/tasks.ts'

/** Changes wake the wait; this bounds how long a lost message is not noticed. */
const lookMs = 500

/** Waits until every task of the filter is done. Rejects with the failure of one that failed for good. */
export async function finished(
  ports: StepPorts,
  filter: TaskFilter,
  onProgress?: (done: number, total: number) => void,
): Promise<readonly Task[]> {
  for (;;) {
    ports.signal.throwIfAborted()
    const tasks = await ports.tasks.list(filter)
    throwFailed(tasks)
    const done = tasks.filter((task) => task.state === 'done').length
    onProgress?.(done, tasks.length)
    if (done === tasks.length) return tasks
    await ports.changed(lookMs, ports.signal)
  }
}

/** Throws CF6011 when one of the tasks has failed for good. */
export function throwFailed(tasks: readonly Task[]): void {
  const failed = tasks.find((task) => task.state === 'failed')
  if (failed?.failure)
    throw fail('CF6011', { task: failed.name, code: failed.failure.code, reason: failed.failure.message })
}
