import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase } from '@crossfade/embedded/testing.ts'
import type { Plan } from '@crossfade/plan/define.ts'
import { leftoversIn } from '@crossfade/simulator/leftovers.ts'
import pg from 'pg'
import { Ladder, quickPlan } from './ladder.ts'
import { sidesDiffer } from './sides.ts'

export interface Servers {
  readonly source: Cluster
  readonly target: Cluster
  readonly control: Cluster
}

/** The files of a scenario's directory. Blocks of a file that are separated by a line `-- then` run one after the other, each in a transaction of its own. */
interface Scenario {
  readonly source: string
  /** What happens on the source while changes are followed. */
  readonly changes: readonly string[]
  /** What happens on the target while it answers; it must be on the source after the way back. */
  readonly back: readonly string[]
  /** Queries that must give the same on both sides at the end, and something other than nothing: one a line. */
  readonly expected: readonly { readonly sql: string; readonly rows: readonly (readonly (string | null)[])[] }[]
  readonly plan: Partial<Plan>
}

/**
 * One scenario, moved live from one server to another, verified, cut over, written to on the target, taken back, and forward again to the end:
 * 1. `source.sql` on the source, then up to `dualwrite`;
 * 2. `changes.sql` while the stream follows, then up to `live` (which asks for a clean verification);
 * 3. `back.sql` on the target, then back to `shadow`: both databases must be equal, looked at without our code;
 * 4. up to `complete`: nothing of ours is left, and `expected.json` holds on the target.
 */
export async function runScenario(directory: string, servers: Servers): Promise<void> {
  const scenario = readScenario(directory)
  const [source, target, control] = await Promise.all([
    freshDatabase(servers.source, 'source'),
    freshDatabase(servers.target, 'target'),
    freshDatabase(servers.control, 'control'),
  ])
  let ladder: Ladder | null = null
  try {
    await execute(source.url, [scenario.source])
    ladder = await Ladder.set(control.url, quickPlan(source.url, target.url, scenario.plan))
    await ladder.goTo('dualwrite')
    await execute(source.url, scenario.changes)
    await ladder.goTo('live')
    await execute(target.url, scenario.back)
    await ladder.goTo('shadow')
    const ignored = new Set(scenario.plan.tables?.exclude ?? [])
    assert.deepEqual(
      await sidesDiffer([source.url], [target.url], { ignored }),
      [],
      'source and target differ after the way back',
    )
    await ladder.goTo('complete')
    assert.deepEqual(await leftoversIn(source.url), [], 'left on the source')
    assert.deepEqual(await leftoversIn(target.url), [], 'left on the target')
    for (const { sql, rows } of scenario.expected) assert.deepEqual(await read(target.url, sql), rows, sql)
  } finally {
    await ladder?.close()
    await Promise.all([source.drop(), target.drop(), control.drop()])
  }
}

function readScenario(directory: string): Scenario {
  const read = (name: string) =>
    existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : null
  const blocks = (name: string) => (read(name) ?? '').split(/^-- then$/m).filter((block) => block.trim() !== '')
  return {
    source: read('source.sql') ?? '',
    changes: blocks('changes.sql'),
    back: blocks('back.sql'),
    expected: JSON.parse(read('expected.json') ?? '[]') as Scenario['expected'],
    plan: JSON.parse(read('plan.json') ?? '{}') as Partial<Plan>,
  }
}

/** Each block in one round trip, so in one transaction unless it says otherwise itself. */
export async function execute(url: string, blocks: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const block of blocks) await client.query(block)
  } finally {
    await client.end()
  }
}

async function read(url: string, sql: string): Promise<(string | null)[][]> {
  const client = new pg.Client({
    connectionString: url,
    types: { getTypeParser: () => (text: unknown) => text } as never,
  })
  await client.connect()
  try {
    return (await client.query<(string | null)[]>({ text: sql, rowMode: 'array' })).rows
  } finally {
    await client.end()
  }
}
