// What every implementation of the control store must do; run against memory and PostgreSQL alike.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asMigrationId, asShardId, type MigrationId, newMigrationId } from '@crossfade/model/ids.ts'
import type { NewTask } from '@crossfade/tracks/contract/tasks.ts'
import { entry } from './entries.ts'
import { initialRouting } from './service.ts'
import { modelPlan } from './simulation/model-plan.ts'
import type { Claim, ControlStore, Work, WorkKind } from './store.ts'

export interface StoreUnderTest {
  readonly store: ControlStore
  /** Lets at least this much time pass, as the store counts it. */
  readonly pass: (milliseconds: number) => Promise<void>
}

const leaseMs = 800
const failure = { code: 'CF2001', message: 'away', retry: true, at: 0 } as const
const never = new AbortController().signal

/** Registers the tests; `open` gives a store that is empty or holds other migrations only. */
export function testStore(name: string, open: () => Promise<StoreUnderTest>): void {
  const check = (what: string, run: (under: StoreUnderTest, migration: MigrationId) => Promise<void>) =>
    test(`${name}: ${what}`, async () => {
      const under = await open()
      await run(under, await newMigration(under.store))
    })

  check(
    'DM-02 a name belongs to one migration at a time, and the same plan is the same migration',
    async ({ store }, migration) => {
      const record = (await store.migrations.get(migration))!
      const first = entry('created', {
        name: record.name,
        digest: record.plan.digest,
        routing: initialRouting(record.plan),
      })
      assert.equal(await store.migrations.create(newMigrationId(), record.plan, first), migration)
      const other = { ...record.plan, digest: 'another' as typeof record.plan.digest }
      await assert.rejects(store.migrations.create(newMigrationId(), other, first), { code: 'CF6004' })
      await store.journal.append(migration, [entry('aborted', {})], { ends: true })
      const next = newMigrationId()
      assert.equal(await store.migrations.create(next, other, first), next)
      assert.notEqual((await store.migrations.get(migration))!.endedAt, null)
      assert.equal((await store.migrations.list())[0]!.id, next)
    },
  )

  check(
    'the journal counts without gaps, refuses a wrong version, and gives the same for the same key',
    async ({ store }, migration) => {
      const asked = entry('approved', { gate: 'go', approved: true }, 'ann')
      const [second] = await store.journal.append(migration, [asked], { expectedVersion: 1, idempotencyKey: 'one' })
      assert.equal(second!.version, 2)
      assert.equal(second!.actor, 'ann')
      await assert.rejects(store.journal.append(migration, [asked], { expectedVersion: 1 }), { code: 'CF6005' })
      assert.deepEqual(await store.journal.append(migration, [asked], { idempotencyKey: 'one' }), [second])
      assert.deepEqual(await store.journal.appended(migration, 'one'), [second])
      assert.equal(await store.journal.appended(migration, 'two'), null)
      assert.equal(await store.journal.appended(newMigrationId(), 'one'), null)
      await store.journal.append(migration, [asked, asked])
      const all = await store.journal.read(migration, 0)
      assert.deepEqual(
        all.map((each) => each.version),
        [1, 2, 3, 4],
      )
      assert.deepEqual(
        (await store.journal.newest(migration, 2)).map((each) => each.version),
        [4, 3],
      )
      assert.deepEqual(await store.journal.after(second!.position, 10, migration), all.slice(2))
      assert.ok((await store.journal.end()) >= all[3]!.position)
    },
  )

  check('appends at the same time keep their order, none is lost', async ({ store }, migration) => {
    const asked = entry('approved', { gate: 'go', approved: true })
    await Promise.all(Array.from({ length: 20 }, () => store.journal.append(migration, [asked])))
    const all = await store.journal.read(migration, 0)
    assert.deepEqual(
      all.map((each) => each.version),
      Array.from({ length: 21 }, (_, index) => index + 1),
    )
    const positions = all.map((each) => each.position)
    assert.deepEqual(
      positions,
      positions.toSorted((a, b) => a - b),
    )
  })

  check('the routing is kept with the entry that changed it', async ({ store }, migration) => {
    const before = (await store.journal.routing(migration))!
    assert.equal(before.epoch, 1)
    const routing = { ...before, epoch: 2, fenced: [asShardId('source/0')] }
    const note = { event: 'fencing', units: routing.fenced, to: 'target', attempt: 1, reason: null, parts: {} } as const
    await store.journal.append(migration, [entry('routing', { routing, note })], { routing })
    assert.deepEqual(await store.journal.routing(migration), routing)
  })

  check('a lease that was taken over refuses everything of its old holder', async ({ store, pass }, migration) => {
    const old = await claimOne(store, 'a', 'reconcile')
    const append = (claim: Claim) =>
      store.journal.append(migration, [entry('approved', { gate: 'go', approved: true })], { lease: claim })
    await append(old)
    await pass(leaseMs + 50)
    // Nobody has taken it: it may still be prolonged.
    assert.deepEqual((await store.tasks.renew([{ ...old, progress: null }], leaseMs)).lost, [])
    assert.deepEqual(await store.tasks.claim('b', { reconcile: 1 }, leaseMs), [])
    await pass(leaseMs + 50)
    const now = await claimOne(store, 'b', 'reconcile')
    assert.ok(now.epoch > old.epoch)
    await assert.rejects(append(old), { code: 'CF6006' })
    await append(now)
    assert.deepEqual(await store.tasks.renew([{ ...old, progress: null }], leaseMs), {
      lost: [{ ...old, progress: null }],
      cancelled: [],
    })
    const added: NewTask<WorkKind>[] = [{ name: 'stream:late', kind: 'stream', payload: {} }]
    await assert.rejects(store.tasks.add(migration, added, old), { code: 'CF6006' })
    assert.deepEqual(await store.tasks.list(migration, { kind: 'stream' }), [])
    await store.tasks.add(migration, added, now)
    await assert.rejects(store.tasks.cancel(migration, {}, old), { code: 'CF6006' })
    assert.deepEqual(await store.tasks.list(migration, { states: ['cancelled'] }), [])
    await store.tasks.cancel(migration, {}, now)
    await assert.rejects(store.tasks.remove(migration, {}, old), { code: 'CF6006' })
    assert.equal((await store.tasks.list(migration, { kind: 'stream' })).length, 1)
    await store.tasks.remove(migration, {}, now)
    assert.deepEqual(await store.tasks.list(migration, { kind: 'stream' }), [])
    assert.equal(await store.tasks.finish(old, null), false)
    assert.equal(await store.tasks.fail(old, failure, 1, 0), false)
    assert.equal(await store.tasks.release(old, 0), false)
    assert.equal(await store.tasks.finish(now, null), true)
    await assert.rejects(append(now), { code: 'CF6006' })
  })

  check('tasks go to one worker each, in their order, with ever higher epochs', async ({ store }, migration) => {
    await store.tasks.add(migration, copies(6))
    await store.tasks.add(migration, copies(8))
    const claims = (
      await Promise.all(['a', 'b', 'c'].map((worker) => store.tasks.claim(worker, { copy: 2, verify: 3 }, leaseMs)))
    ).flat()
    const mine = claims.filter((work) => work.migration === migration)
    assert.equal(new Set(mine.map((work) => work.name)).size, mine.length)
    assert.equal(new Set(mine.map((work) => work.epoch)).size, mine.length)
    assert.equal(mine.length, 6)
    assert.equal(await store.tasks.unfinished(migration, { kind: 'copy' }), 8)
    assert.ok((await store.tasks.newEpoch()) > Math.max(...mine.map((work) => work.epoch)))
    const [first] = await store.tasks.list(migration, { names: ['copy:1'] })
    assert.equal(first!.state, 'running')
    assert.deepEqual(
      (await store.tasks.list(migration, { prefix: 'copy:' })).map((task) => task.name),
      copies(8).map((task) => task.name),
    )
    assert.equal((await store.workers.held()).filter((each) => each.task.startsWith('copy:')).length >= 6, true)
  })

  check(
    'DM-03 a failed attempt waits its rest; one that failed for good waits for a person',
    async ({ store, pass }, migration) => {
      await store.tasks.add(migration, copies(1))
      const first = await claimOne(store, 'a', 'copy')
      assert.equal(await store.tasks.fail(first, failure, 1, 700), true)
      assert.deepEqual(await store.tasks.claim('a', { copy: 1 }, leaseMs), [])
      await pass(750)
      const second = await claimOne(store, 'a', 'copy')
      assert.equal(await store.tasks.fail(second, failure, 2, null), true)
      const [failed] = await store.tasks.list(migration, { states: ['failed'] })
      assert.equal(failed!.attempts, 2)
      assert.equal(failed!.failure?.code, 'CF2001')
      assert.deepEqual(await store.tasks.claim('a', { copy: 1 }, leaseMs), [])
      await store.tasks.revive(migration)
      const third = await claimOne(store, 'a', 'copy')
      assert.equal(await store.tasks.finish(third, { rows: 5, bytes: 50 }), true)
      const [done] = await store.tasks.list(migration, { kind: 'copy' })
      assert.deepEqual([done!.state, done!.result, done!.worker], ['done', { rows: 5, bytes: 50 }, null])
      assert.equal(await store.tasks.unfinished(migration, { kind: 'copy' }), 0)
    },
  )

  check(
    'a cancelled task stops with its holder and is forgotten; one of a dead holder can be removed',
    async ({ store, pass }, migration) => {
      await store.tasks.add(migration, copies(3))
      const [held, dead] = (await store.tasks.claim('a', { copy: 2 }, leaseMs)) as [Work, Work]
      await store.tasks.cancel(migration, { kind: 'copy' })
      await store.tasks.remove(migration, { kind: 'copy' })
      assert.equal((await store.tasks.list(migration, { kind: 'copy' })).length, 2)
      const claim = claimOf(held, 'a')
      assert.deepEqual(
        (await store.tasks.renew([{ ...claim, progress: null }], leaseMs)).cancelled.map((each) => each.task),
        [held.name],
      )
      assert.equal(await store.tasks.release(claim, 0), true)
      assert.deepEqual(
        (await store.tasks.list(migration, { kind: 'copy' })).map((task) => task.name),
        [dead.name],
      )
      await pass(leaseMs + 50)
      assert.deepEqual(await store.tasks.claim('b', { copy: 5 }, leaseMs), [])
      await store.tasks.remove(migration, { kind: 'copy' })
      assert.deepEqual(await store.tasks.list(migration, { kind: 'copy' }), [])
    },
  )

  check(
    'progress is of the present holder, and totals count estimates for what is not done',
    async ({ store, pass }, migration) => {
      await store.tasks.add(migration, copies(3))
      const first = await claimOne(store, 'a', 'copy')
      await store.tasks.finish(first, { rows: 12, bytes: 120 })
      const second = await claimOne(store, 'a', 'copy')
      await store.tasks.renew([{ ...second, progress: { rows: 4, bytes: 40 } }], leaseMs)
      assert.deepEqual(await store.tasks.totals(migration, 'copy'), {
        done: 1,
        total: 3,
        rowsDone: 16,
        rowsTotal: 32,
        bytesDone: 160,
        bytesTotal: 320,
      })
      await pass(leaseMs + 50)
      await claimOne(store, 'b', 'copy')
      const [again] = await store.tasks.list(migration, { names: ['copy:2'] })
      assert.deepEqual([again!.worker, again!.progress], ['b', {}])
    },
  )

  check('a paused migration copies and verifies nothing, and follows on', async ({ store }, migration) => {
    await store.tasks.add(migration, [...copies(1), { name: 'stream:a', kind: 'stream', payload: {} }])
    await store.journal.append(
      migration,
      [entry('commanded', { command: 'pause', desired: 'off', paused: true, aborting: false })],
      { paused: true },
    )
    assert.deepEqual(
      (await store.tasks.claim('a', { copy: 1, stream: 1 }, leaseMs)).map((work) => work.name),
      ['stream:a'],
    )
    await store.journal.append(
      migration,
      [entry('commanded', { command: 'resume', desired: 'off', paused: false, aborting: false })],
      { paused: false },
    )
    assert.deepEqual(
      (await store.tasks.claim('a', { copy: 1 }, leaseMs)).map((work) => work.name),
      ['copy:1'],
    )
  })

  check('the board keeps the last of each, and rings for streams', async ({ store }, migration) => {
    const rung = store.bell.wait(migration, 'stream', 5_000, never).then(() => 'rung')
    await store.board.put(migration, 'stream', 'source/a', { lsn: '1' })
    assert.equal(await rung, 'rung')
    await store.board.put(migration, 'stream', 'source/a', { lsn: '2' })
    await store.board.put(migration, 'shard', 'source/a', { reachable: true })
    assert.deepEqual((await store.board.get(migration, 'stream', 'source/a'))?.body, { lsn: '2' })
    assert.equal((await store.board.list(migration)).length, 2)
    assert.deepEqual(
      (await store.board.list(migration, 'shard')).map((each) => each.name),
      ['source/a'],
    )
    await store.board.clear(migration, 'stream')
    assert.equal(await store.board.get(migration, 'stream', 'source/a'), null)
  })

  check('an append rings; a wait ends with its time, or with its signal', async ({ store }, migration) => {
    const rung = store.bell.wait(migration, 'work', 5_000, never).then(() => 'rung')
    await store.journal.append(migration, [entry('approved', { gate: 'go', approved: true })])
    assert.equal(await rung, 'rung')
    const stop = new AbortController()
    const reason = new Error('enough')
    const waiting = assert.rejects(store.bell.wait(asMigrationId('mig_nobody'), 'stream', 60_000, stop.signal), reason)
    stop.abort(reason)
    await waiting
  })

  check(
    'reports are kept, newest first, and the open mismatches are those of the last',
    async ({ store }, migration) => {
      const mismatch = {
        table: { schema: 'public', name: 't' },
        kind: 'missing',
        key: { id: '1' },
        source: null,
        target: null,
        columns: [],
      } as const
      const report = {
        id: 'ver_1',
        startedAt: '',
        finishedAt: '',
        scope: 'full',
        tables: [],
        rows: 1,
        bytes: 1,
        mismatches: 1,
        repaired: 0,
      } as const
      await store.reports.put(migration, report, [mismatch, mismatch])
      await store.reports.put(migration, { ...report, rows: 2 }, [mismatch])
      await store.reports.put(migration, { ...report, id: 'ver_2' }, [])
      assert.deepEqual(
        (await store.reports.list(migration, 5)).map((each) => each.id),
        ['ver_2', 'ver_1'],
      )
      assert.equal((await store.reports.get(migration, 'ver_1'))?.rows, 2)
      assert.equal(await store.reports.get(migration, 'ver_9'), null)
      assert.deepEqual([await store.reports.open(migration, 5), await store.reports.openCount(migration)], [[], 0])
      await store.reports.put(migration, { ...report, id: 'ver_3' }, [mismatch])
      assert.deepEqual(
        [await store.reports.open(migration, 5), await store.reports.openCount(migration)],
        [[mismatch], 1],
      )
    },
  )

  check('samples come back as series, and old ones are forgotten', async ({ store }, migration) => {
    await store.samples.add(migration, [
      { name: 'touched', at: 1_000, value: 1 },
      { name: 'touched', at: 2_000, value: 2.5 },
      { name: 'lagMs.source/a', at: 2_000, value: 7 },
    ])
    assert.deepEqual(await store.samples.read(migration, ['touched', 'none'], 0, 5_000), {
      touched: { at: [1_000, 2_000], values: [1, 2.5] },
      none: { at: [], values: [] },
    })
    await store.samples.prune(1_500)
    assert.deepEqual((await store.samples.read(migration, ['touched'], 0, 5_000))['touched'], {
      at: [2_000],
      values: [2.5],
    })
  })
}

let migrations = 0

async function newMigration(store: ControlStore): Promise<MigrationId> {
  migrations += 1
  const plan = { ...modelPlan({ sources: 1, targets: 1, keys: 2, grouped: false }), name: `contract ${migrations}` }
  return store.migrations.create(
    newMigrationId(),
    plan,
    entry('created', { name: plan.name, digest: plan.digest, routing: initialRouting(plan) }),
  )
}

function copies(count: number): readonly NewTask[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `copy:${index + 1}`,
    kind: 'copy' as const,
    payload: { estimatedRows: 10, estimatedBytes: 100 },
  }))
}

async function claimOne(store: ControlStore, worker: string, kind: WorkKind): Promise<Claim> {
  const [work] = await store.tasks.claim(worker, { [kind]: 1 }, leaseMs)
  assert.ok(work, `${worker} found no ${kind}`)
  return claimOf(work, worker)
}

function claimOf(work: Work, worker: string): Claim {
  return { migration: work.migration, task: work.name, epoch: work.epoch, worker }
}
