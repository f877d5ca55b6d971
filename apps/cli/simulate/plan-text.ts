import type { Side } from '@crossfade/model/stage.ts'
import { messagingTables } from '@crossfade/simulator/messaging-schema.ts'
import { messagingBuckets, type SimulatedSide } from '@crossfade/simulator/messaging-shards.ts'

/** A plan for simulated shards, as a person would write it. The servers trust this machine, so their URLs hold no secret. */
export function simulatedPlan(sides: Record<Side, SimulatedSide>): string {
  const shards = (side: Side) =>
    [...sides[side].shards].map(([shard, { url }]) => `      '${shard.slice(side.length + 1)}': '${url}',`).join('\n')
  const keys = Object.entries(messagingTables.shardKeys)
    .map(
      ([table, key]) =>
        `      ${table}: ${typeof key === 'string' ? `'${key}'` : `via('${key.via}', '${key.parent}')`},`,
    )
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
    shardKey: '${messagingTables.shardKey}',
    shardKeys: {
${keys}
    },
    reference: ${JSON.stringify(messagingTables.reference).replaceAll('"', "'")},
  },
})
`
}
