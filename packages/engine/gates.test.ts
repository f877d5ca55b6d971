import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '@crossfade/model/clock.ts'
import { asMigrationId } from '@crossfade/model/ids.ts'
import type { Stage } from '@crossfade/model/stage.ts'
import type { ResolvedGate } from '@crossfade/pipeline/resolved-plan.ts'
import { entry } from './entries.ts'
import { gateKeeper, type HttpAnswer, holding } from './gates.ts'
import { JournaledState } from './journaled-state.ts'
import { memoryStore } from './memory-store.ts'
import { initialRouting } from './service.ts'
import { modelPlan } from './simulation/model-plan.ts'
import { ExpectedPoints, trackPorts } from './track-ports.ts'

const migration = asMigrationId('mig_test')
const base = { stage: 'live', limit: null, soakMs: 0, retreatAfterMs: null, sql: null, shard: null, url: null } as const

async function scene(gate: Partial<ResolvedGate> & Pick<ResolvedGate, 'kind'>) {
  const full: ResolvedGate = { ...base, name: gate.kind, ...gate }
  const plan = modelPlan({ sources: 1, targets: 1, keys: 2, grouped: false, gates: [full] })
  const self = { now: 1_000_000, probe: 1 as number | null, answer: { status: 200, text: '' } as HttpAnswer }
  const clock: Clock = { now: () => self.now, sleep: async () => undefined }
  const store = memoryStore(clock)
  await store.migrations.create(
    migration,
    plan,
    entry('created', { name: plan.name, digest: plan.digest, routing: initialRouting(plan) }),
  )
  const state = new JournaledState(store, migration)
  await state.refresh()
  const record = (await store.migrations.get(migration))!
  const plane = { observation: { probe: async () => ({ latencyMs: 1, value: self.probe }) } } as never
  const ports = trackPorts(store, clock, record, plane, state, new ExpectedPoints(store, migration))
  const keeper = gateKeeper(store, async () => self.answer)(ports)
  const look = async () => (await keeper.evaluate([full], state))[0]!
  const enter = async (stage: Stage) => {
    await state.append([
      entry('move-started', { from: 'shadow', to: stage }),
      entry('stage-entered', { stage, from: 'shadow' }),
    ])
    await state.append([entry('commanded', { command: 'advance', desired: stage, paused: false, aborting: false })])
  }
  const stream = (lagMs: number) =>
    ports.streams.put(plan.source.shards[0]!.id, {
      received: 1n,
      applied: 1n,
      proven: 1n,
      lagMs,
      lagBytes: 0,
      rowsPerSecond: 0,
      rowsApplied: 0,
      transactionsApplied: 0,
      touched: 0,
      mismatches: [],
    } as never)
  return Object.assign(self, { look, keeper, state, store, enter, stream, clock })
}

test('D13: lag holds; a silent stream is unknown and holds as well', async () => {
  const gate = await scene({ kind: 'lag', limit: 100 })
  assert.equal((await gate.look()).verdict, 'unknown')
  await gate.stream(250)
  const failing = await gate.look()
  assert.deepEqual(
    [failing.verdict, failing.detail, failing.value, failing.limit],
    ['fail', 'lag 250 ms, at most 100 ms', 250, 100],
  )
  assert.ok(holding([failing], gate.now))
  await gate.stream(100)
  assert.equal((await gate.look()).verdict, 'pass')
  gate.now += 10_000
  assert.equal((await gate.look()).verdict, 'unknown')
})

test('a gate must pass for its soak time without a break, and a crash does not begin it anew', async () => {
  const gate = await scene({ kind: 'lag', limit: 100, soakMs: 3_000 })
  await gate.stream(5)
  const first = await gate.look()
  assert.ok(holding([first], gate.now))
  assert.match(first.detail, /must hold for another 3 s/)
  gate.now += 3_000
  await gate.stream(5)
  assert.ok(!holding([await gate.look()], gate.now))
  await gate.stream(500)
  assert.ok(holding([await gate.look()], gate.now))
  await gate.stream(5)
  const again = await gate.look()
  assert.equal(again.passingSince, new Date(gate.now).toISOString())
  assert.ok(holding([again], gate.now))
})

test('changes of a verdict are journaled, looks that change nothing are not', async () => {
  const gate = await scene({ kind: 'manual' })
  for (let index = 0; index < 3; index += 1) assert.equal((await gate.look()).verdict, 'fail')
  await gate.state.append([entry('approved', { gate: 'manual', approved: true }, 'ann')])
  assert.equal((await gate.look()).verdict, 'pass')
  const kinds = (await gate.store.journal.read(migration, 0)).map((each) => each.kind)
  assert.deepEqual(kinds, ['created', 'gate', 'approved', 'gate'])
})

test('D01 D20: verified passes only on a clean report', async () => {
  const gate = await scene({ kind: 'verified' })
  assert.equal((await gate.look()).verdict, 'unknown')
  const report = {
    id: 'ver_1',
    startedAt: '',
    finishedAt: '',
    scope: 'full',
    tables: [],
    rows: 10,
    bytes: 1,
    mismatches: 2,
    repaired: 0,
  } as const
  await gate.store.reports.put(migration, report, [])
  assert.equal((await gate.look()).verdict, 'fail')
  await gate.store.reports.put(migration, { ...report, id: 'ver_2', mismatches: 2, repaired: 2 }, [])
  assert.equal((await gate.look()).verdict, 'pass')
})

test('T02: a query or an address that gives nothing is unknown, not a failure', async () => {
  const query = await scene({ kind: 'query', sql: 'SELECT 1', shard: 'source/0' as never, limit: 5 })
  assert.equal((await query.look()).verdict, 'pass')
  query.probe = 6
  assert.equal((await query.look()).verdict, 'fail')
  query.probe = null
  assert.equal((await query.look()).verdict, 'unknown')

  const http = await scene({ kind: 'http', url: 'http://x', limit: 3 })
  http.answer = { status: 200, text: '2.5' }
  assert.equal((await http.look()).verdict, 'pass')
  http.answer = { status: 200, text: 'fine' }
  assert.equal((await http.look()).verdict, 'unknown')
  http.answer = { status: 503, text: '' }
  assert.equal((await http.look()).verdict, 'fail')
})

test('latency is what the throttle measures, while it is fresh', async () => {
  const gate = await scene({ kind: 'latency', limit: 20 })
  assert.equal((await gate.look()).verdict, 'unknown')
  await gate.store.board.put(migration, 'throttle', 'throttle', { latencyMs: 25 })
  assert.equal((await gate.look()).verdict, 'fail')
  gate.now += 60_000
  assert.equal((await gate.look()).verdict, 'unknown')
})

test('a watched gate that fails for too long asks for the retreat; unknown never does', async () => {
  const gate = await scene({
    kind: 'query',
    sql: 'SELECT 1',
    shard: 'source/0' as never,
    limit: 5,
    retreatAfterMs: 2_000,
  })
  await gate.enter('live')
  gate.probe = null
  for (let index = 0; index < 10; index += 1) {
    gate.now += 1_000
    await gate.keeper.watch(gate.state)
  }
  assert.equal(gate.state.seen.place.desired, 'live')
  gate.probe = 9
  await gate.keeper.watch(gate.state)
  gate.now += 1_999
  await gate.keeper.watch(gate.state)
  assert.equal(gate.state.seen.place.desired, 'live')
  gate.now += 1
  await gate.keeper.watch(gate.state)
  assert.equal(gate.state.seen.place.desired, 'shadow')
  assert.equal((await gate.store.journal.newest(migration, 1))[0]!.kind, 'gate-breached')
})
