import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { compareSchema, sameViewOnTarget } from './compare.ts'
import { conflicts } from './conflicts.ts'
import { desiredSchema } from './desired.ts'
import { finding } from './finding.ts'
import { schemaScript } from './generate/script.ts'
import { readInventory } from './inventory.ts'
import { readTarget } from './target.ts'

export interface ShardClient {
  readonly id: ShardId
  readonly client: ClientBase
}

/**
 * Says before the start what `createSchema` would find: what can't be carried, which roles are missing, what is in the way on a target; for a plan whose
 * schema exists already, how it differs. Reads only. `source` is the plan's first source shard.
 */
export async function previewSchema(
  plan: ResolvedPlan,
  source: ShardClient,
  targets: readonly ShardClient[],
): Promise<readonly Finding[]> {
  const desired = desiredSchema(plan, await readInventory(source.client), source.id)
  const findings: Finding[] = plan.schema.mode === 'create' ? [...desired.findings] : []
  for (const { id, client } of targets) {
    const target = await readTarget(client, id)
    if (plan.schema.mode === 'existing') {
      const same = (expected: Parameters<typeof sameViewOnTarget>[1], found: Parameters<typeof sameViewOnTarget>[2]) =>
        sameViewOnTarget(client, expected, found)
      findings.push(...(await compareSchema(desired, target.inventory, id, 'existing', same)))
      continue
    }
    for (const object of conflicts(desired, target.inventory)) {
      findings.push(finding('CF2207', 'block', `${id} ${object}`, { shard: id, objects: object }))
    }
    findings.push(...schemaScript(desired, target).findings)
  }
  return findings
}
