import type { Side } from '@crossfade/model/stage.ts'
import { messagingReferenceTables, messagingShardKeys } from '@crossfade/simulator/messaging-schema.ts'
import { messagingBuckets, type SimulatedSide } from '@crossfade/simulator/messaging-shards.ts'

/** A plan for simulated shards, as a person would write it. The servers trust this machine, so their URLs hold no secret. */
export function simulatedPlan(sides: Record<Side, SimulatedSide>): string {
  const shards = (side: Side) =>
    [...sides[side].shards].map(([shard, { url }]) => `      '${shard.slice(side.length + 1)}': '${url}',`).join('\n')
  const keys = Object.entries(messagingShardKeys)
    .filter(([, key]) => key !== 'tenant_id')
    .map(([table, key]) => {
      const parent = /^(\w+) -> (\w+)\./.exec(key)
      return `      ${table}: ${parent ? `via('${parent[1]}', '${parent[2]}')` : `'${key}'`},`
    })
    .join('\n')
  return `// A plan for the shards that \`crossfade simulate\` has started.
import { definePlan, hash, via } from '@crossfade/plan/define.ts'

export default definePlan({
  name: 'simulated',
  source: {
    shards: {
${shards('source')}
    },
    topology: hash({ buckets: ${messagingBuckets} }),
  },
  target: {
    shards: {
${shards('target')}
    },
    topology: hash({ buckets: ${messagingBuckets} }),
  },
  tables: {
    shardKey: 'tenant_id',
    shardKeys: {
${keys}
    },
    reference: ${JSON.stringify(messagingReferenceTables).replaceAll('"', "'")},
  },
})
`
}
