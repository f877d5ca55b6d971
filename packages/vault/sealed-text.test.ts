import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import fc from 'fast-check'
import { openUnder, parseSealed, sealUnder, secretBytesMax } from './sealed-text.ts'
import type { SecretOwner } from './vault.ts'

const seed = testSeed()
const key = randomBytes(32)
const owner: SecretOwner = {
  userId: '1a2b3c4d-0000-4000-8000-000000000001' as UserId,
  instanceId: 'fig_user_1a2b3c4d_9f8e7d' as InstanceId,
  serviceType: 'figma' as ServiceType,
}
const secrets = fc.string({ unit: 'grapheme', maxLength: 200 })
const open = (sealed: string, by: SecretOwner = owner, withKey: Buffer = key) =>
  openUnder(withKey, by, parseSealed(sealed))

/** The failure that `work` throws; nothing of the secret may be in it, nor in its causes. */
function failureOf(work: () => unknown, secret: string): Failure {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof Failure)
    const told = `${error.message} ${error.stack} ${error.remedy} ${JSON.stringify(error.details)} ${String(error.cause)}`
    // Short texts are found anywhere.
    if (secret.length > 8) assert.ok(!told.includes(secret))
    return error
  }
  return assert.fail('it opened')
}

test(`SI-08: every secret opens as it was sealed, and no two sealings are the same (seed ${seed})`, () => {
  fc.assert(
    fc.property(secrets, (secret) => {
      const sealed = sealUnder('data-key-1', key, owner, secret)
      assert.equal(open(sealed), secret)
      assert.notEqual(sealUnder('data-key-1', key, owner, secret), sealed)
    }),
    { seed },
  )
})

test(`SI-08: a sealed text that is changed anywhere does not open, and the failure says nothing of the secret (seed ${seed})`, () => {
  fc.assert(
    fc.property(
      secrets,
      fc.nat(),
      fc.constantFrom(...'ABCxyz019-_.=+/ v\n\u0000'),
      fc.constantFrom('replace', 'insert', 'remove', 'cut'),
      (secret, place, character, how) => {
        const sealed = sealUnder('data-key-1', key, owner, secret)
        const at = place % sealed.length
        const changed = {
          replace: sealed.slice(0, at) + character + sealed.slice(at + 1),
          insert: sealed.slice(0, at) + character + sealed.slice(at),
          remove: sealed.slice(0, at) + sealed.slice(at + 1),
          cut: sealed.slice(0, at),
        }[how]
        fc.pre(changed !== sealed)
        assert.match(failureOf(() => open(changed), secret).code, /^CF1100[12]$/)
      },
    ),
    { seed, numRuns: 1000 },
  )
})

test(`SI-08: bits of every part are authenticated, also those in the data key's id (seed ${seed})`, () => {
  const sealed = sealUnder('data-key-1', key, owner, 'a canary of some length')
  const parts = sealed.split('.')
  for (const part of [2, 3, 4]) {
    const bytes = Buffer.from(parts[part]!, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      const text = parts.with(part, flipped.toString('base64url')).join('.')
      assert.equal(failureOf(() => open(text), 'a canary of some length').code, 'CF11002')
    }
  }
  assert.equal(failureOf(() => open(parts.with(1, 'data-key-2').join('.')), '').code, 'CF11002')
  // Parts of two sealed texts don't make a third.
  const other = sealUnder('data-key-1', key, owner, 'another canary of some length').split('.')
  for (const part of [2, 3, 4]) assert.throws(() => open(parts.with(part, other[part]!).join('.')), { code: 'CF11002' })
})

test('SI-08: a sealed text has one spelling: other characters for the same bytes are refused', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const parts = sealUnder('data-key-1', key, owner, 'four').split('.')
  for (const part of [3, 4]) {
    const text = parts[part]!
    const other = text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) + 1]!
    assert.deepEqual(Buffer.from(other, 'base64url'), Buffer.from(text, 'base64url'))
    assert.throws(() => open(parts.with(part, other).join('.')), { code: 'CF11001' })
  }
})

test('SI-08 M04: a secret opens for its user, instance and service together, and under its key', () => {
  const sealed = sealUnder('data-key-1', key, owner, 'canary canary')
  const others: SecretOwner[] = [
    { ...owner, userId: '1a2b3c4d-0000-4000-8000-000000000002' as UserId },
    { ...owner, instanceId: 'fig_user_1a2b3c4d_9f8e7e' as InstanceId },
    { ...owner, serviceType: 'figshare' as ServiceType },
    // The same characters, divided otherwise.
    { ...owner, instanceId: `${owner.instanceId}","figma` as InstanceId, serviceType: '' as ServiceType },
  ]
  for (const other of others) assert.equal(failureOf(() => open(sealed, other), 'canary canary').code, 'CF11002')
  assert.equal(failureOf(() => open(sealed, owner, randomBytes(32)), 'canary canary').code, 'CF11002')
  assert.equal(open(sealed), 'canary canary')
})

test('SI-08: what is no text, or too long for a key, is refused', () => {
  assert.throws(() => sealUnder('data-key-1', key, owner, 'lone \ud800 surrogate'), { code: 'CF11012' })
  assert.throws(() => sealUnder('data-key-1', key, owner, 'x'.repeat(secretBytesMax + 1)), { code: 'CF11012' })
  assert.equal(open(sealUnder('data-key-1', key, owner, 'x'.repeat(secretBytesMax))).length, secretBytesMax)
  for (const text of [
    '',
    'v1',
    'v2.data-key-1.AAAA',
    'legacy:AES',
    'v1.data-key-1...',
    `v1.data-key-1.${'A'.repeat(16)}.${'A'.repeat(22)}`,
  ]) {
    assert.throws(() => parseSealed(text), { code: 'CF11001' })
  }
})
