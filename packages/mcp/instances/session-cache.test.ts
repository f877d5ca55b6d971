import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import { OpenedInstance } from './opened-instance.ts'
import { defaultSettings } from './session.ts'
import { createSessionCache } from './session-cache.ts'

const source = { obtain: () => ({ kind: 'none' }) as const }

/** A session of an instance with its credential in memory, used last at `usedAtMs`. */
function opened(instance: string, user = 'user', usedAtMs = 0): OpenedInstance {
  const row = {
    userId: user as UserId,
    tokenId: null,
    scopes: ['read'] as const,
    tokenExpiresAtMs: null,
    credential: { kind: 'api_key', main: 'v1', additional: {} },
    credentialVersion: 1,
    needsAuthorization: false,
    accessExpiresAtMs: null,
    settings: defaultSettings,
  }
  const place = { instanceId: instance as InstanceId, serviceType: 'figma' as ServiceType }
  const opening = { kind: 'bearer', secretHash: Buffer.alloc(32) } as const
  const grant = { scopes: row.scopes, endsAtMs: Number.POSITIVE_INFINITY }
  const session = new OpenedInstance(source, place, opening, row, grant, usedAtMs)
  session.held = { credential: { kind: 'none' }, freshUntilMs: Number.POSITIVE_INFINITY, usedAtMs }
  return session
}

test('M08: whatever leaves the cache is marked and holds no credential: by change, by user, by number, in place of another', () => {
  const cache = createSessionCache(3)
  const [one, two, three] = [opened('a'), opened('a'), opened('b', 'other')]
  cache.set('one', one, 0)
  cache.set('two', two, 0)
  cache.set('three', three, 0)
  cache.dropInstance('a')
  assert.deepEqual(
    [one.dropped, one.held, two.dropped, two.held],
    [true, null, true, null],
    'every token of an instance',
  )
  assert.deepEqual([three.dropped, cache.size, cache.get('one'), cache.get('three')], [false, 1, undefined, three])
  cache.dropUser('other')
  assert.deepEqual([three.dropped, cache.size], [true, 0])
  const [first, second] = [opened('a'), opened('a')]
  cache.set('key', first, 0)
  cache.set('key', second, 0)
  assert.deepEqual([first.dropped, second.dropped, cache.size], [true, false, 1])
  cache.delete('key')
  cache.delete('key')
  assert.equal(second.dropped, true)
  const [kept, gone] = [opened('a'), opened('a')]
  cache.set('kept', kept, 0)
  cache.set('gone', gone, 0)
  cache.delete('gone')
  cache.dropInstance('a')
  assert.equal(kept.dropped, true, 'one token of an instance that goes leaves the others to be found')
  const left = opened('c')
  cache.set('left', left, 0)
  cache.dropInstance('a')
  assert.equal(left.dropped, false)
  cache.dropAll()
  assert.deepEqual([left.dropped, cache.size], [true, 0])
})

test('M03: a full cache leaves out the oldest that was not used lately, and any when all were', () => {
  const cache = createSessionCache(3)
  const nowMs = 1_000_000
  const [busy, idle, young] = [opened('a', 'u', nowMs), opened('b', 'u', 0), opened('c', 'u', nowMs)]
  cache.set('busy', busy, nowMs)
  cache.set('idle', idle, nowMs)
  cache.set('young', young, nowMs)
  cache.set('new', opened('d', 'u', nowMs), nowMs)
  assert.deepEqual([cache.size, busy.dropped, idle.dropped, young.dropped], [3, false, true, false])
  cache.set('newer', opened('e', 'u', nowMs), nowMs)
  assert.equal(cache.size, 3)
})
