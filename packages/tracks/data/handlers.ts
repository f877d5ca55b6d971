import { fail } from '@crossfade/model/failure.ts'
import { asLsn } from '@crossfade/model/lsn.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import type {
  Chunk,
  SchemaWork,
  SnapshotReference,
  TaskContext,
  VerificationRange,
} from '@crossfade/pipeline/data-plane.ts'
import type { TrackPorts } from '../contract/ports.ts'
import type { Json, Task, TaskHandler, TaskKind } from '../contract/tasks.ts'
import { runStream } from './stream-task.ts'
import { streamTask } from './task-names.ts'

/** How long a chunk waits for its shard's snapshot before it gives its place in the worker to another. */
const snapshotWaitMs = 2_000
const snapshotLookMs = 200

export const taskHandlers: Readonly<Record<TaskKind, TaskHandler>> = {
  stream: runStream,
  copy: copyChunk,
  async 'schema-work'(task, ports, context) {
    await ports.plane.infrastructure.runSchemaWork(task.payload as unknown as SchemaWork, context)
    return null
  },
  async verify(task, ports, context) {
    return (await ports.plane.verification.verify(
      task.payload['range'] as VerificationRange,
      context,
    )) as unknown as Json
  },
  async repair(task, ports, context) {
    const mismatches = task.payload['mismatches'] as readonly Mismatch[]
    return { left: await ports.plane.verification.repair(mismatches, context) }
  },
  async backup(_task, ports, context) {
    return { ...(await ports.plane.infrastructure.backup(context)) }
  },
}

async function copyChunk(task: Task, ports: TrackPorts, context: TaskContext): Promise<Json> {
  const chunk = task.payload as unknown as Chunk
  const snapshot = await heldSnapshot(chunk, ports, context)
  return { ...(await ports.plane.snapshots.copy(chunk, snapshot, context)) }
}

/** The snapshot that the shard's stream holds open now. Rejects with CF3001 (retryable) when there is none for a while. */
async function heldSnapshot(chunk: Chunk, ports: TrackPorts, context: TaskContext): Promise<SnapshotReference> {
  const name = streamTask(chunk.source).name
  const until = ports.clock.now() + snapshotWaitMs
  for (;;) {
    const [stream] = await ports.tasks.list({ names: [name] })
    const { snapshot, lsn, generation } = stream?.progress ?? {}
    if (typeof snapshot === 'string')
      return { name: snapshot, lsn: asLsn(BigInt(lsn!)), generation: Number(generation) }
    if (ports.clock.now() >= until) throw fail('CF3001', { shard: chunk.source })
    await ports.changed(snapshotLookMs, context.signal)
  }
}
