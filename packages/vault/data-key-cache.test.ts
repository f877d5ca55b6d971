import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DataKeyCache } from './data-key-cache.ts'

function cacheAt(clock: { ms: number }, keysMax = 3): DataKeyCache {
  return new DataKeyCache({ keysMax, ttlMs: 1000, nowMs: () => clock.ms })
}
const key = (byte: number) => Buffer.alloc(32, byte)
const isZero = (buffer: Buffer) => buffer.every((byte) => byte === 0)

test('SI-08: a data key that leaves memory is overwritten: by age, by number, and at the end', () => {
  const clock = { ms: 0 }
  const cache = cacheAt(clock)
  const [one, two, three, four] = [key(1), key(2), key(3), key(4)]
  cache.add('one', 'a', one)
  cache.add('two', 'a', two)
  cache.add('three', 'a', three)
  assert.equal(cache.get('one')?.key, one)
  // "two" is the one that nobody used for longest.
  cache.add('four', 'a', four)
  assert.ok(isZero(two) && cache.get('two') === undefined)
  assert.ok(!isZero(one) && !isZero(three) && !isZero(four))
  clock.ms = 999
  cache.sweep()
  assert.equal(cache.size, 3)
  clock.ms = 1000
  assert.equal(cache.get('one'), undefined)
  assert.ok(isZero(one) && !isZero(three))
  cache.sweep()
  assert.ok(isZero(three) && isZero(four))
  const five = key(5)
  cache.add('five', 'b', five)
  cache.clear()
  assert.ok(isZero(five))
  assert.equal(cache.size, 0)
})

test('SI-08: use does not make a key stay longer, and a second copy of it is overwritten', () => {
  const clock = { ms: 0 }
  const cache = cacheAt(clock)
  const [one, copy] = [key(1), key(1)]
  cache.add('one', 'a', one)
  for (clock.ms = 0; clock.ms < 1000; clock.ms += 100) assert.equal(cache.get('one')?.key, one)
  assert.equal(cache.get('one'), undefined)
  cache.add('two', 'a', copy)
  const again = key(1)
  assert.equal(cache.add('two', 'a', again).key, copy)
  assert.ok(isZero(again) && !isZero(copy))
})
