import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type {
  CatalogReader,
  CatalogSession,
  CatalogTable,
  DatabaseObjects,
  DirectoryEntry,
  ServerFacts,
  ShardAddress,
} from '@crossfade/pipeline/catalog.ts'
import type { LoadedPlan } from './load.ts'
import { findShard, type SideShape, shapeOf } from './sides.ts'
import { parseTableName } from './table-pattern.ts'

/** A directory of more keys than this would make the plan itself too large. */
const directoryRowsMax = 1_000_000

/** What the databases of a plan look like, read once. Everything the planner decides is decided from this. */
export interface Survey {
  readonly source: SideSurvey
  readonly target: SideSurvey
}

export interface SideSurvey {
  readonly shape: SideShape
  /** Those that could be read, in the plan's order. */
  readonly shards: readonly ShardSurvey[]
  readonly failures: readonly { readonly shard: ShardId; readonly failure: Failure }[]
  /** Content of the side's directory table; null when it has none or it could not be read. */
  readonly directory: readonly DirectoryEntry[] | null
}

export interface ShardSurvey {
  readonly id: ShardId
  readonly side: Side
  readonly address: ShardAddress
  /** Without password. */
  readonly url: string
  readonly server: ServerFacts
  readonly tables: readonly CatalogTable[]
  readonly objects: DatabaseObjects
}

/** Open sessions by shard; those that failed are missing. */
export type Sessions = ReadonlyMap<ShardId, CatalogSession>

/**
 * Reads all databases of the plan, runs `use` while the sessions are open, and closes them. A database that cannot be read is in `failures`;
 * nothing is thrown for it. Changes nothing.
 */
export async function withSurvey<Result>(
  plan: LoadedPlan,
  reader: CatalogReader,
  use: (survey: Survey, sessions: Sessions) => Promise<Result>,
): Promise<Result> {
  const sessions = new Map<ShardId, CatalogSession>()
  try {
    const [source, target] = await Promise.all([
      surveySide(shapeOf('source', plan.document.source, plan.path), reader, sessions),
      surveySide(shapeOf('target', plan.document.target, plan.path), reader, sessions),
    ])
    return await use({ source, target }, sessions)
  } finally {
    await Promise.all([...sessions.values()].map((session) => session.close().catch(() => undefined)))
  }
}

async function surveySide(
  shape: SideShape,
  reader: CatalogReader,
  sessions: Map<ShardId, CatalogSession>,
): Promise<SideSurvey> {
  const failures: { shard: ShardId; failure: Failure }[] = []
  const blame = (shard: ShardId, error: unknown) =>
    failures.push({
      shard,
      failure: error instanceof Failure ? error : fail('CF2146', { shard, reason: reasonOf(error) }, error),
    })
  const read = await Promise.all(
    shape.shards.map(async (address) => {
      try {
        const session = await reader.open(address)
        sessions.set(address.id, session)
        // One after the other: a session is one connection.
        const server = await session.server()
        const tables = await session.tables()
        const objects = await session.objects()
        return { id: address.id, side: shape.side, address, url: session.url, server, tables, objects }
      } catch (error) {
        blame(address.id, error)
        return null
      }
    }),
  )
  let directory: readonly DirectoryEntry[] | null = null
  try {
    directory = await readDirectory(shape, sessions)
  } catch (error) {
    blame(shape.shards[0]!.id, error)
  }
  return { shape, shards: read.filter((shard) => shard !== null), failures, directory }
}

async function readDirectory(shape: SideShape, sessions: Sessions): Promise<readonly DirectoryEntry[] | null> {
  if (shape.topology === null || !('directory' in shape.topology)) return null
  const { table, keyColumn, shardColumn, shard } = shape.topology.directory
  const ids = shape.shards.map(({ id }) => id)
  const id = shard === undefined ? ids[0]! : findShard(ids, shard)
  if (!id) throw fail('CF1017', { shard, place: `${shape.side}.topology.directory.shard`, known: ids.join(', ') })
  const name = parseTableName(table)
  if (!name) throw fail('CF1021', { table, shard: id, reason: 'its name cannot be read' })
  const session = sessions.get(id)
  if (!session) return null
  return session.directory(
    { schema: name.schema ?? 'public', name: name.name },
    keyColumn,
    shardColumn,
    directoryRowsMax,
  )
}
