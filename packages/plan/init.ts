import { asShardId } from '@crossfade/model/ids.ts'
import type { CatalogReader } from '@crossfade/pipeline/catalog.ts'
import { type Draft, type DraftShard, draftPlan } from './draft.ts'
import { guessTopology } from './draft-topology.ts'
import { findTable } from './table-pattern.ts'
import { detectShardKey, rootColumn } from './tenancy.ts'

/** Keys of each shard that are looked at to find out how they are spread. */
const keysLookedAtMax = 20_000

export interface InitOptions {
  /** Source databases; one is a single database, several are shards `a`, `b`, `c` … */
  readonly urls: readonly string[]
  readonly targets: number
  /** Name of the plan; made of the database's when missing. */
  readonly name?: string | undefined
}

/** Looks at a database, or at shards, and drafts a plan for it. Reads only. Passwords in the URLs are used and never written. */
export async function inspect(options: InitOptions, reader: CatalogReader): Promise<Draft> {
  const names = options.urls.map((_, index) => shardName(index, options.urls.length))
  const sessions = await Promise.all(
    options.urls.map((url, index) => reader.open({ id: asShardId(`source/${names[index]}`), url, secret: null })),
  )
  try {
    const tables = await sessions[0]!.tables()
    const database = (await sessions[0]!.server()).database
    const keys = new Map<string, readonly string[]>()
    if (sessions.length > 1) {
      const place = placeOfKeys(tables)
      for (const [index, session] of sessions.entries()) {
        const held = place && (await session.distinctKeys(place.table, place.column, keysLookedAtMax))
        if (held) keys.set(names[index]!, held)
      }
    }
    const sources = options.urls.map(
      (url, index): DraftShard => ({ name: names[index]!, url: holdsPassword(url) ? null : sessions[index]!.url }),
    )
    const isComplete = keys.size === sessions.length
    return draftPlan(
      {
        name: options.name ?? planName(database),
        sources,
        targets: options.targets,
        sourceTopology: isComplete ? guessTopology(keys) : null,
      },
      tables,
    )
  } finally {
    await Promise.all(sessions.map((session) => session.close().catch(() => undefined)))
  }
}

/** Where every key of a shard can be read: the table that the shard key refers to, else the smallest table that has it. */
function placeOfKeys(tables: Parameters<typeof detectShardKey>[0]) {
  const shardKey = detectShardKey(tables)
  if (shardKey === null) return null
  for (const table of tables) {
    const column = rootColumn(table, tables, shardKey)
    if (column !== null) return { table: table.name, column }
  }
  const [smallest] = tables
    .filter((table) => table.columns.some(({ name }) => name === shardKey) && table.partitionOf === null)
    .sort((a, b) => a.heapBytes - b.heapBytes)
  return smallest && findTable(tables, smallest.name.name) ? { table: smallest.name, column: shardKey } : null
}

/** `a` … `z`, then numbers. */
function shardName(index: number, count: number): string {
  return count <= 26 ? String.fromCharCode(97 + index) : String(index)
}

function planName(database: string): string {
  const name = database
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return `move-${name || 'database'}`.slice(0, 40).replace(/-+$/, '')
}

function holdsPassword(url: string): boolean {
  try {
    const { password, searchParams } = new URL(url)
    return password !== '' || searchParams.has('password')
  } catch {
    return true
  }
}
