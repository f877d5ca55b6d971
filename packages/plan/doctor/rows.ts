import { Failure } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { route } from '@crossfade/routing/route.ts'
import { finding } from './finding.ts'
import { type Subject, sessionOf } from './subject.ts'

/** Rows are counted up to this; more are "1,000 or more". */
const rowsCountedMax = 1000
const keysLookedAtMax = 50_000
/** Identity values of one shard that are looked for on another. */
const keysComparedMax = 5000

/** Rows that would be lost, refused or collide: conditions, NULL keys, orphans, keys on the wrong shard, the same identity on two shards. */
export async function checkRows(subject: Subject): Promise<Finding[]> {
  const { plan } = subject.resolution
  if (!plan) return []
  const findings: Finding[] = []
  for (const table of plan.tables) {
    findings.push(...(await checkCondition(subject, table)), ...(await checkKeys(subject, plan, table)))
    if (plan.source.shards.length > 1) findings.push(...(await checkCollisions(subject, plan, table)))
  }
  return findings
}

async function checkCondition(subject: Subject, table: ResolvedTable): Promise<Finding[]> {
  if (table.where === null) return []
  const [first] = subject.survey.source.shards
  const reason = first && (await sessionOf(subject, first.id)?.checkCondition(table.source, table.where))
  return reason ? [finding('CF1023', 'block', tableKey(table.source), { table: tableKey(table.source), reason })] : []
}

async function checkKeys(subject: Subject, plan: ResolvedPlan, table: ResolvedTable): Promise<Finding[]> {
  const { route: way } = table
  if (way.kind === 'whole' || way.kind === 'reference') return []
  const findings: Finding[] = []
  const key = tableKey(table.source)
  for (const { id } of plan.source.shards) {
    const session = sessionOf(subject, id)
    if (!session) continue
    const about = { table: key, shard: id, column: way.column }
    const tooLong = () =>
      findings.push(finding('CF2138', 'note', `${id} ${key}`, { ...about, subject: `${key} on ${id}` }))
    const nulls = await session.nullRows(table.source, way.column, rowsCountedMax)
    if (nulls === null) tooLong()
    else if (nulls > 0)
      findings.push(finding('CF2124', 'block', `${id} ${key}.${way.column}`, { ...about, count: counted(nulls) }))
    if (way.kind === 'parent') {
      const orphans = await session.orphanRows(table.source, way.column, way.parent, way.parentColumn, rowsCountedMax)
      const details = { ...about, parent: tableKey(way.parent) }
      if (orphans === null) tooLong()
      else if (orphans > 0)
        findings.push(finding('CF2123', 'block', `${id} ${key}.${way.column}`, { ...details, count: counted(orphans) }))
      continue
    }
    const keys = await session.distinctKeys(table.source, way.column, keysLookedAtMax)
    if (keys === null) tooLong()
    else findings.push(...checkPlacement(plan, table, id, keys, way.column))
  }
  return findings
}

/** Keys that live elsewhere than the source topology says, or that no target would take. */
function checkPlacement(
  plan: ResolvedPlan,
  table: ResolvedTable,
  shard: ShardId,
  keys: readonly string[],
  column: string,
): Finding[] {
  const key = tableKey(table.source)
  const subject = `${shard} ${key}.${column}`
  const strays: string[] = []
  for (const value of keys) {
    try {
      if (route(plan.source.topology, value) !== shard) strays.push(value)
      route(plan.target.topology, value)
    } catch (error) {
      if (error instanceof Failure) return [finding(error.code, 'block', subject, error.details)]
      throw error
    }
  }
  if (strays.length === 0) return []
  const details = { table: key, shard, count: strays.length, example: `${column} = ${strays[0]}` }
  return [finding('CF2125', 'block', subject, details)]
}

/** Two source shards that gave out the same identity to different rows, which would meet on one target. */
async function checkCollisions(subject: Subject, plan: ResolvedPlan, table: ResolvedTable): Promise<Finding[]> {
  const { identity, route: way } = table
  if (identity.kind !== 'key' || way.kind === 'reference' || way.kind === 'whole') return []
  // The shard key is part of the identity: the same identity is then the same shard.
  if (way.kind === 'column' && identity.columns.includes(way.column)) return []
  const key = tableKey(table.source)
  for (const [index, one] of plan.source.shards.entries()) {
    const sample = await sessionOf(subject, one.id)?.sampleKeys(table.source, identity.columns, keysComparedMax)
    if (!sample || sample.length === 0) continue
    for (const other of plan.source.shards.slice(index + 1)) {
      const met = await sessionOf(subject, other.id)?.existingKeys(table.source, identity.columns, sample)
      if (!met || met.length === 0) continue
      const onOne = plan.target.shards.length === 1
      const details = {
        table: key,
        columns: identity.columns.join(', '),
        example: met[0]!.join(', '),
        shard: one.id,
        other: other.id,
        target: onOne ? plan.target.shards[0]!.id : 'the same target shard, when their keys lead there',
      }
      return [finding('CF2135', onOne ? 'block' : 'warn', `${one.id} ${key}`, details)]
    }
  }
  return []
}

function counted(rows: number): string {
  return rows >= rowsCountedMax ? '1,000 or more' : String(rows)
}
