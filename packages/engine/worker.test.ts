import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fail } from '@crossfade/model/failure.ts'
import { asMigrationId } from '@crossfade/model/ids.ts'
import type { Json } from '@crossfade/tracks/contract/tasks.ts'
import { memoryStore } from './memory-store.ts'
import { Scheduler, SimulatedProcess } from './simulation/scheduler.ts'
import type { ControlStore, Work } from './store.ts'
import { leaseMs, Worker, type WorkerOptions } from './worker.ts'

const migration = asMigrationId('mig_test')
const copy = { name: 'copy:1', kind: 'copy', payload: {} } as const
/** What a takeover may take. */
const takeoverMsMax = 6_000

function scene(seed = 1) {
  const scheduler = new Scheduler(seed)
  const clock = new SimulatedProcess(scheduler, 'store').clock
  const store = memoryStore(clock)
  const stop = new AbortController()
  function start(id: string, run: WorkerOptions['run'], over: Partial<ControlStore> = {}) {
    const process = new SimulatedProcess(scheduler, id)
    const worker = new Worker({
      id,
      store: {
        ...store,
        ...over,
        bell: {
          ...store.bell,
          wait: (_migration, _topic, milliseconds, signal) => process.clock.sleep(milliseconds, signal),
        },
      },
      clock: process.clock,
      places: { copy: 2, reconcile: 1 },
      run,
      throttle: () => async () => undefined,
      memoryBytes: () => 7,
    })
    return { process, ended: worker.run(stop.signal) }
  }
  return { scheduler, store, start, stop }
}

const forever = (): Promise<Json | null> => new Promise(() => undefined)

test('a worker killed with -9 is taken over within 6 s, with a higher epoch', async () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const { scheduler, store, start } = scene(seed)
    await store.tasks.add(migration, [copy])
    const epochs: number[] = []
    const run = (work: Work) => {
      epochs.push(work.epoch)
      return forever()
    }
    const first = start('first', run)
    await scheduler.runUntil(() => epochs.length === 1, 1_000)
    await scheduler.runUntil(() => false, scheduler.random.below(3_000))
    first.process.crash()
    start('second', run)
    assert.ok(await scheduler.runUntil(() => epochs.length === 2, takeoverMsMax), `seed ${seed}`)
    assert.ok(epochs[1]! > epochs[0]!)
  }
})

test('a reconciler is taken up again whatever ends it: nothing else could move or abort its migration', async () => {
  const { scheduler, store, start } = scene()
  await store.tasks.add(migration, [{ name: 'reconcile', kind: 'reconcile', payload: {} }])
  let starts = 0
  start('first', async () => {
    starts += 1
    throw new Error('never seen before')
  })
  assert.ok(await scheduler.runUntil(() => starts > 20, 3_600_000), `${starts} starts`)
})

test('a task keeps its lease for as long as it runs', async () => {
  const { scheduler, store, start } = scene()
  await store.tasks.add(migration, [copy])
  let starts = 0
  const run = () => {
    starts += 1
    return forever()
  }
  start('first', run)
  start('second', run)
  await scheduler.runUntil(() => false, 60_000)
  assert.equal(starts, 1)
})

test('a holder that cannot reach the control database stops before its lease runs out', async () => {
  const { scheduler, store, start } = scene()
  await store.tasks.add(migration, [copy])
  let cut = false
  let begunAt = 0
  let stoppedAt = 0
  const renew: ControlStore['tasks']['renew'] = async (...args) => {
    if (cut) return new Promise(() => undefined)
    return store.tasks.renew(...args)
  }
  const tasks = new Proxy(store.tasks, {
    get: (target, name) =>
      name === 'renew' ? renew : (target[name as keyof typeof target] as () => unknown).bind(target),
  })
  start(
    'first',
    async (_work, context) => {
      begunAt = scheduler.now
      context.signal.addEventListener('abort', () => {
        stoppedAt = scheduler.now
      })
      return forever()
    },
    { tasks },
  )
  await scheduler.runUntil(() => begunAt > 0, 1_000)
  cut = true
  await scheduler.runUntil(() => stoppedAt > 0, 20_000)
  assert.ok(stoppedAt > 0 && stoppedAt <= begunAt + leaseMs - 500, `stopped after ${stoppedAt - begunAt} ms`)
})

test('a cancelled task is told to stop and is forgotten', async () => {
  const { scheduler, store, start } = scene()
  await store.tasks.add(migration, [copy])
  start('first', async (_work, { signal }) => {
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    return null
  })
  await scheduler.runUntil(() => false, 1_000)
  await store.tasks.cancel(migration, { kind: 'copy' })
  await scheduler.runUntil(() => false, 2_000)
  assert.deepEqual(await store.tasks.list(migration), [])
})

test('DM-06 D07: what may heal is tried again and again; what may not waits for a person; an unknown failure is not tried for ever', async () => {
  const { scheduler, store, start } = scene()
  await store.tasks.add(migration, [copy, { ...copy, name: 'copy:2' }, { ...copy, name: 'copy:3' }])
  const tries: Record<string, number> = {}
  start('first', async ({ name }) => {
    tries[name] = (tries[name] ?? 0) + 1
    if (name === 'copy:1') throw fail('CF2001', { shard: 'a', reason: 'restarting' })
    if (name === 'copy:2') throw fail('CF4001', { mismatches: 1 })
    throw new TypeError('undefined is not a function')
  })
  await scheduler.runUntil(() => false, 300_000)
  assert.ok(tries['copy:1']! > 20)
  assert.equal(tries['copy:2'], 1)
  assert.equal(tries['copy:3'], 5)
  const states = (await store.tasks.list(migration)).map((task) => [
    task.name,
    task.state === 'failed',
    task.failure?.code,
  ])
  assert.deepEqual(states, [
    ['copy:1', false, 'CF2001'],
    ['copy:2', true, 'CF4001'],
    ['copy:3', true, 'CF6007'],
  ])
})

test('a worker that stops hands its tasks back at once', async () => {
  const { scheduler, store, start, stop } = scene()
  await store.tasks.add(migration, [copy])
  const first = start('first', async (_work, { signal }) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    return null
  })
  await scheduler.runUntil(() => false, 1_000)
  let ended = false
  void first.ended.then(() => {
    ended = true
  })
  stop.abort(new Error('shutdown'))
  await scheduler.runUntil(() => ended, 5_000)
  assert.ok(ended)
  const [task] = await store.tasks.list(migration)
  assert.deepEqual([task!.state, task!.worker, task!.attempts], ['waiting', null, 0])
  assert.deepEqual(await store.workers.list(), [])
})
