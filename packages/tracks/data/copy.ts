import { tableKey } from '@crossfade/model/table-name.ts'
import type { Chunk } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Task } from '../contract/tasks.ts'
import type { Step } from '../contract/track.ts'
import { throwFailed } from './finished.ts'
import { readySchemaWork, schemaWorkTask } from './schema-work.ts'
import { copiesOf, streamTask } from './task-names.ts'

/** Changes wake the wait; this bounds how long a lost message is not noticed. */
const lookMs = 500

/**
 * Splits every source shard's tables into chunks, once, and puts one task per chunk and one stream task per shard into the queue. All tasks of a shard are added together, so a
 * crash never leaves a shard half planned; the chunks of a shard that is in the queue are never computed again (its tables may have grown since).
 */
export const planCopyStep: Step = {
  name: 'plan-copy',
  title: 'split the tables into chunks',
  async run(ports) {
    let total = 0
    for (const shard of ports.plan.source.shards) {
      const stream = streamTask(shard.id)
      const [known] = await ports.tasks.list({ names: [stream.name] })
      if (known) continue
      ports.detail(`${shard.id}`)
      const chunks = await ports.plane.snapshots.chunks(shard.id)
      total += chunks.length
      await ports.tasks.add([stream, ...chunks.map(copyTask)])
    }
    return { chunks: total }
  },
}

export const copyStep: Step = {
  name: 'copy',
  title: 'copy the snapshot',
  async run(ports) {
    const work = (await ports.plane.infrastructure.schemaWork()).filter((unit) => unit.phase === 'primary')
    for (;;) {
      ports.signal.throwIfAborted()
      const copies = await ports.tasks.list({ kind: 'copy' })
      throwFailed(copies)
      const waiting = new Set(
        copies.filter((task) => task.state !== 'done').map((task) => targetTable(ports.plan, task)),
      )
      const builds = await ports.tasks.list({ kind: 'schema-work' })
      throwFailed(builds)
      // A table's key is built as soon as its last chunk is in, while other tables are still copied.
      const loaded = work.filter((unit) => !unit.table || !waiting.has(tableKey(unit.table)))
      await ports.tasks.add(readySchemaWork(loaded, builds).map(schemaWorkTask))
      const built = builds.filter((task) => task.state === 'done').length
      ports.detail(
        `${copies.length - countWaiting(copies)} of ${copies.length} chunks, ${Math.min(built, work.length)} of ${work.length} keys`,
      )
      if (waiting.size === 0 && work.every((unit) => isDone(builds, unit.id))) break
      await ports.changed(lookMs, ports.signal)
    }
    return totals(await ports.tasks.list({ kind: 'copy' }))
  },
}

/** The task that copies a chunk; its name is the same whenever it is made, so that adding it twice adds it once. */
export function copyTask(chunk: Chunk) {
  return { name: `${copiesOf(chunk.source)}${chunk.id}`, kind: 'copy' as const, payload: { ...chunk } }
}

/** The target's name of the table that a task copies; schema work is named after the target's tables. */
function targetTable(plan: ResolvedPlan, task: Task): string {
  const { table } = task.payload as unknown as Chunk
  return tableKey(plan.tables.find((candidate) => tableKey(candidate.source) === tableKey(table))?.target ?? table)
}

function isDone(builds: readonly Task[], id: string): boolean {
  return builds.some((task) => task.payload['id'] === id && task.state === 'done')
}

function countWaiting(copies: readonly Task[]): number {
  return copies.filter((task) => task.state !== 'done').length
}

function totals(copies: readonly Task[]) {
  const sum = (name: string) => copies.reduce((total, task) => total + Number(task.result?.[name] ?? 0), 0)
  return { chunks: copies.length, rows: sum('rows'), bytes: sum('bytes') }
}
