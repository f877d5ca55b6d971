import type { ShardId } from '@crossfade/model/ids.ts'
import type { NewTask } from '../contract/tasks.ts'

/** The task of one shard's stream. */
export function streamTask(shard: ShardId): NewTask {
  return { name: `stream:${shard}`, kind: 'stream', payload: { shard } }
}

/** What the names of a shard's copy tasks begin with. */
export function copiesOf(shard: ShardId): string {
  return `copy:${shard}:`
}
