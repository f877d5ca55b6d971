import type { ShardId } from '@crossfade/model/ids.ts'
import type { StreamStatus, TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { TrackPorts } from '../contract/ports.ts'
import type { Task } from '../contract/tasks.ts'
import { schemaWorkOf } from './schema-work.ts'
import { copiesOf } from './task-names.ts'

/** Changes wake the wait; this bounds how long a lost message is not noticed. */
const lookMs = 500

/**
 * One shard's stream, for as long as the migration needs it. A source's stream first holds the snapshot open while its chunks are copied by whoever, then waits until the
 * keys on the targets are built, and follows. A target's stream (the way back) follows at once.
 */
export async function runStream(task: Task, ports: TrackPorts, context: TaskContext): Promise<null> {
  const shard = task.payload['shard'] as ShardId
  if (ports.plan.source.shards.some((source) => source.id === shard)) {
    await holdSnapshots(shard, ports, context)
    context.report(withoutSnapshot('waiting'))
    await keysBuilt(ports, context.signal)
  }
  context.report(withoutSnapshot('following'))
  const reporter = new Reporter((status) => ports.streams.put(shard, status))
  await ports.plane.streams.follow(shard, context, {
    status: (status) => reporter.put(status),
    expected: () => ports.streams.expected(shard),
  })
  await reporter.settled()
  return null
}

async function holdSnapshots(shard: ShardId, ports: TrackPorts, context: TaskContext): Promise<void> {
  const { signal } = context
  const copies = { kind: 'copy' as const, prefix: copiesOf(shard) }
  while ((await ports.tasks.unfinished(copies)) > 0) {
    const snapshot = await ports.plane.snapshots.open(shard, context)
    let lost = false
    snapshot.lost.catch(() => {
      lost = true
    })
    try {
      context.report({
        phase: 'snapshot',
        snapshot: snapshot.name,
        lsn: String(snapshot.lsn),
        generation: snapshot.generation,
      })
      while (!lost && (await ports.tasks.unfinished(copies)) > 0) await ports.changed(lookMs, signal)
    } finally {
      // Whoever reads the progress next must not import what is about to go.
      context.report(withoutSnapshot('waiting'))
      await snapshot.close().catch(() => undefined)
    }
  }
}

/** Changes are matched by key, so every target needs its keys before the first change; rows of all sources meet in the same tables. */
async function keysBuilt(ports: TrackPorts, signal: AbortSignal): Promise<void> {
  const work = (await ports.plane.infrastructure.schemaWork()).filter((unit) => unit.phase === 'primary')
  const names = work.map((unit) => `${schemaWorkOf('primary')}${unit.id}`)
  for (;;) {
    const built = names.length === 0 ? [] : await ports.tasks.list({ kind: 'schema-work', names })
    const copied = (await ports.tasks.unfinished({ kind: 'copy' })) === 0
    if (copied && built.filter((task) => task.state === 'done').length === names.length) return
    await ports.changed(lookMs, signal)
  }
}

/** What the progress of a stream task says while no snapshot is open for others to import. */
function withoutSnapshot(phase: 'waiting' | 'following') {
  return { phase, snapshot: null, lsn: null, generation: null }
}

/** Writes the newest status, one write at a time; what comes meanwhile is overwritten by what comes later. */
class Reporter {
  readonly #write: (status: StreamStatus) => Promise<void>
  #next: StreamStatus | null = null
  #writing: Promise<void> | null = null

  constructor(write: (status: StreamStatus) => Promise<void>) {
    this.#write = write
  }

  put(status: StreamStatus): void {
    this.#next = status
    this.#writing ??= this.#drain()
  }

  async settled(): Promise<void> {
    await this.#writing
  }

  async #drain(): Promise<void> {
    while (this.#next) {
      const status = this.#next
      this.#next = null
      // A status that could not be written is followed by another; the positions that count are in the databases.
      await this.#write(status).catch(() => undefined)
    }
    this.#writing = null
  }
}
