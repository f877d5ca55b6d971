import type { ShardId } from '@crossfade/model/ids.ts'
import type { CatalogSession } from '@crossfade/pipeline/catalog.ts'
import type { LoadedPlan } from '../load.ts'
import type { Resolution } from '../resolve.ts'
import type { Sessions, ShardSurvey, Survey } from '../survey.ts'

/** What every check looks at. */
export interface Subject {
  readonly loaded: LoadedPlan
  readonly survey: Survey
  readonly resolution: Resolution
  readonly sessions: Sessions
}

export function allShards(survey: Survey): readonly ShardSurvey[] {
  return [...survey.source.shards, ...survey.target.shards]
}

/** Shards by the server they live on; limits of a server are shared by all of them. */
export function byServer(shards: readonly ShardSurvey[]): readonly (readonly ShardSurvey[])[] {
  const servers = new Map<string, ShardSurvey[]>()
  for (const shard of shards) {
    const on = servers.get(shard.server.instance)
    if (on) on.push(shard)
    else servers.set(shard.server.instance, [shard])
  }
  return [...servers.values()]
}

export function sessionOf(subject: Subject, shard: ShardId): CatalogSession | null {
  return subject.sessions.get(shard) ?? null
}

/** `18.4`, `14.20`. */
export function versionText(version: number): string {
  return `${Math.floor(version / 10_000)}.${version % 10_000}`
}
