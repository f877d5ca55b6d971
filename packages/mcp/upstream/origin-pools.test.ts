import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOriginPools, originsMax } from './origin-pools.ts'

test('the number of origins is bounded: the one idle longest goes, one in use never does', async () => {
  const pools = createOriginPools((_, callback) => callback(new Error('nothing is connected to'), null), 1000, 1000)
  const busy = pools.acquire('https://busy.test')!
  for (let index = 0; index < originsMax + 50; index++) {
    const held = pools.acquire(`https://host-${index}.test`)
    held!.release()
    if (index % 100 === 0) pools.acquire('https://often.test')!.release()
  }
  assert.equal(pools.size, originsMax)
  assert.equal(pools.acquire('https://busy.test'), busy)
  const often = pools.acquire('https://often.test')
  assert.ok(often !== null && !often.pool.destroyed)
  const all = Array.from({ length: originsMax - 2 }, (_, index) => pools.acquire(`https://busy-${index}.test`))
  assert.ok(all.every((held) => held !== null))
  assert.equal(pools.acquire('https://one-more.test'), null, 'all are in use')
  all[0]!.release()
  assert.notEqual(pools.acquire('https://one-more.test'), null)
  await pools.close()
  assert.equal(pools.size, 0)
})
