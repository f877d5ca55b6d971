import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '@crossfade/model/clock.ts'
import { asMigrationId } from '@crossfade/model/ids.ts'
import { Governor } from './governor.ts'
import { memoryStore } from './memory-store.ts'
import type { Work } from './store.ts'

const migration = asMigrationId('mig_test')
const work = { migration } as Work
const never = new AbortController().signal

function scene() {
  let now = 1_000_000
  const clock: Clock = {
    now: () => now,
    async sleep(milliseconds) {
      now += milliseconds
    },
  }
  const store = memoryStore(clock)
  return {
    clock,
    store,
    spend: new Governor(store, clock).of(work, never),
    say: (body: Record<string, unknown>) => store.board.put(migration, 'throttle', 'throttle', body),
  }
}

test('a process keeps to its share of the rate', async () => {
  const { clock, store, spend, say } = scene()
  await say({ state: 'slowed', bytesPerSecondMax: 1_000 })
  for (const id of ['one', 'two']) await store.workers.seen({ id, startedAt: 0, seenAt: clock.now(), memoryBytes: 0 })
  const begun = clock.now()
  for (let index = 0; index < 5; index += 1) await spend('copy', 100)
  assert.equal(clock.now() - begun, 1_000)
})

test('a pause holds, until the throttle says otherwise', async () => {
  const { clock, spend, say, store } = scene()
  await say({ state: 'paused', bytesPerSecondMax: 0 })
  const begun = clock.now()
  const { get } = store.board
  let looks = 0
  store.board.get = async (...asked) => {
    looks += 1
    if (looks === 4) await say({ state: 'open', bytesPerSecondMax: null })
    return get(...asked)
  }
  await spend('verify', 1)
  assert.ok(clock.now() - begun >= 1_000)
})

test('without a word nothing is held back', async () => {
  const { clock, spend } = scene()
  const begun = clock.now()
  await spend('copy', 1e9)
  assert.equal(clock.now(), begun)
})
