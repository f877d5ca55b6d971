import type { PostgresVersion } from '@crossfade/embedded/binaries.ts'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { examine } from '@crossfade/plan/doctor.ts'
import { accept, type LoadedPlan } from '@crossfade/plan/load.ts'
import { type Resolution, resolve } from '@crossfade/plan/resolve.ts'
import { withSurvey } from '@crossfade/plan/survey.ts'
import { postgresCatalogs } from '@crossfade/postgres/source/catalog.ts'
import pg from 'pg'

/** A database that is dropped by `drop`, with `sql` run in it. */
export async function databaseWith(
  sql: string,
  version: PostgresVersion = 18,
): Promise<{ url: string; drop(): Promise<void> }> {
  const database = await freshDatabase(await sharedTestCluster(version), 'cli')
  if (sql !== '') await execute(database.url, sql)
  return database
}

export async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/** A plan as a program would give it. */
export function planOf(plan: object): LoadedPlan {
  return accept({ name: 'test', ...plan }, { path: '/test.plan.ts', sha256: '0'.repeat(64), locate: () => 'test' })
}

export async function resolved(plan: object): Promise<Resolution> {
  const loaded = planOf(plan)
  return withSurvey(loaded, postgresCatalogs, async (survey) => resolve(loaded, survey))
}

/** `CF2109 warn`, one for each finding about `subject` (any, when left out). */
export async function findingsOf(
  plan: object,
): Promise<readonly { code: string; severity: string; subject: string; message: string; remedy: string }[]> {
  return (await examine(planOf(plan), postgresCatalogs, { sampleMs: 0 })).findings
}
