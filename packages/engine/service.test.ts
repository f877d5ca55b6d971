import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newMigrationId } from '@crossfade/model/ids.ts'
import { dataTrack } from '@crossfade/tracks/data/track.ts'
import { entry } from './entries.ts'
import { memoryStore } from './memory-store.ts'
import { createMigrationService } from './service.ts'
import { modelPlan } from './simulation/model-plan.ts'
import type { ControlStore } from './store.ts'

const clock = { now: () => 1_000, sleep: () => new Promise<never>(() => undefined) }
const asker = { actor: 'test' }

test('DM-16: a failed task is taken up again before the entry that takes the failure back, so that nobody stops for it twice', async () => {
  const store = memoryStore(clock)
  const failedAtAppend: number[] = []
  const watched: ControlStore = {
    ...store,
    journal: {
      ...store.journal,
      append: async (id, entries, options) => {
        if (entries.some(({ kind }) => kind === 'commanded'))
          failedAtAppend.push((await store.tasks.list(id, { states: ['failed'] })).length)
        return store.journal.append(id, entries, options)
      },
    },
  }
  const service = createMigrationService({ store: watched, clock, track: dataTrack })
  const plan = modelPlan({ sources: 1, targets: 1, keys: 5, grouped: false })
  const id = await service.create({ ...plan, name: newMigrationId() }, asker)
  await store.tasks.add(id, [{ name: 'stream:a', kind: 'stream', payload: {} }])
  const [work] = await store.tasks.claim('worker', { stream: 1 }, 1_000)
  const failure = { code: 'CF2014', message: 'The role may not replicate.', retry: false, at: 0 } as const
  await store.tasks.fail({ migration: id, task: work!.name, epoch: work!.epoch, worker: 'worker' }, failure, 1, null)
  const at = new Date(clock.now()).toISOString()
  const view = { ...failure, remedy: 'Let it.', where: 'stream:a', at, nextAttemptAt: null }
  await store.journal.append(id, [entry('stopped', { failure: view })])
  await service.resume(id, asker)
  assert.deepEqual(failedAtAppend, [0])
  assert.deepEqual(await store.tasks.list(id, { states: ['failed'] }), [])
})
