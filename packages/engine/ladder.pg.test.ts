import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { Stage } from '@crossfade/model/stage.ts'
import { dataTrack } from '@crossfade/tracks/data/track.ts'
import type { LiveEvent, MigrationService } from './contract.ts'
import { openControlStore } from './control-database.ts'
import { runEngineWorker } from './engine-worker.ts'
import { createMigrationService } from './service.ts'
import { ModelDatabase } from './simulation/model-database.ts'
import { modelPlan } from './simulation/model-plan.ts'
import { type ModelWorld, modelPlane } from './simulation/model-plane.ts'
import type { ControlStore } from './store.ts'

const asker = { actor: 'test' }
let database: Awaited<ReturnType<typeof freshDatabase>>
let store: ControlStore
let service: MigrationService
const stop = new AbortController()
const workers: Promise<void>[] = []

function newWorld(): ModelWorld {
  const plan = modelPlan({ sources: 2, targets: 4, keys: 20, grouped: false })
  const databases = new Map(
    (['source', 'target'] as const).flatMap((side) =>
      plan[side].shards.map(({ id }) => [id, new ModelDatabase(id, side, null)] as const),
    ),
  )
  return { plan, databases, sabotage: null, snapshots: 0 }
}

let world = newWorld()

before(async () => {
  database = await freshDatabase(await sharedTestCluster(), 'control')
  store = await openControlStore(database.url)
  service = createMigrationService({ store, clock: systemClock, track: dataTrack })
  for (const id of ['one', 'two']) {
    const own = await openControlStore(database.url)
    workers.push(
      runEngineWorker(
        {
          id,
          store: own,
          clock: systemClock,
          track: dataTrack,
          openDataPlane: async () =>
            modelPlane(world, {
              clock: systemClock,
              alive: () => true,
              call: async (_database, effect) => effect(),
              act: async (_database, effect) => effect(),
            }),
          hooks: { run: async () => undefined },
          httpGet: async () => ({ status: 200, text: '' }),
          beside: [],
          throttle: () => async () => undefined,
          places: { reconcile: 4, stream: 8, copy: 2, 'schema-work': 2, verify: 2, repair: 1, backup: 1 },
          memoryBytes: () => process.memoryUsage.rss(),
        },
        stop.signal,
      ).finally(() => own.close()),
    )
  }
})

after(async () => {
  stop.abort(new Error('the test is over'))
  await Promise.all(workers)
  await store.close()
  await database.drop()
})

async function reached(id: MigrationId, done: (detail: Awaited<ReturnType<MigrationService['get']>>) => boolean) {
  for (;;) {
    const detail = await service.get(id)
    if (done(detail)) return detail
    assert.equal(detail.status === 'stopped', false, detail.failure?.message)
    await systemClock.sleep(50)
  }
}

const at = (stage: Stage) => (detail: { stage: Stage; transition: unknown }) =>
  detail.stage === stage && detail.transition === null

test('DM-02 DM-16: a migration goes up to live, back to shadow, up again and to complete', async () => {
  world = newWorld()
  const [source] = world.databases.values()
  for (let key = 0; key < 20; key += 2) source!.commitWrite(`k${key}`, `w${key}`)
  const events: LiveEvent[] = []
  const deaf = service.subscribe((event) => events.push(event))

  const id = await service.apply(world.plan, asker)
  assert.equal(await service.apply(world.plan, asker), id)
  const copied = await reached(id, at('dualwrite'))
  assert.equal(copied.copied, 1)
  assert.equal(copied.streams.length, 2)
  await service.advance(id, asker, { to: 'live' })
  const live = await reached(id, at('live'))
  assert.deepEqual(Object.values(live.routing.authority), ['target', 'target'])
  assert.equal(live.cutovers.at(-1)?.outcome, 'flipped')
  assert.equal(live.commands.abort.allowed, false)
  assert.equal(live.streams.length, 6)

  await service.retreat(id, asker)
  const back = await reached(id, at('shadow'))
  assert.deepEqual(Object.values(back.routing.authority), ['source', 'source'])
  await service.advance(id, asker, { to: 'complete' })
  const complete = await reached(id, (detail) => detail.status === 'complete')
  assert.deepEqual(Object.values(complete.routing.authority), ['target', 'target'])
  for (const each of world.databases.values()) assert.deepEqual(each.leftovers(), [])
  const moved = [...world.databases.values()]
    .filter((each) => each.side === 'target')
    .flatMap((each) => [...each.rows.keys()])
  assert.equal(moved.length, 10)
  deaf()
  assert.ok(events.some((event) => event.type === 'routing'))
  assert.ok(events.some((event) => event.type === 'progress'))
  const positions = events.flatMap((event) => (event.type === 'journal' ? [event.entry.position] : []))
  assert.deepEqual(
    positions,
    positions.toSorted((a, b) => a - b),
  )
})

test('D06: abort leaves nothing behind', async () => {
  world = newWorld()
  const id = await service.apply(world.plan, asker, { to: 'shadow' })
  await reached(id, at('shadow'))
  await service.abort(id, asker)
  const aborted = await reached(id, (detail) => detail.status === 'aborted')
  assert.equal(aborted.stage, 'off')
  for (const each of world.databases.values()) {
    assert.deepEqual(each.leftovers(), [])
    assert.equal(each.createdTables, false)
  }
  await assert.rejects(service.advance(id, asker), { code: 'CF6002' })
  assert.equal(await service.lastPlan('model').then((plan) => plan?.digest), world.plan.digest)
})

test('an idempotency key makes a repeated command one command, also when the migration is over', async () => {
  world = newWorld()
  const id = await service.create(world.plan, asker)
  const once = (idempotencyKey: string) => ({ actor: 'test', idempotencyKey })
  await service.advance(id, once('up'))
  await reached(id, at('dualwrite'))
  await service.advance(id, once('up'))
  await service.pause(id, once('rest'))
  await service.resume(id, once('rest'))
  const report = await service.verify(id, once('look'))
  await service.advance(id, once('further'))
  await reached(id, at('shadow'))
  await reached(id, (detail) => detail.verification.last?.id === report && detail.verification.running === null)
  await service.retreat(id, once('down'))
  await reached(id, at('dualwrite'))
  await service.abort(id, once('end'))
  await reached(id, (detail) => detail.status === 'aborted')
  const asked = async () =>
    (await service.history(id, { after: 0 })).flatMap((each) =>
      each.kind === 'commanded' ? [(each.body as { command: string }).command] : [],
    )
  const first = ['advance', 'pause', 'resume', 'advance', 'retreat', 'abort']
  assert.deepEqual(await asked(), first)
  await service.abort(id, once('end'))
  await service.retreat(id, once('down'))
  await service.advance(id, once('up'))
  await service.pause(id, once('rest'))
  await service.resume(id, once('rest'))
  assert.equal(await service.verify(id, once('look')), report)
  assert.deepEqual(await asked(), first)
  // Another key is another request, and so is the key of another command.
  await assert.rejects(service.abort(id, once('again')), { code: 'CF6002' })
  await assert.rejects(service.abort(id, once('up')), { code: 'CF6002' })
})
