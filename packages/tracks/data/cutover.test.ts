import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fail } from '@crossfade/model/failure.ts'
import { asMigrationId, asShardId, type ShardId } from '@crossfade/model/ids.ts'
import { asLsn } from '@crossfade/model/lsn.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { CutoverHook, ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import type { CutoverNote, StepPorts } from '../contract/ports.ts'
import { cutOver, settle } from './cutover.ts'

const a = asShardId('source/a')
const b = asShardId('source/b')
const t = asShardId('target/0')
const hook: CutoverHook = { kind: 'webhook', url: 'http://hook', secret: null, timeoutMs: 100 }

interface Bench {
  readonly ports: StepPorts
  readonly did: string[]
  routing: Routing
  notes: CutoverNote[]
  now: number
  closed: Record<Side, readonly ShardId[]>
  lagMs: number
  silent: ShardId | null
  long: string[]
  /** Positions the streams have proven. */
  proven: bigint
  /** Milliseconds the fence takes. */
  fenceMs: number
  failNext: Record<string, Error>
}

function bench(
  options: { groups?: readonly (readonly ShardId[])[]; hooks?: readonly CutoverHook[]; attemptsMax?: number } = {},
): Bench {
  const did: string[] = []
  const topology = { kind: 'single', shard: a } as const
  const plan = {
    source: { shards: [{ id: a }, { id: b }] },
    target: { shards: [{ id: t }] },
    cutover: {
      groups: options.groups ?? [[a, b]],
      deadlineMs: 400,
      attemptsMax: options.attemptsMax ?? 3,
      lagMsMax: 1_000,
      hooks: options.hooks ?? [],
    },
  } as unknown as ResolvedPlan
  const self: Bench = {
    did,
    routing: { epoch: 1, source: topology, target: topology, authority: { [a]: 'source', [b]: 'source' }, fenced: [] },
    notes: [],
    now: 1_000_000,
    closed: { source: [], target: [] },
    lagMs: 5,
    silent: null,
    long: [],
    proven: 1_000n,
    fenceMs: 1,
    failNext: {},
    ports: undefined as never,
  }
  const act = async (what: string) => {
    did.push(what)
    const failure = self.failNext[what.split(' ')[0]!]
    if (failure) {
      delete self.failNext[what.split(' ')[0]!]
      throw failure
    }
  }
  const { signal } = new AbortController()
  const ports: StepPorts = {
    migration: asMigrationId('mig_test'),
    plan,
    plane: {
      cutover: {
        prepare: async () => undefined,
        longTransactions: async () => self.long,
        async fence(from: Side, units: readonly ShardId[], epoch: number) {
          await act(`fence ${from} ${units} @${epoch}`)
          self.now += self.fenceMs
          return units.map((shard) => ({ shard: from === 'source' ? shard : t, lsn: asLsn(1_000n) }))
        },
        unfence: (side: Side, units: readonly ShardId[], epoch: number) => act(`unfence ${side} ${units} @${epoch}`),
        carrySequences: (from: Side, to: Side) => act(`sequences ${from} ${to}`),
      },
    } as unknown as StepPorts['plane'],
    tasks: undefined as never,
    clock: {
      now: () => self.now,
      async sleep(milliseconds, stop) {
        // Deadlines never strike by themselves here: time passes in what is waited for.
        if (stop !== signal)
          return new Promise((_, reject) => stop?.addEventListener('abort', () => reject(stop.reason)))
        self.now += milliseconds
      },
    },
    streams: {
      async get(shard) {
        if (shard === self.silent) return null
        const lsn = asLsn(self.proven)
        return {
          shard,
          at: self.now,
          received: lsn,
          applied: lsn,
          proven: lsn,
          lagMs: self.lagMs,
          lagBytes: 0,
          rowsPerSecond: 0,
          rowsApplied: 0,
          transactionsApplied: 0,
          touched: 0,
          mismatches: [],
        }
      },
      put: async () => undefined,
      expect: async () => undefined,
      expected: () => null,
      moved: async (milliseconds) => {
        self.now += milliseconds
      },
    },
    verification: undefined as never,
    changed: async (milliseconds) => {
      self.now += milliseconds
      if (self.now > 1_100_000) self.lagMs = 0
    },
    routing: {
      current: async () => self.routing,
      last: async () => self.notes.at(-1) ?? null,
      closed: async () => self.closed,
      async change(next, note) {
        await act(`journal ${note.event}`)
        self.routing = { ...self.routing, ...next, epoch: self.routing.epoch + 1 }
        self.notes.push(note)
        const from = note.to === 'source' ? 'target' : 'source'
        if (note.event === 'flipped') self.closed = { ...self.closed, [from]: note.units }
        if (note.event === 'opened') self.closed = { ...self.closed, [note.to]: [] }
        return self.routing
      },
    },
    journal: { findings: async () => undefined },
    hooks: { run: (_hooks, moment) => act(`hook-${moment}`) },
    signal,
    since: 0,
    entered: 0,
    detail: () => undefined,
  }
  return Object.assign(self, { ports })
}

test('DM-16 the order: journal, fence, drain and sequences, flip', async () => {
  const run = bench()
  await cutOver(run.ports, 'target')
  assert.deepEqual(run.did, [
    'journal fencing',
    'fence source source/a,source/b @2',
    'sequences source target',
    'journal flipped',
  ])
  assert.deepEqual(run.routing.authority, { [a]: 'target', [b]: 'target' })
  assert.deepEqual(run.routing.fenced, [])
  await cutOver(run.ports, 'target')
  assert.equal(run.did.length, 4)
})

test('the way back opens the side that was closed, after the flip', async () => {
  const run = bench()
  await cutOver(run.ports, 'target')
  run.did.length = 0
  await cutOver(run.ports, 'source')
  assert.deepEqual(run.did, [
    'journal fencing',
    'fence target source/a,source/b @4',
    'sequences target source',
    'journal flipped',
    'unfence source source/a,source/b @5',
    'journal opened',
  ])
  assert.deepEqual(run.routing, { ...run.routing, authority: { [a]: 'source', [b]: 'source' }, fenced: [] })
})

test('groups move in the plan’s order, and back in the opposite one; units the plan leaves out move last', async () => {
  const run = bench({ groups: [[b]] })
  await cutOver(run.ports, 'target')
  await cutOver(run.ports, 'source')
  assert.deepEqual(
    run.did.filter((what) => what.startsWith('fence')).map((what) => what.split(' ')[2]),
    ['source/b', 'source/a', 'source/a', 'source/b'],
  )
})

test('D10 D13: past the deadline everything is put back, and tried again so often', async () => {
  const run = bench({ attemptsMax: 2 })
  run.proven = 999n
  await assert.rejects(cutOver(run.ports, 'target'), { code: 'CF5001' })
  assert.deepEqual(run.routing.authority, { [a]: 'source', [b]: 'source' })
  assert.deepEqual(run.routing.fenced, [])
  assert.deepEqual(run.did.slice(0, 6), [
    'journal fencing',
    'fence source source/a,source/b @2',
    'sequences source target',
    'journal undoing',
    'unfence source source/a,source/b @3',
    'journal undone',
  ])
  assert.equal(run.did.length, 12)
})

test('D13: with lag there is no pause at all', async () => {
  const run = bench()
  run.lagMs = 900
  await assert.rejects(cutOver(run.ports, 'target'), { code: 'CF5003' })
  assert.deepEqual(run.did, [])
})

test('D12: a long transaction keeps the cutover from starting', async () => {
  const run = bench()
  run.long = ['pid 7, 90 s, idle in transaction']
  await assert.rejects(cutOver(run.ports, 'target'), { code: 'CF5003', message: /pid 7/ })
  assert.deepEqual(run.did, [])
})

test('D11: without the way back there is no cutover', async () => {
  const run = bench()
  run.silent = t
  await assert.rejects(cutOver(run.ports, 'target'), { code: 'CF5003', message: /target\/0 is silent/ })
  assert.deepEqual(run.did, [])
})

test('a fence that is refused leaves everything as it was', async () => {
  const run = bench()
  run.failNext['fence'] = fail('CF5101', { shard: a })
  await cutOver(run.ports, 'target')
  assert.deepEqual(run.did.slice(2, 5), ['journal undoing', 'unfence source source/a,source/b @3', 'journal undone'])
  assert.deepEqual(run.routing.authority, { [a]: 'target', [b]: 'target' })
})

test('D17: a journal that is out of reach before the flip still opens the fence, by the attempt’s own epoch', async () => {
  const run = bench()
  run.failNext['sequences'] = fail('CF2001', { shard: a, reason: 'cut' })
  const { change } = run.ports.routing
  run.ports.routing.change = async (next, note) => {
    if (note.event === 'undoing') throw fail('CF6003', { reason: 'cut' })
    return change(next, note)
  }
  await assert.rejects(cutOver(run.ports, 'target'), { code: 'CF6003' })
  assert.deepEqual(run.did.at(-1), 'unfence source source/a,source/b @2')
})

test('D17: when nobody knows whether the flip was journaled, nothing is opened before the journal says so', async () => {
  const run = bench()
  const { change } = run.ports.routing
  run.ports.routing.change = async (next, note) => {
    const changed = await change(next, note)
    if (note.event === 'flipped') throw fail('CF6003', { reason: 'cut' })
    return changed
  }
  await assert.rejects(cutOver(run.ports, 'target'), { code: 'CF6003' })
  assert.ok(!run.did.some((what) => what.startsWith('unfence')))
  run.ports.routing.change = change
  await cutOver(run.ports, 'target')
  assert.deepEqual(run.routing.authority, { [a]: 'target', [b]: 'target' })
})

test('D17: what died before the flip is taken back, under a new epoch; what died after it goes forward', async () => {
  const before = bench()
  await before.ports.routing.change(
    { authority: before.routing.authority, fenced: [a, b] },
    { event: 'fencing', units: [a, b], to: 'target', attempt: 1, reason: null, parts: {} },
  )
  before.did.length = 0
  await settle(before.ports)
  assert.deepEqual(before.did, ['journal undoing', 'unfence source source/a,source/b @3', 'journal undone'])

  const after = bench()
  await cutOver(after.ports, 'target')
  const authority = { [a]: 'source', [b]: 'source' } as const
  await after.ports.routing.change(
    { authority, fenced: [a, b] },
    { event: 'flipped', units: [a, b], to: 'source', attempt: 1, reason: null, parts: {} },
  )
  after.did.length = 0
  await settle(after.ports)
  assert.deepEqual(after.did, ['journal opening', 'unfence source source/a,source/b @5', 'journal opened'])
  await settle(after.ports)
  assert.equal(after.did.length, 3)
})

test('hooks hear of the beginning and of the end, and are told again when that was not journaled', async () => {
  const run = bench({ hooks: [hook] })
  run.failNext['hook-after'] = fail('CF5005', { hook: 'webhook', reason: '503' })
  await assert.rejects(cutOver(run.ports, 'target'), { code: 'CF5005' })
  assert.deepEqual(run.routing.authority, { [a]: 'target', [b]: 'target' })
  run.did.length = 0
  await cutOver(run.ports, 'target')
  assert.deepEqual(run.did, ['hook-after', 'journal told'])

  const failing = bench({ hooks: [hook] })
  failing.failNext['hook-before'] = fail('CF5005', { hook: 'webhook', reason: '503' })
  await cutOver(failing.ports, 'target')
  assert.deepEqual(failing.did.slice(0, 6), [
    'journal fencing',
    'hook-before',
    'journal undoing',
    'unfence source source/a,source/b @3',
    'journal undone',
    'hook-undone',
  ])
})
