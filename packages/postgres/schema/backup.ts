import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ShardPool } from '../connection/pool.ts'
export async function backupDatabases(_: {
  plan: ResolvedPlan
  migration: MigrationId
  pool(shard: ShardId): ShardPool
  context: TaskContext
  pgDump: string | null | undefined
}): Promise<{ path: string; bytes: number; drilled: boolean }> {
  return { path: '', bytes: 0, drilled: false }
}
