// For tests: the real server over the real engine service, whose store is in memory and holds a migration in the middle of everything.
import { entry } from '@crossfade/engine/entries.ts'
import { memoryStore } from '@crossfade/engine/memory-store.ts'
import { createMigrationService } from '@crossfade/engine/service.ts'
import type { ControlStore } from '@crossfade/engine/store.ts'
import { writeStream } from '@crossfade/engine/track-ports.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import { asShardId, type MigrationId } from '@crossfade/model/ids.ts'
import { asLsn } from '@crossfade/model/lsn.ts'
import type { Mismatch, VerificationReport } from '@crossfade/model/mismatch.ts'
import type { PlanDigest, ResolvedGate, ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { evenHash, testPlan } from '@crossfade/postgres/testing/plan.ts'
import { dataTrack } from '@crossfade/tracks/data/track.ts'
import type { Access, Role } from './authentication.ts'
import { parseTokens, roles } from './authentication.ts'
import { makeToken } from './make-token.ts'
import type { Planning } from './planning.ts'
import { createServer, type ServerOptions } from './server.ts'

export const sources = [asShardId('source/a'), asShardId('source/b')] as const
export const targets = [0, 1, 2, 3].map((index) => asShardId(`target/${index}`))

/** Two shards to four, with a gate that a person must approve. */
export function samplePlan(name = 'messaging'): ResolvedPlan {
  const plan = testPlan({
    source: { topology: evenHash(sources), urls: urlsOf(sources) },
    target: { topology: evenHash(targets), urls: urlsOf(targets) },
    tables: ['tenants', 'channels', 'users'].map(table),
  })
  return { ...plan, name, digest: `digest of ${name}` as PlanDigest, gates: [manualGate] }
}

export const manualGate: ResolvedGate = {
  stage: 'live',
  kind: 'manual',
  name: 'release',
  limit: null,
  soakMs: 0,
  retreatAfterMs: null,
  sql: null,
  shard: null,
  url: null,
}

export interface TestServer {
  readonly app: Awaited<ReturnType<typeof createServer>>
  readonly store: ControlStore
  readonly service: ReturnType<typeof createMigrationService>
  /** A token of each role, its name the role's. */
  readonly tokens: Readonly<Record<Role, string>>
  readonly headers: Readonly<Record<Role, { readonly authorization: string }>>
  close(): Promise<void>
}

/** A server that asks for tokens, unless `access` says otherwise, over an empty store. */
export async function testServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const store = memoryStore(systemClock)
  const service = createMigrationService({ store, clock: systemClock, track: dataTrack })
  const made = roles.map((role) => ({ role, ...makeToken(role, role) }))
  const access: Access = { kind: 'tokens', tokens: parseTokens(made.map(({ line }) => line).join('\n')) }
  const app = await createServer({
    service,
    planning: samplePlanning,
    access,
    consoleDirectory: null,
    logger: false,
    version: '0.0.0-test',
    ...options,
  })
  const byRole = <Value>(value: (token: string) => Value) =>
    Object.fromEntries(made.map(({ role, token }) => [role, value(token)])) as Record<Role, Value>
  return {
    app,
    store,
    service,
    tokens: byRole((token) => token),
    headers: byRole((token) => ({ authorization: `Bearer ${token}` })),
    async close() {
      await app.close()
      await store.close()
    },
  }
}

/** Takes the document for the plan's name. */
export const samplePlanning: Planning = {
  resolve: async (document) => samplePlan(document),
  doctor: async () => [sampleFinding],
}

export const sampleFinding = {
  code: 'CF2001',
  severity: 'warn',
  subject: 'source/a public.audit',
  message: 'The table has no primary key.',
  remedy: 'ALTER TABLE public.audit ADD PRIMARY KEY (id)',
} as const

/** With columns and values that are hard to carry: quotes, line ends, names that objects have of their own. */
export const sampleMismatches: readonly Mismatch[] = [
  {
    table: { schema: 'public', name: 'users' },
    kind: 'different',
    key: { id: '17', 'odd "name"\nof a column': null },
    source: sources[0],
    target: targets[1]!,
    columns: [{ column: 'email', source: 'a@example.com', target: null }],
  },
  {
    table: { schema: 'public', name: 'channels' },
    kind: 'missing',
    key: { constructor: 'x' },
    source: sources[1],
    target: null,
    columns: [],
  },
]

export const sampleReport: VerificationReport = {
  id: 'ver_1',
  startedAt: '2026-01-02T03:04:05.678Z',
  finishedAt: '2026-01-02T03:05:05.678Z',
  scope: 'full',
  tables: [
    {
      table: { schema: 'public', name: 'users' },
      rows: 10,
      bytes: 1_000,
      digest: '-123456789012345678901234567890',
      chunks: 1,
      rechecks: 2,
      milliseconds: 12.5,
      mismatches: sampleMismatches,
      mismatchCount: 2,
    },
  ],
  rows: 10,
  bytes: 1_000,
  mismatches: 2,
  repaired: 0,
}

/** A migration at `shadow`, on its way to `live`, with something in every list. */
export async function sampleMigration({ service, store }: TestServer, name = 'messaging'): Promise<MigrationId> {
  const id = await service.create(samplePlan(name), { actor: 'cli:ann@laptop' })
  const now = Date.now()
  const failure = {
    code: 'CF3001',
    message: 'The stream broke.',
    remedy: 'Nothing to do.',
    retry: true,
    where: 'stream:source/a',
    at: new Date(now).toISOString(),
    nextAttemptAt: new Date(now + 1_000).toISOString(),
  } as const
  const routing = { ...(await service.routing(id)), epoch: 2, fenced: [sources[0]] }
  await store.journal.append(
    id,
    [
      entry('commanded', { command: 'advance', desired: 'live', paused: false, aborting: false }, 'cli:ann@laptop'),
      entry('move-started', { from: 'off', to: 'dualwrite' }),
      entry('step-started', { step: 'backup' }),
      entry('step-finished', { step: 'backup', result: { path: '/backup/a', bytes: 12, drilled: true } }),
      entry('findings', { findings: [sampleFinding] }),
      entry('stage-entered', { stage: 'dualwrite', from: 'off' }),
      entry('move-started', { from: 'dualwrite', to: 'shadow' }),
      entry('stage-entered', { stage: 'shadow', from: 'dualwrite' }),
      entry('move-started', { from: 'shadow', to: 'live' }),
      entry('step-started', { step: 'reverse-streams' }),
      entry('step-failed', { step: 'reverse-streams', failure }),
      entry('verification-started', { run: { id: 'ver_2', repair: false, startedAt: new Date(now).toISOString() } }),
      entry('routing', {
        routing,
        note: { event: 'fencing', units: [sources[0]], to: 'target', attempt: 1, reason: null, parts: {} },
      }),
      entry('routing', {
        routing: { ...routing, epoch: 3, fenced: [] },
        note: {
          event: 'undone',
          units: [sources[0]],
          to: 'target',
          attempt: 1,
          reason: 'the deadline passed',
          parts: { fence: 11.5, drain: 200 },
        },
      }),
    ],
    { routing: { ...routing, epoch: 3, fenced: [] } },
  )
  await fillTasks(store, id)
  await fillBoard(store, id)
  await store.reports.put(id, sampleReport, sampleMismatches)
  await store.samples.add(
    id,
    [0, 1, 2].flatMap((second) => [
      { name: 'copy.bytesPerSecond', at: now - second * 1_000, value: 1_000 + second },
      { name: 'lagMs.source/a', at: now - second * 1_000, value: 10.5 * second },
    ]),
  )
  await store.workers.seen({ id: 'host:1:abc', startedAt: now - 60_000, seenAt: now, memoryBytes: 123_456_789 })
  return id
}

async function fillTasks(store: ControlStore, id: MigrationId): Promise<void> {
  const users = { schema: 'public', name: 'users' }
  const chunk = (number: number) => ({
    id: `source/a public.users ${number}`,
    source: sources[0],
    table: users,
    leaf: users,
    fromPage: number * 100,
    toPage: number === 2 ? null : (number + 1) * 100,
    estimatedRows: 1_000,
    estimatedBytes: 100_000,
  })
  const work = {
    id: 'w1',
    phase: 'secondary',
    target: targets[0],
    table: users,
    description: 'create index users_email',
  }
  await store.tasks.add(id, [
    { name: 'stream:source/a', kind: 'stream', payload: { shard: 'source/a' } },
    { name: 'schema-work:w1', kind: 'schema-work', payload: work },
    { name: 'verify:1', kind: 'verify', payload: {} },
    ...[0, 1, 2].map((number) => ({ name: `copy:${number}`, kind: 'copy' as const, payload: chunk(number) })),
  ])
  const claims = await store.tasks.claim('host:1:abc', { stream: 1, copy: 2, 'schema-work': 1 }, 60_000)
  for (const work of claims) {
    const claim = { migration: work.migration, task: work.name, epoch: work.epoch, worker: 'host:1:abc' }
    const progress = { stream: { phase: 'following' }, 'schema-work': { done: 0.4 } }[work.kind as string] ?? {
      rows: 5,
      note: null,
    }
    await store.tasks.renew([{ ...claim, progress }], 60_000)
    if (work.name === 'copy:0') await store.tasks.finish(claim, { rows: 1_000, bytes: 99_000 })
    if (work.name === 'copy:1')
      await store.tasks.fail(
        claim,
        { code: 'CF3001', message: 'The stream broke.', retry: true, at: Date.now() },
        1,
        60_000,
      )
  }
}

async function fillBoard(store: ControlStore, id: MigrationId): Promise<void> {
  const status = {
    received: asLsn(0x16b3748n),
    applied: asLsn(0x16b3740n),
    proven: asLsn(0x16b3700n),
    lagMs: 42.5,
    lagBytes: 1_234,
    rowsPerSecond: 612,
    rowsApplied: 55_123,
    transactionsApplied: 1_000,
    touched: 14,
    mismatches: [],
  }
  await store.board.put(id, 'stream', 'source/a', writeStream(status))
  await store.board.put(id, 'shard', 'source/a', {
    reachable: true,
    activeBackends: 3,
    sizeBytes: 12_345_678,
    walHeldBytes: 64_000,
    slotActive: true,
    slotLost: false,
    latencyMs: 1.75,
  })
  await store.board.put(id, 'shard', 'source/b', { reachable: false, slotLost: true })
  await store.board.put(id, 'throttle', 'throttle', {
    state: 'slowed',
    reason: 'source/a answers 8 % slower than its baseline',
    bytesPerSecondMax: 21_000_000,
    latencyMs: 1.9,
    baselineMs: 1.76,
    budget: 0.05,
  })
  const evidence = { value: null, limit: null, unit: null, passingSince: null, soakMs: 0 }
  await store.board.put(id, 'gate', 'live release', {
    stage: 'live',
    gate: 'release',
    verdict: 'fail',
    detail: 'nobody has approved it',
    ...evidence,
  })
  await store.board.put(id, 'step', 'reverse-streams', { text: 'creates slots' })
}

function urlsOf(shards: readonly string[]): Record<string, string> {
  return Object.fromEntries(shards.map((shard) => [shard, `postgres://app@${shard.replace('/', '-')}:5432/messaging`]))
}

function table(name: string): ResolvedTable {
  return {
    source: { schema: 'public', name },
    target: { schema: 'public', name },
    route: { kind: 'column', column: 'tenant_id' },
    columns: [],
    identity: { kind: 'key', columns: ['id'] },
    where: null,
    transform: null,
    binary: true,
    leaves: [],
    estimate: { rows: 1_000, bytes: 100_000, pages: 16 },
  }
}
