// Two PostgreSQL 16 shards of a multi-tenant messaging service become four PostgreSQL 18 shards, while clients write.
// `npm start` carries this plan out on live input.
import { definePlan, env, hash, via } from '@crossfade/plan/define.ts'

export default definePlan({
  name: 'messaging',
  source: {
    shards: { a: { urlFrom: env('MESSAGING_SOURCE_A') }, b: { urlFrom: env('MESSAGING_SOURCE_B') } },
    topology: hash({ buckets: 1024 }),
  },
  target: {
    shards: {
      '0': { urlFrom: env('MESSAGING_TARGET_0') },
      '1': { urlFrom: env('MESSAGING_TARGET_1') },
      '2': { urlFrom: env('MESSAGING_TARGET_2') },
      '3': { urlFrom: env('MESSAGING_TARGET_3') },
    },
    topology: hash({ buckets: 1024 }),
  },
  tables: {
    shardKey: 'tenant_id',
    shardKeys: {
      tenants: 'id',
      channel_configurations: via('channel_id', 'channels'),
      channel_credentials: via('channel_id', 'channels'),
      webhook_events: via('webhook_id', 'webhooks'),
      webhook_deliveries: via('webhook_id', 'webhooks'),
      role_permissions: via('role_id', 'roles'),
    },
    reference: ['permissions'],
  },
  // Small chunks, so that the tour's copy shows more than a handful.
  copy: { chunkBytesMax: '4 MiB' },
  // Source, target, clients and engine share one machine here, so there is no live system's latency to spare. Leave it out, and the budget is 5 %.
  throttle: { latencyBudget: null },
  gates: {
    live: [{ kind: 'verified' }, { kind: 'lag', limit: 500, soakMs: '2 s' }],
  },
})
