import assert from 'node:assert/strict'
import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase } from '@crossfade/embedded/testing.ts'
import type { FailureView } from '@crossfade/engine/contract.ts'
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { Failure } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { Plan } from '@crossfade/plan/define.ts'
import { examine } from '@crossfade/plan/doctor.ts'
import { accept } from '@crossfade/plan/load.ts'
import { postgresCatalogs } from '@crossfade/postgres/source/catalog.ts'
import { everythingIn } from './everything.ts'
import { Ladder, quickPlan } from './ladder.ts'
import { eventually, type Place, run } from './move.ts'
import { sidesDiffer } from './sides.ts'

/** Both sides of one attempt, as a superuser sees them, and what must not be said anywhere. */
export interface Attempt {
  readonly source: string
  readonly target: string
  readonly control: string
  readonly plan: Partial<Plan>
  readonly secret?: string
}

const asker = { actor: 'scenario' }

/** What most attempts find on their source. */
const tables = `CREATE TABLE tenants (id int PRIMARY KEY, name text);
  CREATE TABLE channels (id int PRIMARY KEY, tenant_id int REFERENCES tenants, body text);
  INSERT INTO tenants SELECT n, 'tenant ' || n FROM generate_series(1, 50) n; INSERT INTO channels SELECT n, n, 'body' FROM generate_series(1, 50) n`

/** Makes a source that holds rows, two empty targets, of which `plan` may name one or both, and a control database; drops them after `work`. */
export async function withAttempt(
  place: Place,
  plan: (source: string, target: string, other: string) => Partial<Plan>,
  work: (attempt: Attempt) => Promise<unknown>,
  on: { readonly source?: Cluster; readonly target?: Cluster } = {},
): Promise<void> {
  const [source, target, other, control] = await Promise.all([
    freshDatabase(on.source ?? place.source, 'source'),
    freshDatabase(on.target ?? place.target, 'target'),
    freshDatabase(on.target ?? place.target, 'other'),
    freshDatabase(place.control, 'control'),
  ])
  try {
    await run(source.url, tables)
    const sides = { source: source.url, target: target.url, control: control.url }
    await work({ ...sides, plan: plan(source.url, target.url, other.url) })
  } finally {
    await Promise.all([source, target, other, control].map((each) => each.drop()))
  }
}

/** The plan does not resolve: the doctor says so by a finding that blocks, a start is refused with the same code, and both sides are as before. */
export async function refused(attempt: Attempt, code: ErrorCode): Promise<void> {
  await unchanged(attempt, async () => {
    await found(attempt, code)
    await assert.rejects(Ladder.set(attempt.control, planOf(attempt)), (error) => {
      assert.ok(error instanceof Failure, String(error))
      assert.equal(error.code, code)
      clear(error, attempt.secret)
      return true
    })
  })
}

/**
 * The databases are not fit: the doctor says so by a finding that blocks; a start that nobody asked the doctor about stops with a failure of `stops`, and an abort leaves both
 * sides as they were. When `mend` is given, another start that stops goes on after it, and everything arrives.
 */
export async function stopped(
  attempt: Attempt,
  code: ErrorCode,
  stops: ErrorCode,
  { mend }: { readonly mend?: () => Promise<unknown> } = {},
): Promise<void> {
  await found(attempt, code)
  const start = async (then: (ladder: Ladder) => Promise<void>) => {
    const ladder = await Ladder.set(attempt.control, planOf(attempt))
    try {
      clear(await stop(ladder, stops), attempt.secret)
      await then(ladder)
      await ladder.abort()
    } finally {
      await ladder.close()
    }
  }
  await unchanged(attempt, () => start(async () => undefined))
  if (!mend) return
  await start(async (ladder) => {
    await mend()
    await ladder.crossfade.service.resume(ladder.id, asker)
    await ladder.until(({ stage, transition }) => stage === 'dualwrite' && transition === null, 'dualwrite')
    assert.equal(await ladder.verify(), 0)
    assert.deepEqual(await sidesDiffer([attempt.source], [attempt.target]), [])
  })
}

/** Asks for `dualwrite` and gives the failure that the migration stops with, which must be of that code. */
export async function stop(ladder: Ladder, code: ErrorCode): Promise<FailureView> {
  const { service } = ladder.crossfade
  await service.advance(ladder.id, asker, { to: 'dualwrite' })
  const failure = await eventually('the stop', async () => {
    const { status, failure } = await service.get(ladder.id)
    return status === 'stopped' ? failure : null
  })
  assert.equal(failure.code, code, failure.message)
  return failure
}

/** The finding of that code that says so, which must block; all findings must be clear. */
export async function found(attempt: Attempt, code: ErrorCode, says = /./): Promise<Finding> {
  const loaded = accept(planOf(attempt), { path: 'scenario.plan.ts', sha256: 'none', locate: () => 'the scenario' })
  const { findings } = await examine(loaded, postgresCatalogs, { sampleMs: 0 })
  const told = findings.map((each) => `${each.code} ${each.severity} ${each.message}`).join('\n')
  const finding = findings.find((each) => each.code === code && each.severity === 'block' && says.test(each.message))
  assert.ok(finding, `${code} is not among\n${told}`)
  for (const each of findings) clear(each, attempt.secret)
  return finding
}

/** One sentence with everything filled in, and a remedy; no secret, no stack. */
export function clear(
  told: Pick<Finding | FailureView | Failure, 'code' | 'message' | 'remedy'>,
  secret: string | undefined,
): void {
  const { code, message, remedy } = told
  assert.match(message, /^\S.*[.]$/, `${code} is not one sentence: ${message}`)
  assert.doesNotMatch(`${message} ${remedy}`, /\{\w+\}|undefined|unknown|\[object|\n|\bat .*\.ts:/, code)
  assert.ok(remedy.length > 10, `${code} has no remedy`)
  if (secret !== undefined) assert.ok(!JSON.stringify(told).includes(secret), `${code} tells the secret`)
}

async function unchanged(attempt: Attempt, work: () => Promise<void>): Promise<void> {
  const look = () => Promise.all([attempt.source, attempt.target].map(everythingIn))
  const before = await look()
  await work()
  assert.deepEqual(await look(), before, 'a side was changed')
}

function planOf({ source, target, plan }: Attempt): Plan {
  return quickPlan(source, target, plan)
}
