import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { checkKeys, hasStoredKeys } from './check-keys.ts'
import { localKeyRing } from './key-ring.ts'
import { openVault } from './open-vault.ts'
import { type VaultPlatform, vaultPlatform } from './testing/platform.ts'
import type { KeyEncryptionKey } from './vault.ts'

let made: Promise<VaultPlatform> | undefined
/** The database of all tests here, with nobody in it. */
async function platform(): Promise<VaultPlatform> {
  made ??= vaultPlatform()
  await (await made).admin.query('DELETE FROM users; DELETE FROM key_checks')
  return await made
}
after(async () => (await made)?.close())

const first = { id: 'first', key: randomBytes(32) }
const second = { id: 'second', key: randomBytes(32) }
const keys = localKeyRing('the test', [first])

test('SI-08: what one vault seals another opens; once the data key is in memory, at once', async () => {
  const all = await platform()
  const alice = await all.newOwner()
  const one = await openVault({ pool: all.runtime, keys })
  const other = await openVault({ pool: all.runtime, keys })
  const sealed = await one.seal(alice, 'ghp_canary')
  assert.match(sealed, /^v1\.[A-Za-z0-9_-]{16}\./)
  assert.ok(!sealed.includes('canary'))
  assert.equal(one.open(alice, sealed), 'ghp_canary')
  const later = other.open(alice, sealed)
  assert.ok(later instanceof Promise)
  assert.equal(await later, 'ghp_canary')
  assert.equal(other.open(alice, sealed), 'ghp_canary')
  one.close()
  other.close()
  assert.throws(() => one.open(alice, sealed), { code: 'CF11013' })
  await assert.rejects(one.seal(alice, 'x'), { code: 'CF11013' })
})

test('SI-08: many who seal for a new user at once share one data key, however small their caches are', async () => {
  const all = await platform()
  const [alice, bob] = [await all.newOwner(), await all.newOwner()]
  const vaults = await Promise.all([1, 2, 3].map(() => openVault({ pool: all.runtime, keys, dataKeysMax: 1 })))
  const ofBob = await vaults[0]!.seal(bob, 'of Bob')
  const sealed = await Promise.all(
    Array.from({ length: 30 }, async (_, n) => {
      // Bob's key presses Alice's out of the cache of one, all the time.
      assert.equal(await vaults[n % 3]!.open(bob, ofBob), 'of Bob')
      return await vaults[n % 3]!.seal(alice, `secret ${n}`)
    }),
  )
  assert.equal(new Set(sealed.map((text) => text.split('.')[1])).size, 1)
  const opened = await Promise.all(
    sealed.map((text, n) => Promise.all([vaults[n % 3]!.open(alice, text), vaults[n % 3]!.open(bob, ofBob)])),
  )
  for (const [n, [secret]] of opened.entries()) assert.equal(secret, `secret ${n}`)
  const { rows } = await all.admin.query('SELECT seals FROM data_keys WHERE user_id = $1', [alice.userId])
  assert.deepEqual(rows, [{ seals: 30 }])
  for (const vault of vaults) vault.close()
})

test('SI-08: a data key seals a limited number of secrets, then the next one begins and the old still opens', async () => {
  const all = await platform()
  const alice = await all.newOwner()
  const vaults = await Promise.all([1, 2].map(() => openVault({ pool: all.runtime, keys, sealsMax: 5 })))
  const sealed = await Promise.all(Array.from({ length: 23 }, (_, n) => vaults[n % 2]!.seal(alice, `secret ${n}`)))
  const uses = Map.groupBy(sealed, (text) => text.split('.')[1])
  assert.equal(uses.size, 5)
  for (const texts of uses.values()) assert.ok(texts.length <= 5)
  const { rows } = await all.admin.query(
    `SELECT max(seals) AS most, count(*) FILTER (WHERE state = 'current') AS current FROM data_keys`,
  )
  assert.deepEqual(rows, [{ most: 5, current: 1 }])
  for (const [n, text] of sealed.entries()) assert.equal(await vaults[1]!.open(alice, text), `secret ${n}`)
  for (const vault of vaults) vault.close()
})

test('SI-08: memory holds data keys until their TTL and secrets not at all', async () => {
  const all = await platform()
  const alice = await all.newOwner()
  const clock = { ms: 0 }
  const unwrapped: Buffer[] = []
  const watched: KeyEncryptionKey = {
    ...keys.current,
    unwrap: async (wrapped, associated) => {
      const key = await keys.current.unwrap(wrapped, associated)
      unwrapped.push(key)
      return key
    },
  }
  const ring = { ...keys, current: watched, find: () => watched }
  const vault = await openVault({ pool: all.runtime, keys: ring, dataKeyTtlMs: 60_000, nowMs: () => clock.ms })
  const sealed = await vault.seal(alice, 'a canary')
  unwrapped.splice(0)
  clock.ms = 60_000
  assert.ok(vault.open(alice, sealed) instanceof Promise, 'the key has left')
  assert.equal(await vault.open(alice, sealed), 'a canary')
  // What the adapter gave is overwritten at once: the vault's own copy is the only one.
  assert.ok(unwrapped.length > 0)
  for (const key of unwrapped) assert.ok(key.every((byte) => byte === 0))
  // Were an opened secret kept, it would open without its key, or in spite of another text.
  const changed = `${sealed.slice(0, -1)}${sealed.endsWith('A') ? 'E' : 'A'}`
  assert.throws(() => vault.open(alice, changed as typeof sealed), /CF1100|secret/)
  await all.admin.query('DELETE FROM data_keys')
  assert.equal(vault.open(alice, sealed), 'a canary')
  clock.ms = 120_000
  await assert.rejects(Promise.resolve(vault.open(alice, sealed)), { code: 'CF11003' })
  vault.close()
})

test('SI-08: a master key that is wrong, of another database, or missing is refused at the start', async () => {
  const all = await platform()
  assert.equal(await hasStoredKeys(all.runtime), false)
  const vault = await openVault({ pool: all.runtime, keys })
  const alice = await all.newOwner()
  const sealed = await vault.seal(alice, 'canary')
  vault.close()
  assert.equal(await hasStoredKeys(all.runtime), true)
  // Another key under the same id; another id in its place; both generations, and the old one is another.
  await assert.rejects(openVault({ pool: all.runtime, keys: localKeyRing('the test', [{ ...second, id: 'first' }]) }), {
    code: 'CF11010',
  })
  await assert.rejects(openVault({ pool: all.runtime, keys: localKeyRing('the test', [second]) }), { code: 'CF11009' })
  await assert.rejects(
    openVault({ pool: all.runtime, keys: localKeyRing('the test', [second, { ...second, id: 'first' }]) }),
    { code: 'CF11010' },
  )
  // A KMS that does not authenticate what it unwraps gives something, and not what was wrapped.
  const careless = { ...keys.current, unwrap: async () => Buffer.alloc(32) }
  await assert.rejects(
    openVault({ pool: all.runtime, keys: { current: careless, origin: 'the test', find: () => careless } }),
    { code: 'CF11010' },
  )
  const { rows } = await all.admin.query('SELECT key_encryption_key_id FROM key_checks')
  assert.deepEqual(rows, [{ key_encryption_key_id: 'first' }])
  const both = await openVault({ pool: all.runtime, keys: localKeyRing('the test', [second, first]) })
  assert.equal(await both.open(alice, sealed), 'canary')
  both.close()
  // With the old one gone too early, nothing opens and the process does not begin.
  await assert.rejects(
    checkKeys(all.runtime, localKeyRing('the test', [second])),
    (error: { code: string; remedy: string }) => {
      assert.equal(error.code, 'CF11009')
      assert.match(error.remedy, /master key that the platform ran with before/)
      return true
    },
  )
})

test('SI-08: a database that is away is a failure that can be retried, and what is in memory opens on', async () => {
  const all = await platform()
  const alice = await all.newOwner()
  const pool = openPool(all.urls.runtime, { applicationName: 'test', connectionsMax: 1 })
  const vault = await openVault({ pool, keys })
  const sealed = await vault.seal(alice, 'canary')
  await pool.end()
  assert.equal(vault.open(alice, sealed), 'canary')
  await assert.rejects(vault.seal(alice, 'x'), { code: 'CF11014', retry: true })
  vault.close()
})
