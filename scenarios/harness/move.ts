import type { PostgresVersion } from '@crossfade/embedded/binaries.ts'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase } from '@crossfade/embedded/testing.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import type { Plan } from '@crossfade/plan/define.ts'
import pg from 'pg'
import { Ladder, quickPlan } from './ladder.ts'

/** Servers of their own for one test file: what is done to them meets nobody else. */
export interface Place {
  readonly source: Cluster
  readonly target: Cluster
  readonly control: Cluster
  destroy(): Promise<void>
}

/** Starts a server for each side and one for the control database. `destroy` removes them. */
export async function startPlace(
  versions: { readonly source?: PostgresVersion; readonly target?: PostgresVersion } = {},
): Promise<Place> {
  const [source, target, control] = await Promise.all([
    startCluster({ version: versions.source ?? 16 }),
    startCluster({ version: versions.target ?? 18 }),
    startCluster({ version: 18 }),
  ])
  return {
    source,
    target,
    control,
    destroy: async () => {
      await Promise.all([source, target, control].map((cluster) => cluster.destroy()))
    },
  }
}

/** Databases in which one migration is tried. */
export interface Move {
  readonly place: Place
  readonly sources: readonly string[]
  readonly targets: readonly string[]
  readonly ladder: Ladder
}

export interface MoveOptions {
  /** SQL of each source database; as many sources as there are. */
  readonly sources: readonly string[]
  readonly targets?: number
  /** Given the URLs of both sides; default: a plan of one database to one other. */
  readonly plan?: (sources: readonly string[], targets: readonly string[]) => Partial<Plan>
  /** Done before the migration is created. */
  readonly prepare?: (sources: readonly string[], targets: readonly string[]) => Promise<void>
}

/** Makes the databases, creates the migration, runs `work`, and takes everything away again. */
export async function withMove(place: Place, options: MoveOptions, work: (move: Move) => Promise<void>): Promise<void> {
  const sources = await Promise.all(options.sources.map(() => freshDatabase(place.source, 'source')))
  const targets = await Promise.all(
    Array.from({ length: options.targets ?? 1 }, () => freshDatabase(place.target, 'target')),
  )
  const control = await freshDatabase(place.control, 'control')
  let ladder: Ladder | null = null
  try {
    for (const [index, sql] of options.sources.entries()) await run(sources[index]!.url, sql)
    const urls = { sources: sources.map(({ url }) => url), targets: targets.map(({ url }) => url) }
    await options.prepare?.(urls.sources, urls.targets)
    const more = options.plan?.(urls.sources, urls.targets) ?? {}
    ladder = await Ladder.set(control.url, quickPlan(urls.sources[0]!, urls.targets[0]!, more))
    await work({ place, ...urls, ladder })
  } finally {
    await ladder?.close()
    for (const database of [...sources, ...targets]) await endSlots(database.url)
    await Promise.all([...sources, ...targets, control].map((database) => database.drop()))
  }
}

/** What a failed test leaves would keep its database from being dropped. */
async function endSlots(url: string): Promise<void> {
  await run(
    url,
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database() AND active`,
  ).catch(() => undefined)
  await run(
    url,
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()`,
  ).catch(() => undefined)
}

/** The rows of the last statement, values as text. */
export async function run(
  url: string,
  sql: string,
  values?: readonly unknown[],
): Promise<Record<string, string | null>[]> {
  const client = new pg.Client({
    connectionString: url,
    types: { getTypeParser: () => (text: unknown) => text } as never,
  })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const result = (await client.query(sql, values as unknown[])) as pg.QueryResult | pg.QueryResult[]
    return (Array.isArray(result) ? result.at(-1)! : result).rows as Record<string, string | null>[]
  } finally {
    await client.end()
  }
}

/** Waits until `look` gives something other than null, undefined, false or 0. Rejects with `what` when that takes too long. */
export async function eventually<Found>(
  what: string,
  look: () => Promise<Found>,
  msMax = 180_000,
): Promise<NonNullable<Found>> {
  const deadline = Date.now() + msMax
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${msMax} ms`)
    await systemClock.sleep(50)
  }
}
