import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { type KeyRing, localKeyRing } from './key-ring.ts'
import { openVault } from './open-vault.ts'
import { rotateDataKeys } from './rotate-data-keys.ts'
import { rotateKeyEncryptionKey } from './rotate-key-encryption-key.ts'
import { type VaultPlatform, vaultPlatform } from './testing/platform.ts'
import type { SealedText, SecretOwner, Vault } from './vault.ts'

const seed = testSeed()
let made: Promise<VaultPlatform> | undefined
/** The database of all tests here, with nobody in it. */
async function platform(): Promise<VaultPlatform> {
  made ??= vaultPlatform()
  await (await made).admin.query('DELETE FROM users; DELETE FROM key_checks')
  return await made
}
after(async () => (await made)?.close())

const oldKey = { id: 'old', key: randomBytes(32) }
const newKey = { id: 'new', key: randomBytes(32) }
const before = localKeyRing('the test', [oldKey])
const during = localKeyRing('the test', [newKey, oldKey])
const afterwards = localKeyRing('the test', [newKey])

/** What an instance's secrets should be; the store's own version of it decides which. */
interface Held {
  readonly owner: SecretOwner
  secret: string
  token: string
}

async function connect(all: VaultPlatform, vault: Vault, held: Held): Promise<void> {
  await all.store(held.owner, await vault.seal(held.owner, held.secret), {
    refresh_token: await vault.seal(held.owner, held.token),
  })
}

async function read(all: VaultPlatform, owner: SecretOwner): Promise<{ main: SealedText; token: SealedText }> {
  const { rows } = await all.admin.query(
    'SELECT encrypted_api_key AS main, encrypted_additional_credentials AS beside FROM user_service_instances WHERE instance_id = $1',
    [owner.instanceId],
  )
  return { main: rows[0].main, token: rows[0].beside.refresh_token }
}

async function assertHeld(all: VaultPlatform, vault: Vault, held: Held): Promise<void> {
  const stored = await read(all, held.owner)
  assert.equal(await vault.open(held.owner, stored.main), held.secret)
  assert.equal(await vault.open(held.owner, stored.token), held.token)
}

async function populate(all: VaultPlatform, keys: KeyRing, count: number): Promise<Held[]> {
  const vault = await openVault({ pool: all.runtime, keys })
  const held = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const one = { owner: await all.newOwner(), secret: `secret ${n}`, token: `token ${n}` }
      await connect(all, vault, one)
      return one
    }),
  )
  vault.close()
  return held
}

test(`SI-08 M13: both levels of keys rotate under load with no failure and nothing lost (seed ${seed})`, async (t) => {
  const all = await platform()
  const random = seededRandom(seed)
  const held = await populate(all, before, 40)
  // Small and short-lived caches: keys are looked up all the time.
  const vaults = await Promise.all(
    [1, 2].map(() => openVault({ pool: all.runtime, keys: during, dataKeysMax: 8, dataKeyTtlMs: 50 })),
  )
  let rotating = true
  let operations = 0
  const work = async (worker: number) => {
    // Each worker has instances of its own, so that it knows what each must hold.
    const mine = held.filter((_, n) => n % 4 === worker)
    while (rotating || operations < 300) {
      const one = mine[Math.floor(random() * mine.length)]!
      const vault = vaults[Math.floor(random() * vaults.length)]!
      if (random() < 0.4) {
        one.secret = `secret of operation ${operations}`
        if (random() < 0.5) one.token = `token of operation ${operations}`
        await connect(all, vault, one)
      }
      await assertHeld(all, vault, one)
      operations += 1
    }
  }
  const workers = [0, 1, 2, 3].map(work)
  // Two runs at once of each: they share the work, or find nothing to do.
  const wrapped = await Promise.all([
    rotateKeyEncryptionKey(all.keeper, during),
    rotateKeyEncryptionKey(all.keeper, during),
  ])
  const rotated = await Promise.all([
    rotateDataKeys(all.keeper, during, { retiredKeyGraceMs: 60_000 }),
    rotateDataKeys(all.keeper, during, { retiredKeyGraceMs: 60_000 }),
  ])
  rotating = false
  await Promise.all(workers)
  for (const vault of vaults) vault.close()
  t.diagnostic(`${operations} operations beside the rotation`)
  assert.ok(wrapped[0].rewrapped + wrapped[1].rewrapped >= 40)
  for (const { unopened } of rotated) assert.deepEqual(unopened, [])
  assert.ok(rotated[0].users + rotated[1].users >= 40)

  // What was sealed at the very moment of the rotation is taken along by the next run, which also drops what nobody needs.
  const last = await rotateDataKeys(all.keeper, during, { before: new Date(0), retiredKeyGraceMs: 0 })
  assert.deepEqual([last.users, last.remaining, last.unopened], [0, 0, []])
  const { rows } = await all.admin.query(
    `SELECT count(*) FILTER (WHERE state = 'retired') AS retired, count(*) FILTER (WHERE key_encryption_key_id <> 'new') AS old, count(*) AS keys FROM data_keys`,
  )
  assert.deepEqual(rows, [{ retired: 0, old: 0, keys: 40 }])
  const vault = await openVault({ pool: all.runtime, keys: afterwards })
  for (const one of held) await assertHeld(all, vault, one)
  vault.close()
  assert.deepEqual(await rotateKeyEncryptionKey(all.keeper, afterwards), { rewrapped: 0, remaining: 0 })
})

test('SI-08 M13: a rotation whose process is killed half-way is finished by the next one', async () => {
  const all = await platform()
  const held = await populate(all, before, 120)
  const text = [newKey, oldKey].map(({ id, key }) => `${id}:${key.toString('base64')}`).join(',')
  const script = fileURLToPath(new URL('testing/rotation-process.ts', import.meta.url))
  // Killed once among the wrapped keys, once among the secrets.
  for (const step of ['key-encryption key', 'data keys']) {
    const child = spawn(process.execPath, [script, all.urls.keeper, text], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    for await (const chunk of child.stdout) {
      output += chunk
      const instances = [...output.matchAll(/"instances":(\d+)/g)].map((found) => Number(found[1]))
      if (step === 'data keys' ? instances.some((n) => n > 0) : output.includes(step)) break
    }
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  const { rows } = await all.admin.query(
    `SELECT count(DISTINCT r.instance_id) AS left FROM data_keys k JOIN instance_data_keys r ON r.data_key_id = k.id WHERE k.state = 'retired'`,
  )
  assert.ok(rows[0].left > 0, 'the second process was killed before it was done')
  const between = await openVault({ pool: all.runtime, keys: during })
  for (const one of held) await assertHeld(all, between, one)
  between.close()
  assert.equal((await rotateKeyEncryptionKey(all.keeper, during)).remaining, 0)
  const done = await rotateDataKeys(all.keeper, during, { before: new Date(0), retiredKeyGraceMs: 0 })
  assert.deepEqual([done.remaining, done.instances, done.unopened], [0, rows[0].left, []])
  const vault = await openVault({ pool: all.runtime, keys: afterwards })
  for (const one of held) await assertHeld(all, vault, one)
  vault.close()
})

test('SI-08: a retired key stays while anything needs it, and a secret under a dropped key can not be stored', async () => {
  const all = await platform()
  const [one] = await populate(all, before, 1)
  const stale = await read(all, one!.owner)
  await rotateDataKeys(all.keeper, before, { retiredKeyGraceMs: 60_000 })
  const again = await rotateDataKeys(all.keeper, before, { before: new Date(0), retiredKeyGraceMs: 60_000 })
  assert.equal(again.dropped, 0)
  // Somebody stores what they sealed before: it is found by its reference and taken along.
  await all.store(one!.owner, stale.main, { refresh_token: stale.token })
  const taken = await rotateDataKeys(all.keeper, before, { before: new Date(0), retiredKeyGraceMs: 0 })
  assert.deepEqual([taken.instances, taken.dropped, taken.remaining], [1, 1, 0])
  await assert.rejects(all.store(one!.owner, stale.main, {}), { code: '23503' })
  // Nor can the database be made to drop a key that is needed.
  await assert.rejects(all.keeper.query('DELETE FROM data_keys'), { code: '23503' })
  // A user who goes takes instances, keys and references along.
  await all.admin.query('DELETE FROM users WHERE id = $1', [one!.owner.userId])
  assert.equal((await all.admin.query('SELECT count(*) FROM data_keys')).rows[0].count, 0)
})

test('SI-08: what the database refuses is told as its trouble, with a remedy', async () => {
  const all = await platform()
  await populate(all, before, 1)
  // The role that serves may not touch the keys themselves.
  await assert.rejects(rotateDataKeys(all.runtime, before), { code: 'CF11014' })
  await assert.rejects(rotateKeyEncryptionKey(all.runtime, during), { code: 'CF11014' })
})

test('SI-08: a secret that does not open is reported and left, and keeps its key', async () => {
  const all = await platform()
  const held = await populate(all, before, 3)
  const other = await read(all, held[1]!.owner)
  await all.store(held[0]!.owner, other.main, {})
  const done = await rotateDataKeys(all.keeper, before, { retiredKeyGraceMs: 0 })
  assert.deepEqual([done.unopened, done.remaining, done.instances], [[held[0]!.owner.instanceId], 1, 2])
  const vault = await openVault({ pool: all.runtime, keys: before })
  await assert.rejects(Promise.resolve(vault.open(held[0]!.owner, other.main)), { code: 'CF11002' })
  assert.equal(await vault.open(held[1]!.owner, other.main), held[1]!.secret)
  vault.close()
})

test("SI-08 M07: a credential that is replaced between a rotation's look and its write stays replaced", async () => {
  const all = await platform()
  const [one] = await populate(all, before, 1)
  const vault = await openVault({ pool: all.runtime, keys: before })
  let replacements = 0
  // The rotation has read the row when it unwraps the key that the row needs.
  const interfering: KeyRing = {
    ...before,
    find: (id) => {
      const key = before.find(id)
      return (
        key && {
          ...key,
          async unwrap(wrapped, associated) {
            if (associated.includes(one!.owner.userId) && replacements < 2) {
              replacements += 1
              one!.secret = `replacement ${replacements}`
              // Its key alone: what stands beside it stays as the rotation has read it.
              const { token } = await read(all, one!.owner)
              await all.store(one!.owner, await vault.seal(one!.owner, one!.secret), { refresh_token: token })
            }
            return await key.unwrap(wrapped, associated)
          },
        }
      )
    },
  }
  const done = await rotateDataKeys(all.keeper, interfering, { retiredKeyGraceMs: 0 })
  assert.equal(replacements, 2)
  await assertHeld(all, vault, one!)
  assert.deepEqual([done.remaining, done.unopened], [0, []])
  vault.close()
})
